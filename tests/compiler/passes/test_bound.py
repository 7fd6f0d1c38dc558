"""The proven ranges: never left, and tight."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from snnc.compiler.design import Firing
from snnc.compiler.errors import FitError
from snnc.compiler.ir import Encoding, Graph, Initial, InputSource, IntegrateAndFire, Pooling, Readout, Reset
from snnc.compiler.passes.bound import bound, firing_warnings, for_streams, layer_bounds
from snnc.compiler.plan import Range, signed_bits
from snnc.sim.models import golden
from snnc.sim.models.stepper import Stepper
from tests.compiler.networks import design_of
from tests.networks import integer_chain
from tests.strategies import integer_networks
from tests.synapses import synapses


def observed(graph: Graph, inputs: np.ndarray) -> dict[str, dict[str, Range]]:
    """Ranges of ``I``, ``U``, ``V`` and the stored residual over actual runs, from the golden model."""
    trace = golden.run(graph, inputs, time_steps=graph.time_steps, currents=True)
    result = {}
    for layer in graph.layers:
        seen = trace.populations[layer.name]
        assert seen.currents is not None
        start: Any = np.zeros_like(seen.membranes[:1])
        offset: Any = np.zeros(layer.size, np.int64)
        if isinstance(layer.neuron, IntegrateAndFire):
            if layer.neuron.initial is Initial.HALF:
                start = start + np.repeat(layer.neuron.threshold // 2, layer.size // layer.channels)
            offset = np.repeat(layer.bias - layer.neuron.threshold, layer.size // layer.channels)
        after = np.concatenate([start, seen.membranes])
        kept: Any = after[:-1]
        assert not isinstance(layer.neuron, InputSource)
        if layer.neuron.leak_shift is not None:
            kept = kept - (kept >> min(layer.neuron.leak_shift, 62))
        before = kept + seen.currents
        leaked = after
        if layer.neuron.leak_shift is not None:
            leaked = after - (after >> min(layer.neuron.leak_shift, 62))
        residual = [leaked + offset]
        if isinstance(layer.neuron, Readout) and layer.neuron.leak_shift is not None:
            residual = [after, leaked - 1]
        if isinstance(layer.neuron, IntegrateAndFire):
            residual.append(before - np.repeat(layer.neuron.threshold, layer.size // layer.channels))
        result[layer.name] = {
            "input_current": span(seen.currents),
            "before_reset": span(before),
            "after_reset": span(after),
            "residual": span(np.concatenate(residual)),
        }
    return result


def span(values: np.ndarray) -> Range:
    return Range(low=int(values.min()), high=int(values.max()))


def every_input(graph: Graph) -> np.ndarray:
    """All inputs that there are: images, or spike trains."""
    size, steps = graph.input.size, graph.time_steps
    if graph.source.encoding is Encoding.DIRECT:
        return np.array(list(itertools.product(range(2**graph.source.bits), repeat=size)))
    trains = np.array(list(itertools.product((0, 1), repeat=size * steps))).reshape(-1, steps, size)
    return trains.transpose(1, 0, 2)


@st.composite
def small_chains(draw) -> Graph:
    inputs, hidden = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    weight = st.integers(-7, 7)
    matrices = [
        draw(st.lists(st.lists(weight, min_size=inputs, max_size=inputs), min_size=hidden, max_size=hidden)),
        draw(st.lists(st.lists(weight, min_size=hidden, max_size=hidden), min_size=2, max_size=2)),
    ]
    return integer_chain(
        matrices,
        [draw(st.lists(st.integers(1, 12), min_size=hidden, max_size=hidden))],
        [
            draw(st.lists(st.integers(-5, 5), min_size=hidden, max_size=hidden)),
            draw(st.lists(st.integers(-5, 5), min_size=2, max_size=2)),
        ],
        encoding=draw(st.sampled_from([Encoding.EVENTS, Encoding.DIRECT])),
        shift=draw(st.integers(0, 2)),
        reset=draw(st.sampled_from(Reset)),
        initial=draw(st.sampled_from(Initial)),
        time_steps=draw(st.integers(1, 3)),
    )


@settings(max_examples=150)
@given(graph=small_chains())
def test_no_input_leaves_the_ranges(graph):
    """Every possible input of the network, by brute force."""
    runs = observed(graph, every_input(graph))
    for layer in graph.layers:
        proven = layer_bounds(graph, layer)
        for what, seen in runs[layer.name].items():
            claimed = getattr(proven, what)
            assert claimed.low <= seen.low <= seen.high <= claimed.high, (layer.name, what)


@settings(max_examples=150)
@given(graph=small_chains())
def test_the_first_layer_reaches_its_currents(graph):
    """Its inputs are free, so that the ranges of its current, and of its lowest membrane, are met exactly."""
    layer = graph.layers[0]
    proven, seen = layer_bounds(graph, layer), observed(graph, every_input(graph))[layer.name]
    assert proven.input_current == seen["input_current"]
    assert proven.before_reset.high >= seen["before_reset"].high
    if proven.before_reset.low < 0:
        assert proven.before_reset.low == seen["before_reset"].low


@settings(max_examples=150)
@given(graph=integer_networks(time_steps=4), seed=st.integers(0, 2**32 - 1))
def test_no_sample_leaves_the_ranges_of_any_network(graph, seed):
    generator = np.random.default_rng(seed)
    shape: tuple[int, ...] = (50, graph.input.size)
    if graph.source.encoding is Encoding.DIRECT:
        inputs = generator.integers(0, 2**graph.source.bits, shape) * (generator.random(shape) < generator.random())
    else:
        inputs = (generator.random((4, *shape)) < generator.random((4, 50, 1))).astype(np.int64)
    runs = observed(graph, inputs)
    for layer in graph.layers:
        proven = layer_bounds(graph, layer)
        for what, seen in runs[layer.name].items():
            claimed = getattr(proven, what)
            assert claimed.low <= seen.low <= seen.high <= claimed.high, (layer.name, what)


@settings(max_examples=150)
@given(graph=integer_networks())
def test_weighted_sums_are_as_tight_as_their_synapses(graph):
    """Border positions included: negative weights get every input that they can get, positive ones none, and back."""
    pixels = 2**graph.source.bits - 1 if graph.source.encoding is Encoding.DIRECT else 1
    for layer in graph.layers:
        found = layer_bounds(graph, layer).weighted
        for projection, claimed in zip(graph.into(layer.name), found, strict=True):
            largest = pixels if projection.source == "input" else 1
            weights = [[weight for weight, _ in synapses(graph, projection, n)] for n in range(layer.size)]
            assert claimed.low == largest * min(sum(min(w, 0) for w in row) for row in weights)
            assert claimed.high == largest * max(sum(max(w, 0) for w in row) for row in weights)


def leaking(threshold: int, leak: int | None, floor: int | None, weight: int, steps: int) -> Graph:
    graph = integer_chain([[[weight]], [[1]]], [[threshold]], time_steps=steps)
    neuron = graph.layers[0].neuron
    assert isinstance(neuron, IntegrateAndFire)
    limit = None if floor is None else np.array([floor])
    hidden = dataclasses.replace(graph.layers[0], neuron=dataclasses.replace(neuron, leak_shift=leak, floor=limit))
    return dataclasses.replace(graph, populations=(graph.input, hidden, graph.readout))


def test_a_leak_settles():
    """-7, -10, -12, -13, and there it stays: -13 + 7 - 7. Without a leak it would fall for ever."""
    graph = leaking(5, 1, None, -7, 60_000)
    assert layer_bounds(graph, graph.layers[0]).after_reset == Range(low=-13, high=0)
    graph = leaking(5, None, None, -7, 100)
    assert layer_bounds(graph, graph.layers[0]).after_reset.low == -700


def test_a_floor_holds():
    graph = leaking(5, None, -10, -7, 100)
    found = layer_bounds(graph, graph.layers[0])
    assert (found.after_reset.low, found.before_reset.low) == (-10, -17)


def test_a_max_pooling_has_no_membrane():
    ones = np.ones(1, np.int64)
    neuron = IntegrateAndFire(threshold=ones, reset=Reset.HARD)
    graph = integer_chain([[[1]], [[1]]], [[1]])
    hidden = dataclasses.replace(graph.layers[0], neuron=neuron)
    source = dataclasses.replace(graph.input, shape=(1, 3, 3))
    pooling = Pooling(source="input", target="hidden0", weight=ones, kernel=(3, 3), stride=(3, 3))
    graph = dataclasses.replace(
        graph, populations=(source, hidden, graph.readout), projections=(pooling, graph.projections[1])
    )
    found = layer_bounds(graph, hidden)
    assert found.before_reset == found.input_current == Range(low=0, high=9)
    assert found.after_reset == Range(low=0, high=0)


def test_known_ranges():
    graph = integer_chain([[[3, -2]], [[4], [-1]]], [[2]], [[1], [0, 5]], time_steps=3)
    hidden, readout = (layer_bounds(graph, layer) for layer in graph.layers)
    assert hidden.weighted == (Range(low=-2, high=3),)
    assert hidden.input_current == Range(low=-1, high=4)
    # Up: 4 - 2 = 2, 6 - 2 = 4, 8 - 2 = 6. Down: -1 a step.
    assert hidden.before_reset == Range(low=-3, high=8)
    assert hidden.after_reset == Range(low=-3, high=6)
    # V + bias - threshold from -4 to 5, U - threshold from -5 to 6.
    assert hidden.residual == Range(low=-5, high=6)
    assert readout.input_current == Range(low=0, high=5)
    assert readout.after_reset == Range(low=0, high=15)
    assert readout.residual == readout.after_reset


def test_hard_reset_and_half():
    graph = integer_chain([[[7]], [[1]]], [[5]], reset=Reset.HARD, initial=Initial.HALF, time_steps=9)
    hidden = layer_bounds(graph, graph.layers[0])
    assert hidden.before_reset == Range(low=0, high=11)
    assert hidden.after_reset == Range(low=0, high=4)


def test_a_long_run_settles():
    """A membrane that cannot grow is not followed for 60,000 steps."""
    graph = integer_chain([[[1, 1]], [[1]]], [[8]], time_steps=60_000)
    assert layer_bounds(graph, graph.layers[0]).after_reset == Range(low=0, high=7)


def hidden_bounds(*, weight: int, threshold: int, bias: int = 0, leak=None, floor=None, steps: int = 1, **options):
    """Of one hidden neuron with one input."""
    graph = integer_chain([[[weight]], [[1]]], [[threshold]], [[bias], [0]], time_steps=steps, **options)
    limit = None if floor is None else np.array([floor])
    neuron = graph.layers[0].neuron
    assert isinstance(neuron, IntegrateAndFire)
    hidden = dataclasses.replace(graph.layers[0], neuron=dataclasses.replace(neuron, leak_shift=leak, floor=limit))
    graph = dataclasses.replace(graph, populations=(graph.input, hidden, graph.readout))
    return layer_bounds(graph, hidden)


def test_headroom_for_what_waits_between_steps():
    """``V + bias - threshold`` after the last step, of which no further step makes a ``U``: -8 - 1 - 5."""
    assert hidden_bounds(weight=-7, threshold=5, bias=-1).residual.low == -14


def test_headroom_for_a_step_before_its_reset():
    """``U - threshold``: 7 - 5, of which a hard reset leaves nothing."""
    assert hidden_bounds(weight=7, threshold=5, reset=Reset.HARD).residual.high == 2


@pytest.mark.parametrize("reset", Reset)
def test_a_membrane_at_its_threshold_has_fired(reset):
    hidden = hidden_bounds(weight=0, threshold=3, bias=3, steps=4, reset=reset)
    assert hidden.before_reset == Range(low=3, high=3)
    assert hidden.after_reset == Range(low=0, high=0)


def test_headroom_for_a_floor():
    """Between the passes ``V - floor``: 0 + 10 at the most, and before the floor holds it -17 + 10."""
    found = hidden_bounds(weight=-7, threshold=5, floor=-10, steps=100)
    assert found.residual == Range(low=-17 - 5, high=10)
    # A floor above 0 is all that is below the other terms: 0 - 30 before it holds the membrane.
    assert hidden_bounds(weight=0, threshold=5, bias=5, floor=30).residual.low == -30


def test_headroom_for_a_leak():
    """Between the passes ``V`` itself, which is above every ``U - threshold``; and ``leak(V) - 1``."""
    assert hidden_bounds(weight=-7, threshold=5, leak=1, steps=100).residual == Range(low=-13 - 5, high=0)
    assert hidden_bounds(weight=3, threshold=1, bias=2, leak=1).residual.low == -1


@pytest.mark.parametrize(
    ("weight", "threshold", "bias", "steps", "firing"),
    [
        (3, 4, 0, 1, Firing.NEVER),
        (3, 4, 0, 2, Firing.DEPENDS),
        (3, 3, 0, 1, Firing.DEPENDS),
        (-3, 4, 7, 5, Firing.ALWAYS),
        (-3, 4, 6, 5, Firing.DEPENDS),
    ],
)
def test_what_is_proven_of_spikes(weight, threshold, bias, steps, firing):
    assert hidden_bounds(weight=weight, threshold=threshold, bias=bias, steps=steps).firing is firing


@settings(max_examples=100)
@given(graph=small_chains())
def test_a_proof_about_spikes_holds_for_every_input(graph):
    trace = golden.run(graph, every_input(graph), time_steps=graph.time_steps)
    for layer in graph.layers[:-1]:
        spikes = trace.populations[layer.name].spikes
        match layer_bounds(graph, layer).firing:
            case Firing.NEVER:
                assert not spikes.any()
            case Firing.ALWAYS:
                assert spikes.all()


def test_a_warning_names_the_layer():
    dead = integer_chain([[[1]], [[1]], [[1]]], [[1], [9]], time_steps=5)
    (warning,) = firing_warnings(dead)
    assert warning.startswith("Warning: layer 'hidden1' can never fire")
    stuck = integer_chain([[[1]], [[1]], [[1]]], [[1], [1]], [[1], [0], [0]], time_steps=5)
    (warning,) = firing_warnings(stuck)
    assert warning.startswith("Warning: every neuron of layer 'hidden0' fires in every time step")
    assert firing_warnings(integer_chain([[[1]], [[1]]], [[1]])) == ()


def test_more_than_32_bits_are_refused():
    fits = integer_chain([[[7]], [[1]]], [[3]], encoding=Encoding.DIRECT, shift=16, time_steps=1000)
    assert bound(design_of(fits)).bounds[0].residual.bits <= 32
    graph = integer_chain([[[7]], [[1]]], [[3]], encoding=Encoding.DIRECT, shift=16, time_steps=2000)
    with pytest.raises(FitError, match=r"'hidden0' need 33 bits over 2000 time steps.*fewer fraction_bits"):
        bound(design_of(graph))


@given(low=st.integers(-(2**40), 0), high=st.integers(0, 2**40))
def test_signed_bits(low, high):
    bits = signed_bits(low, high)
    assert -(2 ** (bits - 1)) <= low <= high < 2 ** (bits - 1)
    assert bits == 1 or not (-(2 ** (bits - 2)) <= low and high < 2 ** (bits - 2))


@st.composite
def driven(draw: st.DrawFn) -> tuple[Graph, np.ndarray]:
    """A chain with one of the neurons that a stream allows, and a stream for it."""
    reset = draw(st.sampled_from(list(Reset)))
    size, inputs = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    weight = draw(arrays(np.int64, (size, inputs), elements=st.integers(-7, 7)))
    threshold = draw(arrays(np.int64, size, elements=st.integers(1, 30)))
    bias = draw(arrays(np.int64, size, elements=st.integers(-9, 9)))
    graph = integer_chain(
        [weight, np.ones((2, size))],
        [threshold],
        [bias, np.zeros(2)],
        reset=reset,
        initial=draw(st.sampled_from(list(Initial))),
        shift=draw(st.integers(0, 2)),
        time_steps=50,
    )
    neuron = graph.layers[0].neuron
    assert isinstance(neuron, IntegrateAndFire)
    floor = draw(st.none() | arrays(np.int64, size, elements=st.integers(-40, 5)))
    neuron = dataclasses.replace(
        neuron,
        leak_shift=draw(st.none() | st.integers(0, 5)),
        floor=floor,
        subtracted=None if reset is Reset.HARD else draw(st.none() | st.just(threshold + 3)),
    )
    hidden = dataclasses.replace(graph.layers[0], neuron=neuron)
    stream = dataclasses.replace(graph, populations=(graph.input, hidden, graph.readout), stream=True)
    # Long stretches of one pattern drive membranes to their ends.
    patterns = draw(arrays(np.bool_, (6, inputs)))
    return stream, np.repeat(patterns, 50, axis=0)


@settings(deadline=None)
@given(driven())
def test_a_stream_never_leaves_its_ranges(case: tuple[Graph, np.ndarray]) -> None:
    graph, events = case
    hidden = graph.layers[0]
    try:
        found = layer_bounds(graph, hidden)
    except FitError:
        return
    asked = np.arange(1, len(events) + 1) % graph.time_steps == 0
    piece = Stepper(graph).run(events, asked)
    membranes = piece.membranes[hidden.name]
    assert found.after_reset.low <= membranes.min()
    assert membranes.max() <= found.after_reset.high


def stream_of(
    leak: int | None = None, *, floor: int | None = None, reset: Reset = Reset.SOFT, weight: int = 3
) -> Graph:
    """One input, one neuron of threshold 10 that it excites by `weight`, or inhibits."""
    graph = integer_chain([[[weight]], [[1]]], [[10]], reset=reset, time_steps=4)
    neuron = graph.layers[0].neuron
    assert isinstance(neuron, IntegrateAndFire)
    neuron = dataclasses.replace(neuron, leak_shift=leak, floor=None if floor is None else np.array([floor]))
    hidden = dataclasses.replace(graph.layers[0], neuron=neuron)
    return dataclasses.replace(graph, populations=(graph.input, hidden, graph.readout), stream=True)


@pytest.mark.parametrize(
    ("graph", "low", "high"),
    [
        (stream_of(), 0, 9),  # a spike takes away more than a step can add
        (stream_of(weight=-3, leak=2), -9, 9),  # falls to where the leak gives back 3, less its rounding
        (stream_of(weight=-3, floor=-5), -5, 9),
        (stream_of(weight=15, leak=2), 0, 20),  # a spike leaves 5 of a step's 15, and the leak of 20 takes 5
        (stream_of(weight=15, reset=Reset.HARD), 0, 9),
    ],
)
def test_the_ranges_of_a_stream(graph: Graph, low: int, high: int) -> None:
    assert layer_bounds(graph, graph.layers[0]).after_reset == Range(low=low, high=high)


@pytest.mark.parametrize(
    ("graph", "said"),
    [
        (stream_of(weight=-3), r"may fall by 3 in every step\. A leak \(--leak-shift\) or a floor"),
        (stream_of(weight=-3, reset=Reset.HARD), r"may fall by 3 in every step"),
        (stream_of(weight=15), r"its input of 15 exceeds the 10 .* A leak \(--leak-shift\) or a hard reset"),
        (stream_of(weight=15, leak=40), "exceeds the 10"),  # a leak of nothing
    ],
)
def test_a_stream_without_widths_is_refused_by_name(graph: Graph, said: str) -> None:
    with pytest.raises(FitError, match=f"Layer 'hidden0' has no widths for a stream without an end: .*{said}"):
        layer_bounds(graph, graph.layers[0])


def leaky_readout(weight: int, leak: int, *, bias: int = 0, stream: bool = True, steps: int = 4) -> Graph:
    """One input, and a readout that leaks."""
    graph = integer_chain([[[weight]]], [], [[bias]], time_steps=steps)
    readout = dataclasses.replace(graph.readout, neuron=Readout(leak_shift=leak))
    return dataclasses.replace(graph, populations=(graph.input, readout), stream=stream)


@pytest.mark.parametrize(
    ("weight", "leak", "bias", "low", "high"),
    [
        (5, 2, 0, 0, 20),  # a leak of 20 takes the 5
        (-3, 2, 0, -9, 0),  # a leak of -9 gives 3 back, rounded
        (5, 2, -2, -5, 12),
        (5, 0, 0, 0, 5),  # nothing is kept
        (-3, 0, 0, -3, 0),
    ],
)
def test_a_leaky_readout_of_a_stream_is_proven_for_ever(weight: int, leak: int, bias: int, low: int, high: int) -> None:
    graph = leaky_readout(weight, leak, bias=bias)
    found = layer_bounds(graph, graph.readout)
    assert found.after_reset == Range(low=low, high=high)
    # Far beyond T_max, and met.
    stepper = Stepper(graph)
    runs = [stepper.run(np.full((200, 1), silent)).membranes["readout"] for silent in (0, 1, 0, 1)]
    values = np.concatenate(runs)
    assert (values.min() if low else values.max()) == (low or high)
    assert low <= values.min() <= values.max() <= high
    assert found.residual.low <= min(-1, low)
    assert found.residual.high == high


def test_a_leaky_readout_of_a_sample_is_followed_step_by_step() -> None:
    bounds = [
        layer_bounds(graph, graph.readout).after_reset
        for graph in (leaky_readout(5, 2, stream=False, steps=steps) for steps in (1, 2, 3, 60_000))
    ]
    assert bounds == [Range(low=0, high=high) for high in (5, 9, 12, 20)]


def test_a_readouts_leak_of_nothing_holds_no_stream() -> None:
    graph = leaky_readout(5, 40)
    with pytest.raises(FitError, match=r"Layer 'readout' has no widths .* its leak of 2\^-40 takes nothing"):
        for_streams(graph)
    samples = dataclasses.replace(graph, stream=False)
    assert layer_bounds(samples, samples.readout).after_reset == Range(low=0, high=20)


def test_a_readout_holds_what_comes_between_two_answers() -> None:
    assert layer_bounds(stream_of(), stream_of().readout).after_reset == Range(low=0, high=4)
