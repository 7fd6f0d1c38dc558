"""Random networks: reproducible, sound, and alive."""

from __future__ import annotations

import re
import tracemalloc
from typing import Any

import numpy as np
import pytest

from snnc.compiler.errors import OptionError
from snnc.compiler.formats import random_network
from snnc.compiler.formats.random_network import RandomNetwork, random_graph
from snnc.compiler.ir import Convolution, Dense, Encoding, IntegrateAndFire, Pooling, Reset, verify
from snnc.compiler.ir.model import model_hash
from snnc.sim.models import golden

ARCHITECTURES = (
    "64-32-10",
    "100-40-30-5",
    "784-32-10",
    "2x12x12-16c3-24c3s2g2-a2-12-10",
    "1x12x12-8c5s2-m2-10",
    "3x8x8-8c3-8r3-12r3s2-10",
    "32-24R-10",
    "32-24Rt3-10",
    "2x6x12-8c1x5s1x2t2-8r3d2-m2x1-a3x1-10",
)


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_hidden_layers_fire_at_10_to_30_percent(encoding, architecture):
    """On inputs that the calibration has not seen; where a window has four neurons that may, more."""
    network = RandomNetwork(architecture=architecture, encoding=encoding, time_steps=10, seed=3)
    graph = random_graph(network)
    verify(graph)
    generator = np.random.default_rng(99)
    size = graph.populations[0].size
    inputs: Any
    if encoding is Encoding.DIRECT:
        inputs = generator.integers(1, 16, (50, size)) * (generator.random((50, size)) < network.density)
    else:
        inputs = generator.random((10, 50, size)) < network.density
    trace = golden.run(graph, inputs, time_steps=10)
    for layer in graph.layers[:-1]:
        pooled = isinstance(layer.neuron, IntegrateAndFire) and layer.neuron.reset is Reset.HARD
        assert 0.1 <= trace.populations[layer.name].spikes.mean() <= (0.7 if pooled else 0.3)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_network_is_calibrated_on_what_it_does(architecture, monkeypatch):
    """Every spike of the calibration's run is the golden model's."""
    runs = {}

    def kept(spec, known, *arguments):
        runs.update(known)
        drawn = draw(spec, known, *arguments)
        runs[spec.name] = drawn.spikes
        return drawn

    draw = random_network._draw
    monkeypatch.setattr(random_network, "_draw", kept)
    graph = random_graph(RandomNetwork(architecture=architecture, time_steps=6))
    steps, samples = runs["input"].shape[:2]
    inputs, *layers = (run.reshape(steps, samples, -1) for run in runs.values())
    trace = golden.run(graph, inputs, time_steps=steps)
    for layer, expected in zip(graph.layers, layers, strict=True):
        np.testing.assert_array_equal(trace.populations[layer.name].spikes, expected)


def test_every_kind_of_layer_becomes_itself():
    convolution, pooled, dense = random_graph(RandomNetwork(architecture="2x8x8-16c3s2g2-a2-10-3")).projections
    assert isinstance(convolution, Convolution)
    assert convolution.weight.shape == (16, 1, 3, 3)
    assert (convolution.stride, convolution.padding, convolution.groups) == ((2, 2), (1, 1), 2)
    assert isinstance(pooled, Dense)
    assert (pooled.pool, pooled.weight.shape) == (2, (10, 64))
    assert isinstance(dense, Dense)
    forward, loop, _ = random_graph(RandomNetwork(architecture="8-6R-3")).projections
    assert (forward.source, forward.delay, loop.source, loop.delay) == ("input", 0, "hidden0", 1)
    *_, skip, _ = random_graph(RandomNetwork(architecture="2x6x6-4c3-4r3-3")).projections
    assert isinstance(skip, Pooling)
    assert (skip.source, skip.target, skip.kernel) == ("hidden0", "hidden2", (1, 1))
    assert (skip.weight > 1).all()


def test_the_seed_decides():
    first, again = (random_graph(RandomNetwork(architecture="16-8-4", seed=5)) for _ in range(2))
    other = random_graph(RandomNetwork(architecture="16-8-4", seed=6))
    assert model_hash(first) == model_hash(again) != model_hash(other)


@pytest.mark.parametrize("bits", range(2, 9))
def test_every_width(bits):
    graph = random_graph(RandomNetwork(architecture="30-20-10", weight_bits=bits))
    verify(graph)
    assert np.abs(graph.projections[0].weight).max() == 2 ** (bits - 1) - 1


def test_binary_weights():
    graph = random_graph(RandomNetwork(architecture="30-20-10", weight_bits=1))
    verify(graph)
    assert set(np.unique(graph.projections[0].weight)) == {-1, 1}


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        ("10", "784-32-10"),
        ("10-x", "'10-x' cannot be built"),
        ("1x4x4-8c9p0-2", "the kernel is larger than its 4 x 4 input"),
        ("65536-65536", "has 4,294,967,296 weights"),
        ("65536-512-2", "has 33,555,456 weights; at most 16,777,216 are drawn"),
    ],
)
def test_refusals(architecture, message):
    with pytest.raises(OptionError, match=re.escape(message)):
        random_graph(RandomNetwork(architecture=architecture))


@pytest.mark.parametrize("architecture", ["1x2048x2048-1c1s2-2", "3x600x600-8c3s2-2"])
def test_a_large_image_takes_little_memory(architecture):
    tracemalloc.start()
    try:
        random_graph(RandomNetwork(architecture=architecture, time_steps=64))
        assert tracemalloc.get_traced_memory()[1] < 2**29
    finally:
        tracemalloc.stop()
