"""From a checkpoint to integers, without hardware in mind."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnc.compiler.design import Options
from snnc.compiler.errors import OptionError
from snnc.compiler.formats import RandomNetwork
from snnc.compiler.formats.student import student_graph
from snnc.compiler.ir import Array, Convolution, Dense, Graph, Pooling, Projection
from snnc.compiler.ir.model import model_hash
from snnc.compiler.passes.normalise import normalised
from snnc.compiler.passes.quantise import quantised
from snnc.compiler.pipeline import begin, integer_network, passes_before, run_passes
from snnc.compiler.targets import find_device
from snnc.sim.models import golden
from tests.compiler.networks import deep_checkpoint
from tests.synapses import synapses


@pytest.mark.parametrize("options", [{}, {"time_steps": 9}, {"weight_bits": 3}, {"time_steps": 1, "weight_bits": 1}])
def test_the_integer_network_is_the_one_that_is_compiled(options, repository):
    student = repository / "examples" / "students" / "digits-64-32-10-int4.pt"
    design = begin(student, find_device("ice40"), Options(**options))
    compiled = run_passes(design, passes_before("bound")).graph
    assert model_hash(integer_network(student, **options)) == model_hash(compiled)


def test_random_networks_are_integer_already():
    assert integer_network(RandomNetwork(architecture="8-4-2"), time_steps=3).time_steps == 3


@pytest.mark.parametrize("steps", [0, 2**17])
def test_time_steps_out_of_range_are_refused(steps, repository):
    student = repository / "examples" / "students" / "digits-64-32-10-int4.pt"
    with pytest.raises(OptionError, match=f"--time-steps is {steps}"):
        integer_network(student, time_steps=steps)


def matrix(graph: Graph, projection: Projection, weight: np.ndarray) -> np.ndarray:
    """`weight`, of any values, as one entry per synapse: ``(target, source)``."""
    numbers = dataclasses.replace(projection, weight=np.arange(weight.size).reshape(weight.shape))
    target, source = graph.population(projection.target), graph.population(projection.source)
    result = np.zeros((target.size, source.size))
    for n in range(target.size):
        for number, m in synapses(graph, numbers, n):
            result[n, m] = weight.reshape(-1)[number]
    return result


def quantised_weight(projection: Dense | Convolution, step: np.ndarray) -> np.ndarray:
    """``w_q = d * w_int``."""
    assert projection.bits is not None
    largest = 2 ** (projection.bits - 1) - 1
    d = step.reshape(-1, *(1,) * (projection.weight.ndim - 1))
    if projection.bits == 1:
        return d * np.where(projection.weight >= 0, 1, -1)
    return d * np.clip(np.rint(projection.weight / d), -largest, largest)


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1), shift=st.integers(0, 4))
def test_integer_currents_are_the_float_students(seed, shift):
    """Whatever spikes arrive, the current is the contract's ``y`` (section 4), rounded to steps of ``k``."""
    plain = deep_checkpoint(seed, shift=shift)
    student = student_graph(plain)
    graph = quantised(normalised(student))
    image = np.random.default_rng(seed).integers(0, 16, (1, graph.input.size))
    trace = golden.run(graph, image, time_steps=3, currents=True)
    emitted = {name: population.spikes[:, 0].astype(float) for name, population in trace.populations.items()}
    emitted["input"] = np.repeat(image, 3, axis=0) / 15
    for layer in student.layers:
        channel = np.arange(layer.size) // (layer.size // layer.channels)
        gain: Array = np.ones(layer.channels)
        outer: Array = np.zeros(layer.channels)
        inner = layer.bias
        if layer.norm is not None:
            gain = layer.norm.gain / np.sqrt(layer.norm.variance + layer.norm.epsilon)
            inner, outer = layer.bias - layer.norm.mean, layer.norm.offset
        k, roundings = np.ones(layer.channels), np.ones((3, layer.size))
        weighted, pooled = np.zeros((3, layer.size)), np.zeros((3, layer.size))
        for projection in student.into(layer.name):
            arriving = np.zeros_like(emitted[projection.source])
            arriving[projection.delay :] = emitted[projection.source][: 3 - projection.delay]
            if isinstance(projection, Pooling):
                pooled += arriving @ matrix(student, projection, projection.weight).T
                roundings += arriving @ matrix(student, projection, np.ones_like(projection.weight)).T
                continue
            step = plain["state"][f"{layer.name}.step"].astype(float)
            weight = matrix(student, projection, quantised_weight(projection, step)) / projection.pool**2
            weighted += arriving @ weight.T
            pixel = 1 / 15 if projection.source == "input" else 1
            k = np.abs(gain * step) * pixel / projection.pool**2 / 2**projection.shift
        y = gain[channel] * (inner[channel] + weighted) + outer[channel] + pooled
        found = trace.populations[layer.name].currents
        assert found is not None
        assert (np.abs(found[:, 0] * k[channel] - y) <= k[channel] * 0.501 * roundings).all()
