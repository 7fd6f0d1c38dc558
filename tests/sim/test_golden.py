"""The golden model against a naive oracle in Python integers, written a second time from docs/semantics.md."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnc.compiler.errors import CheckpointError, DataError, FitError, OptionError
from snnc.compiler.ir import (
    Dense,
    Encoding,
    Graph,
    Initial,
    InputSource,
    IntegrateAndFire,
    Level,
    Population,
    Readout,
    Reset,
)
from snnc.sim import golden
from snnc.sim.synapses import WeightedSum

STEPS = 5


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
                            total = 0
                            for m, value in enumerate(arriving):
                                total += int(projection.weight[n, m]) * value
                            current += total * 2**projection.shift
                    currents.append(current)
                    if isinstance(model, Readout):
                        v = membrane[layer.name][n] if t else 0
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
                        u = 0 if model.reset is Reset.HARD else u - threshold
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


def integers(low: int, high: int, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    return generator.integers(low, high, size=shape, endpoint=True, dtype=np.int64)


def dense(source: Population, target: Population, generator: np.random.Generator, **fields) -> Dense:
    weight = integers(-7, 7, (target.size, source.size), generator)
    return Dense(source=source.name, target=target.name, weight=weight, bits=4, **fields)


@st.composite
def networks(draw: st.DrawFn) -> Graph:
    """Random networks: chains, branches that join, loops, delays; every neuron model."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    encoding = draw(st.sampled_from(Encoding))
    bits = draw(st.integers(1, 8)) if encoding is Encoding.DIRECT else 1
    scale = 2**bits - 1

    def shape() -> tuple[int, int, int]:
        return draw(st.tuples(st.integers(1, 3), st.integers(1, 2), st.integers(1, 2)))

    source = Population(
        name="input", shape=shape(), neuron=InputSource(encoding=encoding, bits=bits), bias=np.zeros(0, np.int64)
    )
    populations = [dataclasses.replace(source, bias=np.zeros(source.channels, dtype=np.int64))]
    for index in range(draw(st.integers(1, 3))):
        form = shape()
        neuron = IntegrateAndFire(
            threshold=integers(1, 10 * scale, form[:1], generator),
            reset=draw(st.sampled_from(Reset)),
            initial=draw(st.sampled_from(Initial)),
            leak_shift=draw(st.sampled_from([None, 0, 1, 3, 70])),
            floor=integers(-5 * scale, 2, form[:1], generator) if draw(st.booleans()) else None,
        )
        bias = integers(-3 * scale, 3 * scale, form[:1], generator)
        populations.append(Population(name=f"layer{index}", shape=form, neuron=neuron, bias=bias))
    form = shape()
    populations.append(
        Population(name="readout", shape=form, neuron=Readout(), bias=integers(-5, 5, form[:1], generator))
    )
    projections = []
    for before, after in itertools.pairwise(populations):
        projections.append(
            dense(before, after, generator, shift=draw(st.integers(0, 3)), delay=draw(st.integers(0, 2)))
        )
    order = {population.name: position for position, population in enumerate(populations)}
    for _ in range(draw(st.integers(0, 3))):
        start, end = draw(st.sampled_from(populations[:-1])), draw(st.sampled_from(populations[1:]))
        least = 0 if order[start.name] < order[end.name] else 1
        projections.append(
            dense(start, end, generator, shift=draw(st.integers(0, 2)), delay=draw(st.integers(least, 3)))
        )
    return Graph(
        name="random",
        level=Level.INTEGER,
        populations=tuple(populations),
        projections=tuple(draw(st.permutations(projections))),
        time_steps=STEPS,
    )


def random_inputs(graph: Graph, steps: int, batch: int, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    if graph.source.encoding is Encoding.DIRECT:
        return integers(0, 2**graph.source.bits - 1, (batch, graph.input.size), generator)
    return generator.random((steps, batch, graph.input.size)) < generator.random()


@settings(max_examples=300)
@given(graph=networks(), steps=st.integers(1, STEPS), batch=st.integers(1, 3), seed=st.integers(0, 2**32 - 1))
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
    logits = [sample[-1] for sample in expected["readout"][1]]
    np.testing.assert_array_equal(trace.logits, logits)
    assert trace.classes.tolist() == [sample.index(max(sample)) for sample in logits]


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
