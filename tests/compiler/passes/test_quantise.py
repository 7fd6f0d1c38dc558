"""Normalise and quantise against section 4 of the contract, written out a second time."""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnc.compiler.design import Options
from snnc.compiler.errors import FitError, UnsupportedError
from snnc.compiler.formats.student import student_graph
from snnc.compiler.ir import (
    Comparison,
    Convolution,
    Dense,
    Encoding,
    IntegrateAndFire,
    Level,
    Pooling,
    Reset,
    verify,
)
from snnc.compiler.passes.normalise import normalise
from snnc.compiler.passes.quantise import quantise, searched_step
from tests.compiler.networks import changed, checkpoint, deep_checkpoint, design_of
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


def oracle(plain, name: str):
    """One layer in Python floats, channel by channel: weights per projection, bias, threshold."""
    entries = {layer["name"]: layer for layer in plain["layers"]}
    entry = entries[name]
    get = {key.removeprefix(f"{name}."): value.astype(np.float64) for key, value in plain["state"].items()}
    scale, channels = 2.0 ** entry["fraction_bits"], entry["shape"][0]
    direct, pixel = plain["input"]["encoding"] == "direct", 2 ** plain["input"]["bits"] - 1
    projections = list(enumerate(entry["projections"]))
    channel_rows: list[tuple[list[list[int]], int, int | None]] = []
    for n in range(channels):
        g, b = 1.0, get["bias"][n] if "bias" in get else 0.0
        if "norm.gain" in get:
            g = get["norm.gain"][n] / math.sqrt(get["norm.variance"][n] + get["norm.epsilon"][0])
            b = get["norm.offset"][n] + g * (b - get["norm.mean"][n])
        k, constant = 1.0, False
        for _, projection in projections:
            if projection["kind"] != "pooling":
                unit = 1 / pixel if direct and projection["source"] == "input" else 1.0
                k = g * get["step"][n % len(get["step"])] * (unit / projection["pool"] ** 2)
        rows_of_steps = [row_of_steps(entry, get, j, n) for j, item in projections if item["kind"] != "pooling"]
        pooled = len(rows_of_steps) < len(projections)
        if name != "readout" and rows_of_steps:
            constant = not any(map(any, rows_of_steps)) or abs(k) < 2**-24 * get["threshold"][n]
        theta, leak = get["threshold"][n] if name != "readout" else 1.0, entry["neuron"].get("leak_shift")
        resolution = 2 ** min(16, 8 + (leak or 0))
        weights = []
        for position, projection in projections:
            rows = get[f"{position}.weight"]
            row = rows.reshape(channels, -1)[n]
            if constant and projection["kind"] == "pooling":
                weights.append([round(resolution * x / theta) for x in row])
            elif constant:
                weights.append([0] * len(row))
            elif projection["kind"] == "pooling":
                weights.append([round(scale * x / abs(k)) for x in row])
            elif projection["weight_bits"] == 1:
                weights.append([(1 if x >= 0 else -1) * (-1 if k < 0 else 1) for x in row])
            else:
                largest, d = 2 ** (projection["weight_bits"] - 1) - 1, get["step"][n % len(get["step"])]
                clipped = [max(-largest, min(largest, round(x / d))) for x in row]
                weights.append([-x for x in clipped] if k < 0 else clipped)
        k = abs(k)
        if name == "readout":
            channel_rows.append((weights, round(b / k), None))
        elif constant:
            if leak is None and not pooled:
                ratio = min(1.0, max(0.0, b / theta))
                below = [Fraction(math.floor(ratio * q), q) for q in range(1, 257)]
                best = max(below)
                drive, limit = 2 * best.numerator, 2 * best.denominator
            else:
                drive = round(resolution * (b if pooled else min(theta, max(0.0, b))) / theta)
                limit = resolution
            channel_rows.append((weights, drive, limit))
        else:
            channel_rows.append((weights, round(scale * b / k), max(1, round(scale * get["threshold"][n] / k))))
    return channel_rows


def row_of_steps(entry, get, position: int, n: int) -> list[int]:
    """The integer weights of a channel before they are clipped and get their sign."""
    row = get[f"{position}.weight"].reshape(entry["shape"][0], -1)[n]
    if entry["projections"][position]["weight_bits"] == 1:
        return [1] * len(row)
    return [round(x / get["step"][n % len(get["step"])]) for x in row]


def check(plain, graph) -> None:
    for layer in graph.layers:
        into = graph.into(layer.name)
        for n, (weights, bias, threshold) in enumerate(oracle(plain, layer.name)):
            assert len(weights) == len(into)
            for projection, weight in zip(into, weights, strict=True):
                assert projection.weight.reshape(layer.channels, -1)[n].tolist() == weight
            assert layer.bias[n] == bias
            if isinstance(layer.neuron, IntegrateAndFire):
                assert layer.neuron.threshold[n] == threshold


@given(
    seed=st.integers(0, 2**32 - 1),
    norm=st.booleans(),
    direct=st.booleans(),
    bits=st.integers(1, 8),
    shift=st.integers(0, 4),
)
def test_against_the_contract(seed, norm, direct, bits, shift):
    plain = checkpoint(seed, norm=norm)
    plain = changed(changed(plain, "layers/0/projections/0/weight_bits", bits), "layers/0/fraction_bits", shift)
    if not direct:
        plain = changed(changed(plain, "input/encoding", "events"), "input/bits", 1)
    check(plain, quantised(plain))


@given(seed=st.integers(0, 2**32 - 1), bits=st.integers(1, 8), shift=st.integers(0, 4), direct=st.booleans())
def test_every_kind_of_layer_against_the_contract(seed, bits, shift, direct):
    plain = deep_checkpoint(seed, bits=bits, shift=shift)
    if not direct:
        plain = changed(changed(plain, "input/encoding", "rate"), "input/bits", 3)
    graph = quantised(plain)
    check(plain, graph)
    assert [layer.neuron.leak_shift for layer in graph.layers[:-1]] == [None, 2, None, None, None]
    assert [(type(item), item.delay, item.shift) for item in graph.projections] == [
        *((Convolution, 0, shift), (Convolution, 0, shift), (Pooling, 0, 0), (Pooling, 0, 0)),
        *((Dense, 0, shift), (Dense, 1, shift), (Convolution, 0, shift), (Dense, 0, 0), (Dense, 0, 0)),
    ]


@given(seed=st.integers(0, 2**32 - 1))
def test_neurons_of_one_channel_share_its_step(seed):
    """A dense layer of 3 channels with 2 neurons each."""
    plain = changed(checkpoint(seed), "layers/0/shape", [3, 1, 2])
    for key in [key for key in plain["state"] if key.startswith("hidden0") and plain["state"][key].shape == (6,)]:
        plain = changed(plain, f"state/{key}", plain["state"][key][:3])
    check(plain, quantised(plain))


def test_a_shift_of_pooling_is_refused():
    graph = normalise(design_of(student_graph(deep_checkpoint()))).graph
    shifted = [dataclasses.replace(item, shift=1) if isinstance(item, Pooling) else item for item in graph.projections]
    with pytest.raises(UnsupportedError, match="a shift of 1 on the pooling from 'conv1' to 'conv2'"):
        quantise(design_of(dataclasses.replace(graph, projections=tuple(shifted))))


def test_a_constant_channel_keeps_its_residual():
    plain = changed(deep_checkpoint(), "state/conv2.norm.gain", np.array([1, 0, 1, -1], np.float32))
    graph = quantised(plain)
    check(plain, graph)
    assert not graph.projections[1].weight[1].any()
    assert (graph.projections[2].weight > 0).all()


def test_a_max_pooling_keeps_its_numbers():
    graph = quantised(deep_checkpoint())
    layer = graph.population("max3")
    assert graph.into("max3")[0].weight.tolist() == layer.neuron.threshold.tolist() == [1] * 4
    assert layer.bias.tolist() == [0] * 4


def test_minus_zero_is_plus_one():
    plain = changed(checkpoint(norm=False), "layers/1/projections/0/weight_bits", 1)
    plain = changed(plain, "state/readout.0.weight", np.array([[-0.0, 0, 1, -1, 1e-30, -1e-30]] * 3, np.float32))
    assert quantised(plain).projections[1].weight[0].tolist() == [1, 1, 1, -1, 1, -1]


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("layers/5/projections/0/source", "input", "both sums need one integer step"),
        ("layers/1/projections/1/source", "input", "A pixel has no exact integer in the pooling from 'input'"),
        ("state/max3.0.weight", np.full(4, 0.25, np.float32), "weights of the pooling from 'conv2' to 'max3' are not"),
        ("state/max3.threshold", np.full(4, 0.5, np.float32), "thresholds of layer 'max3' are not whole"),
        ("state/max3.bias", np.full(4, 0.5, np.float32), "biases of layer 'max3' are not whole"),
    ],
)
def test_what_has_no_common_step_is_refused(path, value, named):
    plain = deep_checkpoint()
    if path.startswith("layers/5"):
        plain = changed(plain, "state/readout.0.weight", np.ones((3, 36), np.float32))
    if path.startswith("layers/1"):
        plain = changed(plain, "input/shape", [4, 6, 6])
        plain = changed(plain, "state/conv1.0.weight", np.ones((4, 4, 3, 3), np.float32))
    with pytest.raises(UnsupportedError) as caught:
        quantised(changed(plain, path, value))
    assert named in str(caught.value)


def test_different_pools_into_one_layer_are_refused():
    plain = deep_checkpoint()
    plain["layers"][5]["projections"][1] |= {"source": "conv2", "pool": 3}
    plain["state"]["readout.1.weight"] = np.ones((3, 16), np.float32)
    with pytest.raises(UnsupportedError, match=r"from 'conv2' stands for 0\.111111, from 'rec4' for 1; both"):
        quantised(plain)


@pytest.mark.parametrize("bits", [None, 1, 2, 5])
def test_several_projections_share_a_step_after_training(bits):
    plain = deep_checkpoint(bits=None)
    graph = quantised(plain, Options(weight_bits=bits))
    first, loop = graph.into("rec4")
    assert isinstance(first, Dense)
    assert isinstance(loop, Dense)
    assert first.bits == loop.bits == (bits or 8)
    if bits == 1:
        assert set(np.unique(first.weight)) == {-1, 1}
        return
    largest = 2 ** ((bits or 8) - 1) - 1
    both = np.concatenate([first.weight, loop.weight], axis=1)
    real = np.concatenate([plain["state"][f"rec4.{position}.weight"] for position in (0, 1)], axis=1)
    assert (np.abs(both).max(axis=1) == largest).all()
    expected = np.rint(real / (np.abs(real).max(axis=1, keepdims=True) / largest))
    assert np.abs(both - expected).max() <= 1
    assert (both == expected).mean() > 0.99


def test_binary_weights_after_training_have_the_mean_magnitude():
    plain = checkpoint(steps=False, norm=False)
    graph = quantised(plain, Options(weight_bits=1))
    weight = plain["state"]["hidden0.0.weight"].astype(np.float64)
    k = np.abs(weight).mean(axis=1) / 15
    assert (
        graph.layers[0].neuron.threshold.tolist()
        == np.rint(2 * plain["state"]["hidden0.threshold"].astype(np.float64) / k).tolist()
    )


def test_ties_go_to_even():
    plain = checkpoint(norm=False)
    plain = changed(plain, "state/readout.step", np.array([0.5], np.float32))
    ties = np.zeros((3, 6), np.float32)
    ties[0] = np.array([0.25, 0.75, 1.25, -0.25, -0.75, 1.75])
    plain = changed(plain, "state/readout.0.weight", ties)
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
    assert graph.layers[0].bias.tolist() == [2, 0, 0, 2, 2, 2]
    assert graph.layers[0].neuron.threshold.tolist() == [2] * 6


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


@pytest.mark.parametrize(("leak", "margin", "left"), [(None, 1, 1), (1, 2, 1), (3, 4, 4)])
@pytest.mark.parametrize("reset", Reset)
def test_what_fires_above_its_threshold_has_a_margin(leak, margin, left, reset):
    """At most the steps of a run, 4; what a soft reset subtracts too much of, a neuron that hears itself gets back."""
    design = normalise(design_of(student_graph(checkpoint(norm=False))))
    hidden = design.graph.layers[0]
    neuron = dataclasses.replace(hidden.neuron, leak_shift=leak, reset=reset)
    own = Pooling(
        source=hidden.name, target=hidden.name, weight=np.full(6, -0.5), kernel=(1, 1), stride=(1, 1), delay=1
    )

    def integers(comparison):
        changed_layer = dataclasses.replace(hidden, neuron=dataclasses.replace(neuron, comparison=comparison))
        populations = (design.graph.input, changed_layer, design.graph.readout)
        first, *others = design.graph.projections
        graph = dataclasses.replace(design.graph, populations=populations, projections=(first, own, *others))
        return quantise(dataclasses.replace(design, graph=graph)).graph

    plain, above = integers(Comparison.AT_LEAST), integers(Comparison.ABOVE)
    assert (above.layers[0].neuron.threshold - plain.layers[0].neuron.threshold).tolist() == [margin] * 6
    returned = above.projections[1].weight - plain.projections[1].weight
    assert returned.tolist() == [left if reset is Reset.SOFT else 0] * 6


@pytest.mark.parametrize("leak", [None, 2])
def test_what_a_neuron_that_only_a_drive_moves_subtracts(leak):
    """Without a leak it has the rhythm of its threshold; a leaking one keeps its ratio of the threshold, at least 1."""
    plain = changed(checkpoint(norm=False, steps=False), "state/hidden0.0.weight", np.zeros((6, 12), np.float32))
    design = normalise(design_of(student_graph(plain)))
    hidden = design.graph.layers[0]
    assert isinstance(hidden.neuron, IntegrateAndFire)
    ratio = np.array([0.25, 0.5, 0.75, 1.0, 1.5, 1e-9])
    neuron = dataclasses.replace(
        hidden.neuron, leak_shift=leak, reset=Reset.SOFT, subtracted=hidden.neuron.threshold * ratio
    )
    populations = (design.graph.input, dataclasses.replace(hidden, neuron=neuron), design.graph.readout)
    graph = dataclasses.replace(design.graph, populations=populations)
    found = quantise(dataclasses.replace(design, graph=graph)).graph.layers[0].neuron
    assert isinstance(found, IntegrateAndFire)
    wanted = found.threshold if leak is None else np.maximum(1, np.rint(found.threshold * ratio))
    assert found.subtracted is not None
    assert found.subtracted.tolist() == wanted.tolist()


def test_zero_weights_have_no_step_of_their_own():
    plain = changed(checkpoint(steps=False), "state/hidden0.0.weight", np.zeros((6, 12), np.float32))
    with np.errstate(all="raise"):
        assert not quantised(plain).projections[0].weight.any()
    assert not searched_step(np.zeros((2, 3)), 4, per_tensor=False).any()


def test_an_integer_beyond_any_accumulator_is_refused():
    plain = changed(checkpoint(norm=False), "state/hidden0.bias", np.full(6, 1e30, np.float32))
    with pytest.raises(FitError, match="a bias of layer 'hidden0'"):
        quantised(plain)


def test_an_integer_network_passes_unchanged():
    graph = integer_chain([[[1, -1]], [[1]]], [[2]], encoding=Encoding.DIRECT)
    design = design_of(graph)
    assert quantise(normalise(design)).graph is graph
    assert dataclasses.replace(design, graph=graph).graph is graph
