"""Random networks: reproducible, sound, and alive."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from snnc.compiler.errors import OptionError
from snnc.compiler.frontend.random_network import RandomNetwork, parse_shape, random_graph
from snnc.compiler.ir import Encoding, verify
from snnc.compiler.model import model_hash
from snnc.sim import golden


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("sizes", [(64, 32, 10), (100, 40, 30, 5), (784, 32, 10)], ids=str)
def test_hidden_layers_fire_at_10_to_30_percent(encoding, sizes):
    """On inputs that the calibration has not seen."""
    network = RandomNetwork(sizes=sizes, encoding=encoding, time_steps=10, seed=3)
    graph = random_graph(network)
    verify(graph)
    generator = np.random.default_rng(99)
    inputs: Any
    if encoding is Encoding.DIRECT:
        inputs = generator.integers(1, 16, (50, sizes[0])) * (generator.random((50, sizes[0])) < network.density)
    else:
        inputs = generator.random((10, 50, sizes[0])) < network.density
    trace = golden.run(graph, inputs, time_steps=10)
    for layer in graph.layers[:-1]:
        assert 0.1 <= trace.populations[layer.name].spikes.mean() <= 0.3


def test_the_seed_decides():
    first, again = (random_graph(RandomNetwork(sizes=(16, 8, 4), seed=5)) for _ in range(2))
    other = random_graph(RandomNetwork(sizes=(16, 8, 4), seed=6))
    assert model_hash(first) == model_hash(again) != model_hash(other)


@pytest.mark.parametrize("bits", range(2, 9))
def test_every_width(bits):
    graph = random_graph(RandomNetwork(sizes=(30, 20, 10), weight_bits=bits))
    verify(graph)
    assert np.abs(graph.projections[0].weight).max() == 2 ** (bits - 1) - 1


def test_binary_weights():
    graph = random_graph(RandomNetwork(sizes=(30, 20, 10), weight_bits=1))
    verify(graph)
    assert set(np.unique(graph.projections[0].weight)) == {-1, 1}


def test_shapes():
    assert parse_shape("784-128-10") == (784, 128, 10)
    assert parse_shape("2-1") == (2, 1)
    for text in ("", "10", "10-", "-10", "10-x", "0-10", "10--3", "10-99999999", "١-2", "1-" + "9" * 5000):
        with pytest.raises(OptionError, match="784-128-10"):
            parse_shape(text)
    with pytest.raises(OptionError, match="has 4,294,967,296 weights"):
        parse_shape("65536-65536")
