"""Normalise and quantise against section 4 of the contract, written out a second time."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnc.compiler.design import Options
from snnc.compiler.errors import FitError
from snnc.compiler.frontend.student import student_graph
from snnc.compiler.ir import Encoding, IntegrateAndFire, Level, verify
from snnc.compiler.passes.normalise import normalise
from snnc.compiler.passes.quantise import quantise, searched_step
from tests.compiler.networks import changed, checkpoint, design_of
from tests.networks import integer_chain


def quantised(plain, options: Options | None = None):
    design = design_of(student_graph(plain), options=options)
    verify(design.graph)
    normal = normalise(design)
    verify(normal.graph)
    assert normal.graph.level is Level.NORMALISED
    assert all(population.norm is None for population in normal.graph.populations)
    result = quantise(normal).graph
    verify(result)
    assert result.level is Level.INTEGER
    return result


def oracle(plain, name: str, unit: float):
    """One layer in Python floats, neuron by neuron: weights, biases, thresholds."""
    entry = next(layer for layer in plain["layers"] if layer["name"] == name)
    get = {key.removeprefix(f"{name}."): value.astype(np.float64) for key, value in plain["state"].items()}
    scale, largest = 2.0 ** entry["fraction_bits"], 2 ** (entry["weight_bits"] - 1) - 1
    rows: list[tuple[list[int], int, int | None]] = []
    for n in range(entry["out_features"]):
        d = get["step"][n % len(get["step"])]
        w = [max(-largest, min(largest, round(x / d))) for x in get["weight"][n]]
        g, b = 1.0, get["bias"][n] if "bias" in get else 0.0
        if "norm.gain" in get:
            g = get["norm.gain"][n] / math.sqrt(get["norm.variance"][n] + get["norm.epsilon"][0])
            b = get["norm.offset"][n] + g * (b - get["norm.mean"][n])
        k = g * d * unit
        if k < 0:
            w, k = [-x for x in w], -k
        if name == "readout":
            rows.append((w, round(b / k), None))
        elif k < 2**-24 * get["threshold"][n]:
            rows.append(([0] * len(w), int(b >= get["threshold"][n] / 2), 1))
        else:
            rows.append((w, round(scale * b / k), max(1, round(scale * get["threshold"][n] / k))))
    return rows


def check(plain, graph) -> None:
    bits = plain["input"]["bits"]
    units = [1 / (2**bits - 1) if plain["input"]["encoding"] == "direct" else 1.0, 1.0]
    for layer, projection, unit in zip(graph.layers, graph.projections, units, strict=True):
        for n, (weight, bias, threshold) in enumerate(oracle(plain, layer.name, unit)):
            assert projection.weight[n].tolist() == weight
            assert layer.bias[n] == bias
            if isinstance(layer.neuron, IntegrateAndFire):
                assert layer.neuron.threshold[n] == threshold


@given(
    seed=st.integers(0, 2**32 - 1),
    norm=st.booleans(),
    direct=st.booleans(),
    bits=st.integers(2, 8),
    shift=st.integers(0, 4),
)
def test_against_the_contract(seed, norm, direct, bits, shift):
    plain = checkpoint(seed, norm=norm)
    plain = changed(changed(plain, "layers/0/weight_bits", bits), "layers/0/fraction_bits", shift)
    if not direct:
        plain = changed(changed(plain, "input/encoding", "events"), "input/bits", 1)
    check(plain, quantised(plain))


def test_ties_go_to_even():
    plain = checkpoint(norm=False)
    plain = changed(plain, "state/readout.step", np.array([0.5], np.float32))
    ties = np.zeros((3, 6), np.float32)
    ties[0] = np.array([0.25, 0.75, 1.25, -0.25, -0.75, 1.75])
    plain = changed(plain, "state/readout.weight", ties)
    plain = changed(plain, "state/readout.bias", np.array([0.25, 0.75, -0.75], np.float32))
    graph = quantised(plain)
    assert graph.projections[1].weight[0].tolist() == [0, 2, 2, 0, -2, 4]
    assert graph.readout.bias.tolist() == [0, 2, -2]


def test_a_negative_gain_turns_the_weights():
    plain = checkpoint(1)
    gain = np.abs(plain["state"]["hidden0.norm.gain"])
    plus = quantised(changed(plain, "state/hidden0.norm.gain", gain)).projections[0].weight
    minus = quantised(changed(plain, "state/hidden0.norm.gain", -gain)).projections[0].weight
    assert np.array_equal(plus, -minus)


@pytest.mark.parametrize("gain", [0.0, 1e-12, -1e-12])
def test_a_dead_channel_becomes_constant(gain):
    plain = changed(checkpoint(), "state/hidden0.norm.gain", np.full(6, gain, np.float32))
    plain = changed(plain, "state/hidden0.norm.offset", np.array([5, -5, 0, 5, 5, 5], np.float32))
    graph = quantised(plain)
    check(plain, graph)
    assert not graph.projections[0].weight.any()
    assert graph.layers[0].bias.tolist() == [1, 0, 0, 1, 1, 1]
    assert graph.layers[0].neuron.threshold.tolist() == [1] * 6


def test_a_float_student_is_quantised_after_training():
    plain = checkpoint(steps=False)
    graph = quantised(plain)
    assert [projection.bits for projection in graph.projections] == [8, 8]
    # Every channel reaches the largest weight, as does the readout as a whole.
    assert (np.abs(graph.projections[0].weight).max(axis=1) == 127).all()
    assert np.abs(graph.projections[1].weight).max() == 127
    graph = quantised(plain, Options(weight_bits=3))
    assert [projection.bits for projection in graph.projections] == [3, 3]
    assert (np.abs(graph.projections[0].weight).max(axis=1) == 3).all()


def test_other_weight_bits_search_their_steps():
    plain = checkpoint()
    graph = quantised(plain, Options(weight_bits=3))
    assert [projection.bits for projection in graph.projections] == [3, 3]
    assert [projection.bits for projection in quantised(plain, Options(weight_bits=4)).projections] == [4, 4]
    check(plain, quantised(plain, Options(weight_bits=4)))


@given(seed=st.integers(0, 1000), bits=st.integers(2, 8), per_tensor=st.booleans())
def test_the_searched_step_is_no_worse_than_clipping_nothing(seed, bits, per_tensor):
    weight = np.random.default_rng(seed).standard_t(3, size=(5, 40))
    largest = 2 ** (bits - 1) - 1

    def error(step):
        return ((weight - step * np.clip(np.rint(weight / step), -largest, largest)) ** 2).sum(axis=1)

    step = searched_step(weight, bits, per_tensor=per_tensor)
    full = np.abs(weight).max(axis=None if per_tensor else 1) / largest
    found, plain = error(step[:, None]), error(np.broadcast_to(full, 5)[:, None])
    assert found.sum() <= plain.sum() + 1e-9
    assert step.shape == ((1,) if per_tensor else (5,))


def test_zero_weights_have_a_step():
    plain = changed(checkpoint(steps=False), "state/hidden0.weight", np.zeros((6, 12), np.float32))
    assert not quantised(plain).projections[0].weight.any()
    assert (searched_step(np.zeros((2, 3)), 4, per_tensor=False) > 0).all()


def test_an_integer_beyond_any_accumulator_is_refused():
    plain = changed(checkpoint(norm=False), "state/hidden0.bias", np.full(6, 1e30, np.float32))
    with pytest.raises(FitError, match="a bias of layer 'hidden0'"):
        quantised(plain)


def test_an_integer_network_passes_unchanged():
    graph = integer_chain([[[1, -1]], [[1]]], [[2]], encoding=Encoding.DIRECT)
    design = design_of(graph)
    assert quantise(normalise(design)).graph is graph
    assert dataclasses.replace(design, graph=graph).graph is graph
