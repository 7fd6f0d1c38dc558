"""The performance model against a simulator of docs/timing.md that steps through every cycle.

The simulator is written a second time from that page, as literally as it reads: queues, serialisers, walkers and
pipelines as little state machines that see each other's state as it was at the start of the cycle.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnc.compiler.errors import UnsupportedError
from snnc.compiler.ir import Encoding
from snnc.compiler.plan import EnginePlan, Plan
from snnc.sim.models.stimulus import Stimulus, stimulus
from snnc.sim.models.timing.digits import digit_count
from snnc.sim.models.timing.exact import predict
from tests.sim.plans import make_plan

NONE, STEP, SAMPLE = 0, 1, 2

# The simulator


@dataclass
class Queue:
    depth: int
    entries: deque = field(default_factory=deque)
    held: int = 0
    """Entries at the start of the cycle."""


@dataclass
class Serialiser:
    """Holds what it took as the list of beats ``(event, marker)`` still to be offered."""

    beats: list[tuple[bool, int]] = field(default_factory=list)
    offered: bool = False
    """Whether it held anything at the start of the cycle."""


@dataclass
class Operation:
    kind: str
    executes: int
    word: int
    marker: int


@dataclass
class Engine:
    plan: EnginePlan
    queue: Queue | None
    serialiser: Serialiser | None
    spikes: np.ndarray | None
    """``(time, neuron)`` of the current sample; None for a readout."""
    remaining: list[tuple[str, int, int]] | None = None
    """Operations ``(kind, word, marker)`` of the beat being walked."""
    flying: list[Operation] = field(default_factory=list)
    step: int = 0
    blocked: bool = False
    issues: list[int] = field(default_factory=list)
    executions: list[int] = field(default_factory=list)


def signed_digits(value: int) -> int:
    """Digits that are not 0 in the non-adjacent form, from its definition."""
    count = 0
    while value:
        if value % 2:
            value -= 2 - value % 4
            count += 1
        value //= 2
    return count


def digit_beats(value: int, event: bool, marker: int) -> list[tuple[bool, int]]:
    count = signed_digits(value) if event else 0
    return [(True, NONE)] * (count - 1) + [(True, marker)] if count else [(False, marker)]


def word_beats(mask: np.ndarray, marker: int) -> list[tuple[bool, int]]:
    count = int(mask.sum())
    return [(True, NONE)] * (count - 1) + [(True, marker)] if count else [(False, marker)]


def operations(plan: EnginePlan, event: bool, marker: int) -> list[tuple[str, int, int]]:
    result = []
    if event:
        result += [("accumulate", word, NONE) for word in range(plan.words)]
    if marker and plan.projections[0].digits is not None:
        result += [("inject", word, NONE) for word in range(plan.words)]
    if marker:
        result += [("sweep", word, marker) for word in range(plan.words)]
    return result or [("idle", 0, NONE)]


def simulate(plan: Plan, stimulus: Stimulus, spikes: dict[str, np.ndarray]) -> Iterator[tuple[int, list[Engine]]]:
    """Cycles of each sample, and its engines with the absolute cycles of what they did, relative to its first beat."""
    engines = []
    for index, engine_plan in enumerate(plan.engines):
        projection = engine_plan.projections[0]
        direct = projection.digits is not None
        engines.append(
            Engine(
                plan=engine_plan,
                queue=None if direct else Queue(depth=projection.queue.depth),
                serialiser=Serialiser() if direct or index else None,
                spikes=None,
            )
        )
    now = 0
    for sample in range(len(stimulus)):
        beats = deque(
            (int(stimulus.value[i]), bool(stimulus.event[i]), int(stimulus.marker[i]))
            for i in range(stimulus.offsets[sample], stimulus.offsets[sample + 1])
        )
        for engine in engines:
            engine.step, engine.issues, engine.executions = 0, [], []
            engine.spikes = spikes[engine.plan.name][:, sample] if engine.plan.name in spikes else None
        start = None
        outputs: list[int] = []  # the cycles in which the output offers
        while not outputs or now <= outputs[-1]:
            assert now - (start or now) < 100_000, "deadlock"
            if cycle(engines, beats, now, outputs) and start is None:
                start = now
            now += 1
        assert start is not None
        for engine in engines:
            assert not engine.flying
            assert not engine.queue or not engine.queue.entries
            engine.issues = [issue - start for issue in engine.issues]
            engine.executions = [execution - start for execution in engine.executions]
        yield outputs[-1] - start + 1, engines


def cycle(engines: list[Engine], port: deque, now: int, outputs: list[int]) -> bool:
    """One cycle of everything; whether the port handed over a beat."""
    for engine in engines:
        if engine.queue:
            engine.queue.held = len(engine.queue.entries)
        if engine.serialiser:
            engine.serialiser.offered = bool(engine.serialiser.beats)
    left = [walk(engine, after, now, outputs) for engine, after in zip(engines, [*engines[1:], None], strict=True)]
    handshake = False
    for index, engine in enumerate(engines):
        serialiser, queue = engine.serialiser, engine.queue
        if serialiser is None:
            assert queue is not None
            if left[index]:
                queue.entries.popleft()
        else:
            if left[index]:
                serialiser.beats.pop(0)
            if not serialiser.beats and queue is not None and queue.held:
                serialiser.beats = queue.entries.popleft()
            elif not serialiser.beats and queue is None and port:
                serialiser.beats = digit_beats(*port.popleft())
                handshake = True
        if index == 0 and queue is not None and port and queue.held < queue.depth:
            _, event, marker = port.popleft()
            queue.entries.append((event, marker))
            handshake = True
    for engine, after in zip(engines, [*engines[1:], None], strict=True):
        execute(engine, after, now, outputs)
    return handshake


def walk(engine: Engine, after: Engine | None, now: int, outputs: list[int]) -> bool:
    """Issue what can be issued; whether the offered beat leaves."""
    if engine.blocked:
        return False
    if engine.serialiser:
        offered = engine.serialiser.beats[0] if engine.serialiser.offered else None
    else:
        assert engine.queue is not None
        offered = engine.queue.entries[0] if engine.queue.held else None
    if offered is None:
        return False
    if engine.remaining is None:
        engine.remaining = operations(engine.plan, *offered)
    kind, word, marker = engine.remaining[0]
    if kind == "sweep" and after is not None:
        assert after.queue is not None
        pending = sum(operation.kind == "sweep" for operation in engine.flying)
        if after.queue.held + pending >= after.queue.depth:
            return False
    engine.remaining.pop(0)
    if kind != "idle":
        engine.flying.append(Operation(kind, now + engine.plan.pipeline, word, marker))
        engine.issues.append(now)
        if after is None and kind == "sweep" and marker == SAMPLE and word == engine.plan.words - 1:
            engine.blocked = True
    if engine.remaining:
        return False
    engine.remaining = None
    return True


def execute(engine: Engine, after: Engine | None, now: int, outputs: list[int]) -> None:
    if outputs and after is None and now == outputs[-1]:
        engine.blocked = False
    if not engine.flying or engine.flying[0].executes > now:
        return
    operation = engine.flying.pop(0)
    assert operation.executes == now
    engine.executions.append(now)
    if operation.kind != "sweep":
        return
    last = operation.word == engine.plan.words - 1
    if after is None:
        if last and operation.marker == SAMPLE:
            outputs += range(now + 2, now + 2 + engine.plan.neurons)
        return
    assert engine.spikes is not None
    assert after.queue is not None
    lanes = engine.plan.lanes
    mask = engine.spikes[engine.step, operation.word * lanes : (operation.word + 1) * lanes]
    if mask.any() or last:
        after.queue.entries.append(word_beats(mask, operation.marker if last else NONE))
        assert len(after.queue.entries) <= after.queue.depth
    engine.step += last


# Equality


def assert_equal(plan: Plan, made: Stimulus, spikes: dict[str, np.ndarray]) -> None:
    prediction = predict(plan, made, spikes)
    for sample, (cycles, engines) in enumerate(simulate(plan, made, spikes)):
        assert prediction.cycles[sample] == cycles
        for engine, predicted in zip(engines, prediction.engines, strict=True):
            assert predicted.name == engine.plan.name
            assert predicted.operations[sample] == len(engine.issues)
            assert predicted.first_issue[sample] == engine.issues[0]
            assert predicted.first_execute[sample] == engine.executions[0]
            assert predicted.last_execute[sample] == engine.executions[-1]
            span = engine.executions[-1] - engine.executions[0] + 1
            assert predicted.busy[sample] == len(engine.executions) / span
        assert prediction.bound[sample] == max(len(engine.issues) for engine in engines)
        assert prediction.achieved[sample] == prediction.bound[sample] / cycles


@st.composite
def workloads(draw: st.DrawFn) -> tuple[Plan, Stimulus, dict[str, np.ndarray]]:
    """Random chains and activity, from silent to every neuron at every step."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    encoding = draw(st.sampled_from(Encoding))
    layers = draw(st.integers(1, 4))
    lanes = draw(st.lists(st.integers(1, 6), min_size=layers, max_size=layers))
    words = draw(st.lists(st.integers(1, 5), min_size=layers, max_size=layers))
    sizes = [draw(st.integers(1, 12))]
    sizes += [w * n - draw(st.integers(0, n - 1)) for w, n in zip(words, lanes, strict=True)]
    plan = make_plan(
        sizes,
        lanes,
        encoding=encoding,
        pipelines=draw(st.lists(st.integers(1, 3), min_size=layers, max_size=layers)),
        depths=draw(st.lists(st.integers(1, 5), min_size=layers, max_size=layers)),
    )
    steps, batch = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    rate = st.sampled_from([0.0, 0.05, 0.3, 0.7, 1.0])
    if encoding is Encoding.DIRECT:
        values = generator.integers(0, 16, size=(batch, sizes[0]))
        inputs: np.ndarray = values * (generator.random(values.shape) < draw(rate))
    else:
        inputs = generator.random((steps, batch, sizes[0])) < draw(rate)
    # Each step has its own rate: a burst after a quiet step is what fills a queue.
    spikes = {
        engine.name: generator.random((steps, batch, engine.neurons))
        < generator.choice([0, 0.1, 0.5, 1], size=(steps, batch, 1))
        for engine in plan.engines[:-1]
    }
    return plan, stimulus(plan.input, inputs, time_steps=steps), spikes


@settings(max_examples=400)
@given(workload=workloads())
def test_cycles_are_the_simulators(workload: tuple[Plan, Stimulus, dict[str, np.ndarray]]) -> None:
    assert_equal(*workload)


@settings(max_examples=50)
@given(workload=workloads(), data=st.data())
def test_beats_that_do_nothing_take_a_cycle(
    workload: tuple[Plan, Stimulus, dict[str, np.ndarray]], data: st.DataObject
) -> None:
    """Beats of our own making carry an event or a marker; another sender's need not."""
    plan, made, spikes = workload
    event, value = made.event.copy(), made.value.copy()
    for index in range(made.beats):
        if data.draw(st.booleans()):
            event[index] = plan.engines[0].projections[0].digits is not None and data.draw(st.booleans())
            value[index] = 0
    assert_equal(plan, dataclasses.replace(made, event=event, value=value), spikes)


@pytest.mark.parametrize(("depth", "first_issue"), [(1, 5), (2, 3)])
def test_a_source_queue_of_one_entry_lets_through_every_other_cycle(depth: int, first_issue: int) -> None:
    plan = make_plan([4, 6], [2], depths=[depth])
    made = stimulus(plan.input, np.ones((2, 1, 4), dtype=bool), time_steps=2)
    made = dataclasses.replace(made, event=np.arange(made.beats) >= 2)
    assert_equal(plan, made, {})
    assert predict(plan, made, {}).engines[0].first_issue.tolist() == [first_issue]


def test_back_pressure_reaches_through_several_engines() -> None:
    """A slow readout holds up the sweeps of every engine before it; the case is tight, and predicted."""
    plan = make_plan([4, 8, 8, 8, 5], [1, 1, 1, 1], depths=[2, 2, 2, 2], pipelines=[1, 2, 1, 3])
    spikes = {f"engine{index}": np.ones((4, 1, 8), dtype=bool) for index in range(3)}
    made = stimulus(plan.input, np.ones((4, 1, 4), dtype=bool), time_steps=4)
    assert_equal(plan, made, spikes)
    deep = make_plan([4, 8, 8, 8, 5], [1, 1, 1, 1], depths=[99] * 4, pipelines=[1, 2, 1, 3])
    assert predict(deep, made, spikes).engines[0].last_execute < predict(plan, made, spikes).engines[0].last_execute


def test_by_hand() -> None:
    """One spiking engine of one word, one silent step: the fill and drain latencies of the page, one by one.

    0 beat enters the queue, 1 sweep issues, 2 executes and enters the queue, 3 taken by the serialiser, 4 offered: the
    readout's sweep issues, 5 executes, 7 and 8 the two logits.
    """
    plan = make_plan([3, 2, 2], [2, 2])
    made = stimulus(plan.input, np.zeros((1, 1, 3), dtype=bool), time_steps=1)
    prediction = predict(plan, made, {"engine0": np.zeros((1, 1, 2), dtype=bool)})
    assert prediction.cycles.tolist() == [9]
    assert prediction.engines[0].first_issue.tolist() == [1]
    assert prediction.engines[1].first_execute.tolist() == [5]
    assert prediction.bound.tolist() == [1]


def test_operations_are_the_limit_of_the_page() -> None:
    """``W * (E + T)`` after spikes, ``W * (E + 2 T)`` after a direct source."""
    spikes = {"engine0": np.tile([True, False, True, True], (3, 1, 1))}
    images = np.array([[0, 7, 3, 8, 1, 11]])  # 2 + 2 + 1 + 1 + 3 digits
    direct = make_plan([6, 4, 6], [2, 2], encoding=Encoding.DIRECT)
    prediction = predict(direct, stimulus(direct.input, images, time_steps=3), spikes)
    assert [engine.operations.tolist() for engine in prediction.engines] == [[2 * (9 + 6)], [3 * (9 + 3)]]
    assert prediction.busiest.name == "engine1"
    events = make_plan([6, 4, 6], [2, 2])
    arriving = np.tile(images != 0, (3, 1, 1))
    prediction = predict(events, stimulus(events.input, arriving, time_steps=3), spikes)
    assert prediction.engines[0].operations.tolist() == [2 * (15 + 3)]


def test_digit_count() -> None:
    assert digit_count(np.arange(1024)).tolist() == [signed_digits(value) for value in range(1024)]


def test_an_empty_batch() -> None:
    plan = make_plan([6, 4, 6], [2, 2])
    made = stimulus(plan.input, np.zeros((2, 0, 6), dtype=bool), time_steps=2)
    assert predict(plan, made, {"engine0": np.zeros((2, 0, 4), dtype=bool)}).cycles.shape == (0,)


def test_two_queues_that_fill_are_refused() -> None:
    plan = make_plan([6, 4, 5, 6], [2, 2, 2])
    made = stimulus(plan.input, np.zeros((1, 1, 6), dtype=bool), time_steps=1)
    spikes = {"engine0": np.zeros((1, 1, 4), dtype=bool), "engine1": np.zeros((1, 1, 5), dtype=bool)}
    skip = dataclasses.replace(plan.engines[2].main, source="engine0")
    last = dataclasses.replace(plan.engines[2], projections=(skip, plan.engines[2].main))
    branched = dataclasses.replace(plan, engines=(*plan.engines[:2], last))
    with pytest.raises(UnsupportedError, match="one queue that fills behind each engine; 'engine0' has several"):
        predict(branched, made, spikes)


def test_markers_must_match_the_steps() -> None:
    plan = make_plan([6, 6], [2])
    made = stimulus(plan.input, np.zeros((2, 2, 6), dtype=bool), time_steps=2)
    with pytest.raises(ValueError, match="3 end-of-step markers"):
        predict(plan, dataclasses.replace(made, time_steps=3), {})
    with pytest.raises(ValueError, match="2 end-of-step markers"):
        predict(plan, dataclasses.replace(made, marker=made.marker[::-1].copy()), {})
