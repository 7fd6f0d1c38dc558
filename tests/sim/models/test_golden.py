"""The golden model against a naive oracle in Python integers, written a second time from docs/semantics.md."""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnc.compiler.errors import CheckpointError, DataError, FitError, OptionError
from snnc.compiler.ir import (
    Convolution,
    Dense,
    Encoding,
    Exit,
    Graph,
    Initial,
    InputSource,
    IntegrateAndFire,
    Level,
    Pooling,
    Population,
    Projection,
    Readout,
    Reset,
    Shape,
    target_shape,
)
from snnc.sim.models import convolving, golden
from snnc.sim.models.synapses import WeightedSum
from tests.networks import random_chain
from tests.strategies import STEPS, integer_networks, integers
from tests.synapses import synapses


def oracle(graph: Graph, inputs: np.ndarray, steps: int) -> dict[str, tuple[list, list, list]]:
    """Spikes, membranes and currents by name, each ``[sample][time][neuron]``, for inputs as the golden model's."""
    direct = graph.source.encoding is Encoding.DIRECT
    result: dict[str, tuple[list, list, list]] = {layer.name: ([], [], []) for layer in graph.layers}
    for sample in range(len(inputs) if direct else inputs.shape[1]):
        emitted: dict[str, list[list[int]]] = {population.name: [] for population in graph.populations}
        membrane: dict[str, list[int]] = {}
        histories: dict[str, tuple[list, list]] = {layer.name: ([], []) for layer in graph.layers}
        for t in range(steps):
            emitted[graph.input.name].append([int(x) for x in (inputs[sample] if direct else inputs[t, sample])])
            for layer in graph.layers:
                model, spatial = layer.neuron, layer.shape[1] * layer.shape[2]
                spikes, after, currents = [], [], []
                for n in range(layer.size):
                    c = n // spatial
                    current = int(layer.bias[c])
                    for projection in graph.projections:
                        if projection.target == layer.name and t - projection.delay >= 0:
                            arriving = emitted[projection.source][t - projection.delay]
                            total = sum(weight * arriving[m] for weight, m in synapses(graph, projection, n))
                            current += total * 2**projection.shift
                    currents.append(current)
                    if isinstance(model, Readout):
                        v = membrane[layer.name][n] if t else 0
                        if model.leak_shift is not None:
                            v -= v // 2**model.leak_shift
                        after.append(v + current)
                        continue
                    assert isinstance(model, IntegrateAndFire)
                    threshold = int(model.threshold[c])
                    if t:
                        v = membrane[layer.name][n]
                    else:
                        v = threshold // 2 if model.initial is Initial.HALF else 0
                    if model.leak_shift is not None:
                        v -= v // 2**model.leak_shift
                    u = v + current
                    spikes.append(1 if u >= threshold else 0)
                    if u >= threshold:
                        taken = threshold if model.subtracted is None else int(model.subtracted[c])
                        u = 0 if model.reset is Reset.HARD else u - taken
                    if model.floor is not None and u < int(model.floor[c]):
                        u = int(model.floor[c])
                    after.append(u)
                membrane[layer.name] = after
                emitted[layer.name].append(spikes)
                histories[layer.name][0].append(after)
                histories[layer.name][1].append(currents)
        for layer in graph.layers:
            result[layer.name][0].append(emitted[layer.name])
            result[layer.name][1].append(histories[layer.name][0])
            result[layer.name][2].append(histories[layer.name][1])
    return result


def steps_taken(graph: Graph, logits: list[list[int]]) -> int:
    """Of a sample with these logits after each step."""
    for n, values in enumerate(logits[:-1], start=1):
        if graph.exit is not None and n in graph.exit.steps:
            best = values.index(max(values))
            if all(values[best] - other >= graph.exit.margin for k, other in enumerate(values) if k != best):
                return n
    return len(logits)


def random_inputs(graph: Graph, steps: int, batch: int, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    if graph.source.encoding is Encoding.DIRECT:
        return integers(0, 2**graph.source.bits - 1, (batch, graph.input.size), generator)
    return generator.random((steps, batch, graph.input.size)) < generator.random()


@settings(max_examples=300)
@given(graph=integer_networks(), steps=st.integers(1, STEPS), batch=st.integers(1, 3), seed=st.integers(0, 2**32 - 1))
def test_every_spike_membrane_and_current_is_the_oracles(graph: Graph, steps: int, batch: int, seed: int) -> None:
    inputs = random_inputs(graph, steps, batch, seed)
    trace = golden.run(graph, inputs, time_steps=steps, currents=True)
    expected = oracle(graph, inputs, steps)
    assert list(trace.populations) == [layer.name for layer in graph.layers]
    for name, (spikes, membranes, currents) in expected.items():
        got = trace.populations[name]
        assert got.spikes.shape == got.membranes.shape == (steps, batch, graph.population(name).size)
        assert got.currents is not None
        np.testing.assert_array_equal(got.membranes.swapaxes(0, 1), membranes)
        np.testing.assert_array_equal(got.currents.swapaxes(0, 1), currents)
        if name != "readout":
            np.testing.assert_array_equal(got.spikes.swapaxes(0, 1), spikes)
    assert not trace.populations["readout"].spikes.any()
    taken = [steps_taken(graph, sample) for sample in expected["readout"][1]]
    assert trace.steps.tolist() == taken
    logits = [sample[n - 1] for n, sample in zip(taken, expected["readout"][1], strict=True)]
    np.testing.assert_array_equal(trace.logits, logits)
    assert trace.classes.tolist() == [sample.index(max(sample)) for sample in logits]

    direct = graph.source.encoding is Encoding.DIRECT
    for projection, operations in zip(graph.projections, trace.synaptic_operations, strict=True):
        for sample in range(batch):
            if projection.source == "input":
                emitted = [inputs[sample]] if direct else list(inputs[:, sample])
            else:
                emitted = expected[projection.source][0][sample]
            emitted = emitted[: max(0, taken[sample] - projection.delay)]
            reached = Counter(
                m for n in range(graph.population(projection.target).size) for _, m in synapses(graph, projection, n)
            )
            counted = sum(reached[int(m)] for values in emitted for m in np.flatnonzero(values))
            assert operations[sample] == counted


def chain(
    neuron: IntegrateAndFire,
    *,
    encoding: Encoding = Encoding.EVENTS,
    bits: int = 1,
    weight: int = 1,
    bias: int = 0,
    **fields,
) -> Graph:
    """One input, one neuron, one readout neuron of weight 1."""
    zero = np.zeros(1, dtype=np.int64)
    one = np.ones((1, 1), dtype=np.int64)
    return Graph(
        name="tiny",
        level=Level.INTEGER,
        populations=(
            Population(name="input", shape=(1, 1, 1), neuron=InputSource(encoding=encoding, bits=bits), bias=zero),
            Population(name="hidden", shape=(1, 1, 1), neuron=neuron, bias=zero + bias),
            Population(name="readout", shape=(1, 1, 1), neuron=Readout(), bias=zero),
        ),
        projections=(
            Dense(source="input", target="hidden", weight=weight * one, bits=8, **fields),
            Dense(source="hidden", target="readout", weight=one, bits=2),
        ),
        time_steps=STEPS,
    )


def membranes(graph: Graph, spikes: list[int]) -> tuple[list[int], list[int]]:
    trace = golden.run(graph, np.array(spikes).reshape(-1, 1, 1), time_steps=len(spikes))
    hidden = trace.populations["hidden"]
    return hidden.membranes.reshape(-1).tolist(), hidden.spikes.reshape(-1).astype(int).tolist()


def fire(threshold: int, **fields) -> IntegrateAndFire:
    return IntegrateAndFire(threshold=np.array([threshold], dtype=np.int64), **fields)


@pytest.mark.parametrize(
    ("graph", "expected_membranes", "expected_spikes"),
    [
        pytest.param(chain(fire(5), weight=3), [3, 1, 4, 2], [0, 1, 0, 1], id="soft reset keeps the rest"),
        pytest.param(chain(fire(5, reset=Reset.HARD), weight=3), [3, 0, 3, 0], [0, 1, 0, 1], id="hard reset"),
        pytest.param(chain(fire(3), weight=3), [0, 0, 0, 0], [1, 1, 1, 1], id="the threshold itself fires"),
        pytest.param(
            chain(fire(5, initial=Initial.HALF), weight=3), [0, 3, 1, 4], [1, 0, 1, 0], id="half rounds down"
        ),
        pytest.param(chain(fire(9, leak_shift=1), weight=-3), [-3, -4, -5, -5], [0] * 4, id="leak rounds down"),
        pytest.param(chain(fire(2), weight=5), [3, 6, 9, 12], [1, 1, 1, 1], id="one spike a step at most"),
        pytest.param(
            chain(fire(9, floor=np.array([-4])), weight=-3), [-3, -4, -4, -4], [0] * 4, id="floor clamps each step"
        ),
        pytest.param(
            chain(fire(2, reset=Reset.HARD, floor=np.array([1])), weight=1), [1, 1, 1, 1], [0, 1, 1, 1],
            id="floor comes after the reset",
        ),
        pytest.param(chain(fire(9), weight=1, delay=2), [0, 0, 1, 2], [0] * 4, id="a delay starts silent"),
        pytest.param(
            chain(fire(99), weight=3, shift=2, bias=1), [13, 26, 39, 52], [0] * 4, id="the bias is not shifted"
        ),
    ],
)  # fmt: skip
def test_by_hand(graph: Graph, expected_membranes: list[int], expected_spikes: list[int]) -> None:
    assert membranes(graph, [1, 1, 1, 1]) == (expected_membranes, expected_spikes)


def test_bias_of_the_readout_counts_once_per_step_and_a_tie_goes_to_the_lowest_index() -> None:
    graph = chain(fire(100))
    readout = Population(name="readout", shape=(3, 1, 1), neuron=Readout(), bias=np.array([1, 2, 2], dtype=np.int64))
    outputs = Dense(source="hidden", target="readout", weight=np.ones((3, 1), dtype=np.int64), bits=2)
    graph = dataclasses.replace(
        graph, populations=(*graph.populations[:2], readout), projections=(graph.projections[0], outputs)
    )
    trace = golden.run(graph, np.zeros((4, 1, 1), dtype=np.int64), time_steps=4)
    assert trace.logits.tolist() == [[4, 8, 8]]
    assert trace.classes.tolist() == [1]


@pytest.mark.parametrize("bits", [8, 20, 30, 50])
def test_sums_are_exact_in_every_arithmetic(bits: int) -> None:
    """Odd sums just below and above 2^24 and 2^53, which the next narrower float would round."""
    graph = chain(fire(2**59), encoding=Encoding.DIRECT, bits=bits, weight=127)
    source = dataclasses.replace(graph.input, shape=(3, 1, 1), bias=np.zeros(3, dtype=np.int64))
    first = dataclasses.replace(graph.projections[0], weight=np.array([[127, -127, 1]], dtype=np.int64))
    graph = dataclasses.replace(
        graph, populations=(source, *graph.populations[1:]), projections=(first, graph.projections[1])
    )
    x = 2**bits - 1
    trace = golden.run(graph, np.array([[x, 0, x], [x, x - 1, 0], [x, x, 1]]), time_steps=2)
    assert trace.populations["hidden"].membranes[1].reshape(-1).tolist() == [256 * x, 254, 2]


def test_arithmetic_is_the_fastest_that_is_exact() -> None:
    """The largest partial sum is what decides: 2^24 - 1 is exact in float32, 2^24 need not be."""
    for bits, weights, kind in [
        (8, [127], np.float32),
        (24, [1], np.float32),
        (24, [1, -1], np.float64),
        (46, [127], np.float64),
        (47, [127], np.int64),
    ]:
        graph = chain(fire(1), encoding=Encoding.DIRECT, bits=bits)
        source = dataclasses.replace(graph.input, shape=(len(weights), 1, 1), bias=np.zeros(len(weights), np.int64))
        first = dataclasses.replace(graph.projections[0], weight=np.array([weights], dtype=np.int64))
        graph = dataclasses.replace(graph, populations=(source, *graph.populations[1:]))
        assert WeightedSum(graph, first).weight.dtype == kind


@pytest.mark.parametrize("bits", [5, 6, 7, 8, 21, 22, 23, 24, 25])
@pytest.mark.parametrize("threshold", [1, 2**13, 2**15, 2**29, 2**31, 2**33])
def test_membranes_are_exact_around_16_and_32_bits(bits: int, threshold: int) -> None:
    """Only what a whole run proves to stay below 2^14 is computed in 16 bits, or below 2^30 in 32."""
    graph = chain(fire(threshold), encoding=Encoding.DIRECT, bits=bits, weight=127)
    current = 127 * (2**bits - 1)
    trace = golden.run(graph, np.array([[2**bits - 1]]), time_steps=4)
    membrane, expected = 0, []
    for _ in range(4):
        membrane += current
        membrane -= threshold if membrane >= threshold else 0
        expected.append(membrane)
    assert trace.populations["hidden"].membranes.reshape(-1).tolist() == expected
    assert trace.populations["hidden"].membranes.dtype == np.int64


def chain_of(projection: Projection, shape: Shape, neuron: IntegrateAndFire, **fields) -> Graph:
    """Events of a shape through one projection into a population of one channel, which the readout hears as it is."""
    reached = target_shape(projection, shape)
    assert reached is not None
    zero = np.zeros(1, dtype=np.int64)
    outputs = reached[0] * reached[1] * reached[2]
    source = InputSource(encoding=fields.pop("encoding", Encoding.EVENTS), bits=fields.pop("bits", 1))
    return Graph(
        name="tiny",
        level=Level.INTEGER,
        populations=(
            Population(name="input", shape=shape, neuron=source, bias=np.zeros(shape[0], np.int64)),
            Population(name="hidden", shape=reached, neuron=neuron, bias=zero),
            Population(name="readout", shape=(outputs, 1, 1), neuron=Readout(), bias=np.zeros(outputs, np.int64)),
        ),
        projections=(
            projection,
            Dense(source="hidden", target="readout", weight=np.eye(outputs, dtype=np.int64), bits=2),
        ),
        time_steps=STEPS,
    )


def test_a_max_pooling_is_the_or_of_its_window_and_holds_nothing() -> None:
    one = np.ones(1, dtype=np.int64)
    pooling = Pooling(source="input", target="hidden", weight=one, kernel=(2, 2), stride=(2, 2))
    graph = chain_of(pooling, (1, 4, 4), fire(1, reset=Reset.HARD))
    spikes = np.random.default_rng(0).random((4, 50, 16)) < 0.2
    trace = golden.run(graph, spikes, time_steps=4)
    windows = spikes.reshape(4, 50, 2, 2, 2, 2).any(axis=(3, 5)).reshape(4, 50, 4)
    np.testing.assert_array_equal(trace.populations["hidden"].spikes, windows)
    assert not trace.populations["hidden"].membranes.any()
    # Each of its inputs reaches one neuron.
    np.testing.assert_array_equal(trace.synaptic_operations[0], np.count_nonzero(spikes, axis=(0, 2)))


def test_borders_of_a_convolution_have_fewer_synapses() -> None:
    """A 3 x 3 kernel with padding on 3 x 3: a corner reaches 4 neurons per channel, an edge 6, the middle 9."""
    weight = np.ones((2, 1, 3, 3), dtype=np.int64)
    convolution = Convolution(source="input", target="hidden", weight=weight, padding=(1, 1), bits=4)
    graph = chain_of(convolution, (1, 3, 3), fire(99))
    hidden = dataclasses.replace(
        graph.population("hidden"),
        bias=np.zeros(2, np.int64),
        neuron=IntegrateAndFire(threshold=np.full(2, 99, np.int64)),
    )
    graph = dataclasses.replace(graph, populations=(graph.input, hidden, graph.readout))
    spikes = np.eye(9, dtype=np.int64)[None]
    trace = golden.run(graph, spikes, time_steps=1)
    assert trace.synaptic_operations[0].tolist() == [8, 12, 8, 12, 18, 12, 8, 12, 8]
    assert trace.populations["hidden"].membranes.sum(axis=(0, 2)).tolist() == [8, 12, 8, 12, 18, 12, 8, 12, 8]


@pytest.mark.parametrize("piece", [1, 300])
def test_a_convolution_in_pieces_is_the_same(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    weight = integers(-7, 7, (1, 3, 3, 3), np.random.default_rng(0))
    convolution = Convolution(source="input", target="hidden", weight=weight, padding=(1, 1), bits=4)
    graph = chain_of(convolution, (3, 5, 5), fire(9))
    inputs = random_inputs(graph, 3, 7, seed=0)
    whole = golden.run(graph, inputs, time_steps=3)
    monkeypatch.setattr(convolving, "_PIECE", piece)
    pieces = golden.run(graph, inputs, time_steps=3)
    np.testing.assert_array_equal(pieces.populations["hidden"].membranes, whole.populations["hidden"].membranes)


def test_windows_count_in_the_choice_of_arithmetic() -> None:
    """255 * 127 * 23 * 23 is beyond 2^24, 22 * 22 is not; and the sums are right on both sides."""
    for pool, kind in [(22, np.float32), (23, np.float64)]:
        weight = np.full((1, 1, 1, 1), 127, dtype=np.int64)
        convolution = Convolution(source="input", target="hidden", weight=weight, bits=8, pool=pool)
        graph = chain_of(convolution, (1, pool, pool), fire(2**40), encoding=Encoding.DIRECT, bits=8)
        assert WeightedSum(graph, convolution).weight.dtype == kind
        image = np.full((1, pool * pool), 255)
        image[0, 0] = 254
        trace = golden.run(graph, image, time_steps=1)
        assert trace.populations["hidden"].membranes.reshape(-1).tolist() == [127 * (255 * pool * pool - 1)]


@pytest.mark.parametrize("encoding", Encoding)
def test_membranes_may_be_left_out(encoding: Encoding) -> None:
    graph = chain(fire(3), encoding=encoding, bits=2 if encoding is Encoding.DIRECT else 1, weight=2)
    inputs = random_inputs(graph, 4, 7, seed=1)
    whole, bare = (golden.run(graph, inputs, time_steps=4, membranes=keep) for keep in (True, False))
    assert bare.populations["hidden"].membranes.shape == (0, 7, 1)
    np.testing.assert_array_equal(bare.logits, whole.logits)
    np.testing.assert_array_equal(bare.populations["hidden"].spikes, whole.populations["hidden"].spikes)
    ((_, trace),) = golden.run_batches(graph, inputs, time_steps=4, membranes=False)
    np.testing.assert_array_equal(trace.logits, whole.logits)


def test_batches_of_large_networks_are_small(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = chain(fire(3))
    inputs = random_inputs(graph, 4, 7, seed=1)
    # Two neurons of four steps: 8 spikes of a byte, 8 membranes of eight.
    monkeypatch.setattr(golden, "_MEMORY", 3 * 72)
    assert [len(trace.logits) for _, trace in golden.run_batches(graph, inputs, time_steps=4)] == [3, 3, 1]
    assert len(list(golden.run_batches(graph, inputs, time_steps=4, membranes=False))) == 1


def test_currents_and_membranes_take_room_in_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(golden, "_MEMORY", 17 * 8 * 5)
    graph = chain(fire(3))
    assert golden.batch_size(graph, time_steps=4, currents=True) == 5
    assert golden.batch_size(graph, time_steps=4) == 17 * 5 // 9
    assert golden.batch_size(graph, time_steps=4, membranes=False, currents=True) == 17 * 5 // 9


def test_samples_are_counted_by_the_encoding() -> None:
    """Of what cannot be an input, by its first dimension, until `run` refuses it."""
    assert golden.sample_count(Encoding.EVENTS, np.zeros((4, 7, 2))) == 7
    assert golden.sample_count(Encoding.EVENTS, np.zeros((4, 7))) == 7
    assert golden.sample_count(Encoding.EVENTS, np.zeros(4)) == 4
    assert golden.sample_count(Encoding.DIRECT, np.zeros((4, 7))) == 4


def test_no_samples_are_no_samples() -> None:
    trace = golden.run(chain(fire(1), encoding=Encoding.DIRECT), np.zeros((0, 1), np.int64), time_steps=1)
    assert trace.logits.shape == (0, 1)


def test_what_could_overflow_is_refused() -> None:
    zeros = np.zeros((1, 1), dtype=np.int64)
    with pytest.raises(FitError, match="from 'input' to 'hidden' can reach"):
        golden.run(chain(fire(1), encoding=Encoding.DIRECT, bits=60, weight=127), zeros, time_steps=1)
    graph = chain(fire(1), encoding=Encoding.DIRECT, bits=50, weight=127, shift=4)
    golden.run(graph, zeros, time_steps=1)
    with pytest.raises(FitError, match="membranes of layer 'hidden' can reach"):
        golden.run(graph, zeros, time_steps=5)
    with pytest.raises(FitError, match="membranes of layer 'hidden'"):
        golden.run(chain(fire(1), bias=-(2**61)), zeros.reshape(1, 1, 1).repeat(2, 0), time_steps=2)
    with pytest.raises(FitError, match="membranes of layer 'hidden'"):
        golden.run(chain(fire(1, floor=np.array([2**62]))), zeros.reshape(1, 1, 1), time_steps=1)


def test_synaptic_operations_count_the_events_that_take_effect() -> None:
    graph = chain(fire(2), weight=1, delay=1)
    wide = dataclasses.replace(graph.projections[1], weight=np.ones((4, 1), dtype=np.int64))
    readout = dataclasses.replace(graph.readout, shape=(4, 1, 1), bias=np.zeros(4, dtype=np.int64))
    graph = dataclasses.replace(
        graph, populations=(*graph.populations[:2], readout), projections=(graph.projections[0], wide)
    )
    spikes = np.array([[1, 1, 1, 1, 1], [1, 0, 0, 0, 1]]).T.reshape(5, 2, 1)
    trace = golden.run(graph, spikes, time_steps=5)
    assert trace.populations["hidden"].spikes[:, :, 0].T.astype(int).tolist() == [[0, 0, 1, 0, 1], [0] * 5]
    assert [operations.tolist() for operations in trace.synaptic_operations] == [[4, 1], [8, 0]]
    assert trace.populations["hidden"].firing_rate == 0.2

    direct = chain(fire(100), encoding=Encoding.DIRECT, bits=4)
    trace = golden.run(direct, np.array([[9], [0]]), time_steps=5)
    assert trace.synaptic_operations[0].tolist() == [1, 0]


@pytest.mark.parametrize("encoding", Encoding)
def test_batches_make_up_the_whole(encoding: Encoding) -> None:
    graph = chain(fire(3), encoding=encoding, bits=2 if encoding is Encoding.DIRECT else 1, weight=2)
    inputs = random_inputs(graph, 4, 7, seed=1)
    whole = golden.run(graph, inputs, time_steps=4)
    pieces = list(golden.run_batches(graph, inputs, time_steps=4, batch=3))
    assert [samples for samples, _ in pieces] == [slice(0, 3), slice(3, 6), slice(6, 7)]
    for samples, trace in pieces:
        for name, population in trace.populations.items():
            np.testing.assert_array_equal(population.membranes, whole.populations[name].membranes[:, samples])
            np.testing.assert_array_equal(population.spikes, whole.populations[name].spikes[:, samples])
        np.testing.assert_array_equal(trace.logits, whole.logits[samples])


def test_images_may_keep_their_shape() -> None:
    graph = chain(fire(3), encoding=Encoding.DIRECT, bits=4)
    source = dataclasses.replace(graph.input, shape=(1, 2, 2))
    first = dataclasses.replace(graph.projections[0], weight=np.array([[1, 2, 3, 4]], dtype=np.int64))
    graph = dataclasses.replace(
        graph, populations=(source, *graph.populations[1:]), projections=(first, graph.projections[1])
    )
    images = np.arange(8, dtype=np.uint8).reshape(2, 2, 2)
    flat = golden.run(graph, images.reshape(2, 4), time_steps=1)
    np.testing.assert_array_equal(golden.run(graph, images, time_steps=1).logits, flat.logits)


def test_accuracy() -> None:
    assert golden.accuracy(np.array([1, 2, 3, 4]), np.array([1, 2, 0, 4])) == 0.75


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (np.zeros((4, 2, 3), dtype=np.int64), r"shape \(4, 2, 3\); it takes \(4, batch, 1\)"),
        (np.zeros((3, 2, 1), dtype=np.int64), r"shape \(3, 2, 1\)"),
        (np.zeros((4, 1), dtype=np.int64), r"shape \(4, 1\)"),
        (np.full((4, 1, 1), 2), "from 2 to 2; it takes 0 to 1"),
        (np.full((4, 1, 1), -1), "from -1 to -1"),
        (np.zeros((4, 1, 1)), "are float64; it takes integers"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(inputs: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        golden.run(chain(fire(1)), inputs, time_steps=4)


@pytest.mark.parametrize("image", [[[16]], [[-1]], [[1, 1]]])
def test_images_that_do_not_fit_are_refused(image: list[list[int]]) -> None:
    with pytest.raises(DataError):
        golden.run(chain(fire(1), encoding=Encoding.DIRECT, bits=4), np.array(image), time_steps=1)


@pytest.mark.parametrize("steps", [0, STEPS + 1])
def test_time_steps_out_of_range_are_refused(steps: int) -> None:
    with pytest.raises(OptionError, match=f"1 to {STEPS} time steps, not {steps}"):
        golden.run(chain(fire(1)), np.zeros((steps, 1, 1), dtype=np.int64), time_steps=steps)


def test_a_graph_that_breaks_its_level_is_refused() -> None:
    graph = chain(fire(1))
    wide = dataclasses.replace(graph.projections[1], weight=np.full((1, 1), 2, dtype=np.int64))
    graph = dataclasses.replace(graph, projections=(graph.projections[0], wide))
    with pytest.raises(CheckpointError, match="reach 2; 2 bits hold 1"):
        golden.run(graph, np.zeros((1, 1, 1), dtype=np.int64), time_steps=1)


def test_only_integer_networks_run() -> None:
    graph = dataclasses.replace(chain(fire(1)), level=Level.NORMALISED)
    with pytest.raises(ValueError, match="NORMALISED"):
        golden.run(graph, np.zeros((1, 1, 1), dtype=np.int64), time_steps=1)


def test_an_exit_by_hand() -> None:
    """Logits whose margin grows by two a step; each step is one spike of weights 1 and -1."""
    graph = chain(IntegrateAndFire(threshold=np.array([1])), weight=1)
    graph = dataclasses.replace(graph, time_steps=4)
    readout = dataclasses.replace(graph.readout, shape=(2, 1, 1), bias=np.array([0, 0]))
    into = dataclasses.replace(graph.projections[-1], weight=np.array([[1], [-1]]))
    graph = dataclasses.replace(
        graph, populations=(*graph.populations[:-1], readout), projections=(*graph.projections[:-1], into)
    )
    spikes = np.ones((4, 1, graph.input.size), np.bool_)
    every = golden.run(graph, spikes, time_steps=4).populations["readout"].membranes[:, 0]
    margins = (every[:, 0] - every[:, 1]).tolist()
    assert margins == sorted(set(margins))
    for margin, asked, taken in (
        (margins[1], (1, 2, 3), 2),  # a margin that is just enough
        (margins[1] + 1, (1, 2, 3), 3),
        (margins[1], (3,), 3),  # not asked before
        (margins[2] + 1, (1, 2, 3), 4),  # the last step answers whatever its margin
        (1, (1,), 1),
    ):
        sealed = dataclasses.replace(graph, exit=Exit(margin=margin, steps=asked))
        trace = golden.run(sealed, spikes, time_steps=4)
        assert trace.steps.tolist() == [taken]
        assert trace.logits[0].tolist() == every[taken - 1].tolist()
    tie = dataclasses.replace(
        graph, projections=(*graph.projections[:-1], dataclasses.replace(into, weight=into.weight * 0))
    )
    trace = golden.run(dataclasses.replace(tie, exit=Exit(margin=1, steps=(1, 2, 3))), spikes, time_steps=4)
    assert (trace.steps.tolist(), trace.classes.tolist()) == ([4], [0])


def test_a_stuck_neuron_fires_always_or_never_and_the_others_as_before() -> None:
    graph = random_chain(sizes=(12, 8, 3), time_steps=4, seed=3)
    inputs = np.random.default_rng(0).random((4, 5, 12)) < 0.6
    name = graph.layers[0].name
    sound = golden.run(graph, inputs, time_steps=4).populations[name].spikes
    assert sound[..., 0].any() or sound[..., 1].any()
    stuck = np.array([0, 0, 1, 1, -1, -1, -1, -1], np.int8)
    spikes = golden.run(graph, inputs, time_steps=4, stuck={name: stuck}).populations[name].spikes
    assert not spikes[..., :2].any()
    assert spikes[..., 2:4].all()
    np.testing.assert_array_equal(spikes[..., 4:], sound[..., 4:])
