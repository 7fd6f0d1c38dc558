"""The performance model: ``docs/timing.md`` in NumPy, exact to the cycle.

No cycle is stepped through. Every beat and every spike word is handled once, in the order in which it moves, as times
of whole batches: a stretch of accumulate operations is one addition, and what two stages do to each other is a maximum.
Nothing that happens to a word depends on a later word, so each can be followed through all engines before the next one,
and back-pressure through any depth comes out exact. Where branches meet, words wait (`_Walker.recorded`) until those
that are walked before them have come; no sender depends on them (`Plan.fills`).

Cycle 0 is the handshake of a sample's first input beat.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import UnsupportedError
from snnc.compiler.plan import EngineKind, EnginePlan, KernelPlan, LayoutPlan, Plan, ProjectionPlan
from snnc.sim.models.stimulus import Marker, Stimulus
from snnc.sim.models.timing.gathering import Gathering

__all__ = ["EnginePrediction", "Prediction", "digit_count", "predict", "reach", "seen"]

IntArray: TypeAlias = npt.NDArray[np.int64]

_LONG_AGO: Final = -(1 << 40)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EnginePrediction:
    """When an engine works; all per sample, shape ``(batch,)``, in cycles.

    Attributes
    ----------
    name
        Of the engine.
    operations
        Accumulate, inject and sweep operations: the fewest cycles that the engine can take.
    first_issue, first_execute, last_execute
        Of its operations.
    """

    name: str
    operations: IntArray
    first_issue: IntArray
    first_execute: IntArray
    last_execute: IntArray

    @property
    def busy(self) -> npt.NDArray[np.float64]:
        """Fraction of cycles with an operation executing, from its first to the end of the sample."""
        return self.operations / (self.last_execute - self.first_execute + 1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prediction:
    """When a batch is done.

    Attributes
    ----------
    cycles
        Of each sample, from the handshake of its first input beat to that of its last output beat, both included;
        shape ``(batch,)``.
    engines
        In the plan's order.
    """

    cycles: IntArray
    engines: tuple[EnginePrediction, ...]

    @property
    def bound(self) -> IntArray:
        """Operations of each sample's busiest engine, which no schedule can beat; shape ``(batch,)``."""
        return np.max([engine.operations for engine in self.engines], axis=0)

    @property
    def achieved(self) -> npt.NDArray[np.float64]:
        """`bound` as a fraction of `cycles`."""
        return self.bound / self.cycles

    @property
    def busiest(self) -> EnginePrediction:
        """The engine with the most operations over the batch."""
        return max(self.engines, key=lambda engine: int(engine.operations.sum()))


def predict(plan: Plan, stimulus: Stimulus, spikes: Mapping[str, npt.NDArray[Any]]) -> Prediction:
    """The cycles of every sample.

    Parameters
    ----------
    plan
        A network, of whose queues behind each engine at most one can fill.
    stimulus
        The samples' input beats.
    spikes
        Of every spiking engine by name, ``(time, batch, neuron)``, as the golden model gives them.

    Raises
    ------
    UnsupportedError
        Several can.
    """
    batch = len(stimulus)
    engines = {engine.name: _Engine(engine, batch) for engine in plan.engines if engine.kind is not EngineKind.IMAGE}
    outputs: dict[str, _Outputs] = {}
    for source in plan.engines[:-1]:
        counts = _spikes_per_word(source.layout, spikes[source.name])
        links = []
        for listener, k in plan.listeners(source.name):
            depth = listener.projections[k].queue.depth if plan.fills(listener, listener.projections[k]) else None
            links.append(_Link(counts, depth, engines[listener.name].walkers[k]))
        outputs[source.name] = _Outputs(source.name, links)
        if source.name in engines:
            engines[source.name].outputs = outputs[source.name]
    for engine in engines.values():
        for walker in engine.walkers:
            walker.behind = engines.get(walker.projection.source)

    first = next(engine for engine in plan.engines if engine.main.source == plan.input.name)
    timings: dict[str, _Engine | Gathering] = dict(engines)
    if first.kind is EngineKind.IMAGE:
        timings[first.name] = gathering = Gathering(first, stimulus)
        gathering.run(outputs[first.name])
    else:
        engines[first.name].run(stimulus)
    predictions = tuple(
        EnginePrediction(
            name=engine.name,
            operations=timings[engine.name].operations,
            first_issue=timings[engine.name].first_issue,
            first_execute=timings[engine.name].first_execute,
            last_execute=timings[engine.name].last_execute,
        )
        for engine in plan.engines
    )
    last_output = predictions[-1].last_execute + 2 + plan.readout.neurons - 1
    return Prediction(cycles=last_output + 1, engines=predictions)


class _Engine:
    """In which cycles an engine issues, for all samples at once. Words go by their number.

    Its walkers say when their events are walked. Steps follow each other: the side projections' events, which were
    recorded as they came, then the main one's.
    """

    def __init__(self, plan: EnginePlan, batch: int) -> None:
        self.plan = plan
        self.walkers = [_WALKERS[projection.walker](self, projection, batch) for projection in plan.projections]
        self.outputs: _Outputs | None = None
        self.begun = self.done = -1
        """The last step whose side projections have been walked, and the last one that has ended."""
        self.free = np.zeros(batch, dtype=np.int64)
        """First cycle in which the next operation can issue."""
        self.stepped = self.free
        """`free` at the beginning of the step."""
        self.first_issue = np.full(batch, -1, dtype=np.int64)
        self.operations = np.zeros(batch, dtype=np.int64)
        self.last_word = np.full(batch, -1, dtype=np.int64)
        """Of the operation issued last, where that may make the next one wait."""
        self.last_issue = np.full(batch, _LONG_AGO, dtype=np.int64)
        self.last_swept = np.zeros(batch, dtype=np.bool_)
        """Whether it was a sweep's."""
        self.last_single = np.zeros(batch, dtype=np.bool_)
        """Whether it was a convolution's with a single row for each position."""

    @property
    def main(self) -> _Walker:
        return self.walkers[-1]

    @property
    def first_execute(self) -> IntArray:
        return self.first_issue + self.plan.pipeline

    @property
    def last_execute(self) -> IntArray:
        return self.free - 1 + self.plan.pipeline

    def run(self, stimulus: Stimulus) -> None:
        """Follow all samples through this engine, which hears the network's input, and through all behind it."""
        source = self.main.source(stimulus)
        offered = source.first_offer
        for t in range(stimulus.time_steps):
            self.begin(t)
            # While others have their turn, only what does nothing passes.
            begins = np.maximum(offered + source.leading[t], self.free)
            if self.plan.forwards:
                begins = begins + np.where(source.walks[t], self.waits(0, begins), 0)
            self.free = begins + source.cycles[t] - source.leading[t]
            self.last_word = source.last_word[t]
            self.last_issue = np.where(source.walks[t], self.free - 1 - source.trailing[t], self.last_issue)
            self.last_swept = self.last_swept & ~source.walks[t]
            self.last_single = np.full(len(stimulus), self.main.single)
            if t == 0:
                self.first_issue = np.where(self.first_issue < 0, source.first_issue, self.first_issue)
            self.sweep(t)
            offered = self.free
        self.operations = self.operations + source.operations

    def begin(self, t: int) -> None:
        """Walk what the side projections bring to step `t`."""
        if self.begun >= t:
            return
        self.begun, self.stepped = t, self.free
        for walker in self.walkers[:-1]:
            walker.take_turn(t)

    def advance(self, t: int) -> None:
        """Come to the end of step `t`: of an engine whose main projection was recorded, too."""
        while self.done < t:
            step = self.done + 1
            if self.main.records:
                self.begin(step)
                self.main.walk_recorded(step)
            else:
                assert self.main.behind is not None
                self.main.behind.advance(t)

    def walked(self, operations: IntArray, first: IntArray, worked: npt.NDArray[np.bool_]) -> None:
        """Count events' operations; the first of them is issued at `first` in the samples that have any."""
        self.operations = self.operations + np.where(worked, operations, 0)
        self.first_issue = np.where(worked & (self.first_issue < 0), first, self.first_issue)

    def went_through(self, here: npt.NDArray[np.bool_]) -> None:
        """The operations up to `free` have gone through all words in turn, in these samples."""
        self.last_issue = np.where(here, self.free - 1, self.last_issue)
        self.last_word = np.where(here, self.plan.words - 1, self.last_word)
        self.last_single = self.last_single & ~here
        self.last_swept = self.last_swept & ~here

    def waits(self, word: int, issue: IntArray, *, single: bool = False, sweeps: bool = False) -> Any:
        """Cycles for which an operation on `word` must wait that could be issued at `issue`."""
        if self.plan.forwards:
            return np.where(self.last_swept != sweeps, np.maximum(0, self.last_issue + 3 - issue), 0)
        if not self.plan.waits:
            return 0
        groups = self.plan.layout.groups
        near = (self.last_issue == issue - 1) & (self.last_word >= 0) & (self.last_word // groups == word // groups)
        return near if single else near & self.last_single

    def sweep(self, t: int) -> None:
        """The sweep of step `t`, whose first pass gives the spikes."""
        words, passes = self.plan.words, len(self.plan.passes)
        self.operations = self.operations + words * passes
        self.free = self.free + self.waits(0, self.free, sweeps=True)
        issue = self.free
        for word in range(words) if self.outputs is not None else ():
            assert self.outputs is not None
            issue = np.maximum(self.free, self.outputs.granted())
            if word == 0:
                self.first_issue = np.where(self.first_issue < 0, issue, self.first_issue)
            self.free = issue + 1
            self.outputs.emit(t, word, issue + self.plan.pipeline + self.plan.emission)
        if self.outputs is None:
            self.first_issue = np.where(self.first_issue < 0, issue, self.first_issue)
            self.free = self.free + words
        self.free = self.free + (passes - 1) * words
        self.went_through(np.ones_like(self.free, dtype=np.bool_))
        self.last_swept = np.ones_like(self.free, dtype=np.bool_)
        self.main.ended(self.free - 1)
        self.done = t
        if self.outputs is not None:
            self.outputs.finish(t)


class _Walker:
    """What stands in front of an engine for one of its projections: queue, serialiser and walker."""

    def __init__(self, engine: _Engine, projection: ProjectionPlan, batch: int) -> None:
        self.engine = engine
        self.projection = projection
        self.behind: _Engine | None = None
        """The engine that it listens to; None for the input and for an image engine, which nothing keeps waiting."""
        self.single = projection.walker == "convolution" and projection.row_stride == 1
        self.records = projection is not engine.plan.main
        """Whether words are kept as they come: the source does not wait for this projection."""
        self.recorded: dict[int, list[_Word]] = {}
        self.queueing = projection.queue.latency
        """Cycles from the entry of a spike word into the queue until it can leave."""
        self.serialiser = np.zeros(batch, dtype=np.int64)
        """First cycle in which the serialiser takes the next spike word."""

    def source(self, stimulus: Stimulus) -> _SourceSteps:
        """What the network's input is for this walker, where it hears it."""
        raise NotImplementedError

    def walk(self, word: _Word, available: IntArray) -> tuple[IntArray, IntArray]:
        """Serialise and walk a spike word that can leave the queue at `available`.

        Gives the cycle in which it leaves, and for the last word of a step that from which on its marker is seen.
        """
        raise NotImplementedError

    def ended(self, at: IntArray) -> None:
        """The beat with a step's marker leaves at `at`."""
        raise NotImplementedError

    def accept(self, word: _Word) -> IntArray:
        """Walk a word of the main projection, and sweep if it is the step's last; the cycle in which it leaves."""
        engine = self.engine
        engine.begin(word.step)
        taken, marked = self.walk(word, word.entered + self.queueing)
        if word.present is None:
            engine.free = np.maximum(engine.free, marked)
            engine.sweep(word.step)
        return taken

    def walk_recorded(self, t: int) -> None:
        """`accept`, of all words of a step."""
        for word in self.recorded.pop(t):
            self.accept(word)

    def take_turn(self, t: int) -> None:
        """Walk a side projection's words of step `t`, and hand over to the next one."""
        engine, delay = self.engine, self.projection.delay
        marked = engine.free
        if t >= delay:
            if not self.recorded.get(t - delay) or self.recorded[t - delay][-1].present is not None:
                assert self.behind is not None  # what nothing keeps waiting has sent the step
                self.behind.advance(t - delay)
            for word in self.recorded.pop(t - delay):
                available = word.entered + self.queueing
                _, marked = self.walk(word, np.maximum(available, engine.stepped) if delay else available)
        elif t > 0:
            _, marked = self.walk(_nothing(t, engine.stepped), engine.stepped)
        else:
            return  # An empty step waits from the sample before, and has had its turn.
        hands_over = np.maximum(engine.free, marked)
        self.ended(hands_over)
        engine.free = hands_over + 1


class _DenseWalker(_Walker):
    """``docs/timing.md``, "Walker of dense projections": every event takes all words."""

    def source(self, stimulus: Stimulus) -> _SourceSteps:
        return _dense_source(self.engine.plan, stimulus)

    def walk(self, word: _Word, available: IntArray) -> tuple[IntArray, IntArray]:
        # The serialiser takes a word while the last beat of the word before it leaves, at the earliest.
        engine = self.engine
        taken = np.maximum(available, self.serialiser)
        begins = np.maximum(taken + 1, engine.free)
        here = word.everywhere
        worked = here & (word.events > 0)
        begins = begins + np.where(worked, engine.waits(0, begins), 0)
        walked = engine.plan.words * word.events
        engine.walked(walked, begins, worked)
        engine.free = np.where(worked, begins + walked, engine.free)
        engine.went_through(worked)
        self.serialiser = np.where(here, begins + walked - 1, self.serialiser)
        return taken, begins + walked

    def ended(self, at: IntArray) -> None:
        self.serialiser = at


class _ConvolutionWalker(_Walker):
    """``docs/timing.md``, "Walker of convolutions": an event takes the words that it reaches."""

    def __init__(self, engine: _Engine, projection: ProjectionPlan, batch: int) -> None:
        super().__init__(engine, projection, batch)
        self.reach = reach(engine.plan, projection)
        self.ready = np.zeros(batch, dtype=np.int64)
        """First cycle in which the next beat can move to the register."""
        self.moved = np.zeros(batch, dtype=np.int64)
        self.moved_before = np.zeros(batch, dtype=np.int64)
        """Cycles in which the last beat and the one before it did."""

    def source(self, stimulus: Stimulus) -> _SourceSteps:
        return _convolution_source(self, stimulus)

    def ended(self, at: IntArray) -> None:
        self.ready = at

    def walk(self, word: _Word, available: IntArray) -> tuple[IntArray, IntArray]:
        engine, events = self.engine, word.events
        taken = np.maximum(available, self.serialiser)
        # Through the walker's queue of two: when the first beats enter, and when the first moves to the register.
        first_in = np.maximum(taken, self.moved_before) + 1
        second_in = np.maximum(first_in, self.moved) + 1
        first_moved = np.maximum(first_in + 1, self.ready)
        count, first, last = (int(table[word.number // self.projection.source_layout.groups]) for table in self.reach)
        if count == 0:
            begins, each = first_moved + 1, 1
        else:
            begins = np.maximum(first_moved + 1, engine.free)
            begins = begins + np.where(events > 0, engine.waits(first, begins, single=self.single), 0)
            # Events of one word reach the same: with a single word, each must wait for the one before.
            each = count + (1 if count == 1 and self.single and engine.plan.waits else 0)

        def ended(number: IntArray) -> IntArray:
            """When the register is free of the event of that number, from 1 on; before it, when the first moved."""
            return np.where(number > 0, begins + (number - 1) * each + max(count, 1) - 1, first_moved)

        moved, moved_before = ended(events - 1), np.where(events > 1, ended(events - 2), self.moved)
        last_in = np.where(events > 2, ended(events - 3) + 1, np.where(events > 1, second_in, first_in))
        here, last_issue = word.everywhere, ended(events)
        worked = here & (count * events > 0)
        engine.walked(count * events, begins, worked)
        engine.free = np.where(worked, last_issue + 1, engine.free)
        engine.last_issue = np.where(worked, last_issue, engine.last_issue)
        engine.last_word = np.where(worked, last, engine.last_word)
        engine.last_single = np.where(worked, self.single, engine.last_single)
        engine.last_swept = engine.last_swept & ~worked
        self.serialiser = np.where(here, last_in, self.serialiser)
        self.moved_before = np.where(here, moved_before, self.moved_before)
        self.moved = np.where(here, moved, self.moved)
        self.ready = np.where(here, last_issue, self.ready)
        return taken, np.where(worked, last_issue, moved) + 1


_WALKERS: Final[dict[str, type[_DenseWalker] | type[_ConvolutionWalker]]] = {
    "dense": _DenseWalker,
    "convolution": _ConvolutionWalker,
}
"""By `ProjectionPlan.walker`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Word:
    """Word `number` of time step `step`: in the queue from `entered` on, with so many `events`; all ``(batch,)``.

    `present` says which samples have the word at all; None: it ends the step, in all.
    """

    step: int
    number: int
    entered: IntArray
    events: IntArray
    present: npt.NDArray[np.bool_] | None

    @property
    def everywhere(self) -> npt.NDArray[np.bool_]:
        """`present`, where it is an array."""
        return np.ones_like(self.events, dtype=np.bool_) if self.present is None else self.present


def _nothing(step: int, entered: IntArray) -> _Word:
    """The word of an empty step."""
    return _Word(step=step, number=0, entered=entered, events=np.zeros_like(entered), present=None)


class _Link:
    """A queue between two engines, and the rule that keeps it from overflowing.

    A sweep counts against the depth from its issue until it has executed without entering, or until its word was taken
    from the queue. That makes each of the `depth` entries a credit with the cycle in which it is free again; a sweep
    takes the one that is free first. Without a depth, there always is one.
    """

    def __init__(self, counts: IntArray, depth: int | None, consumer: _Walker) -> None:
        self.counts = counts
        self.consumer = consumer
        self.credits = None if depth is None else np.zeros((depth, counts.shape[-1]), dtype=np.int64)
        consumer.records = depth is None

    def granted(self) -> Any:
        """First cycle in which another sweep may issue."""
        return 0 if self.credits is None else self.credits.min(axis=0)

    def emit(self, t: int, word: int, executed: IntArray) -> None:
        """Word `word` of step `t` comes out of the sweep; its credit is the one that was granted."""
        events = self.counts[t, word]
        present = events > 0 if word < len(self.counts[t]) - 1 else None
        sent = _Word(step=t, number=word, entered=executed, events=events, present=present)
        if self.credits is None:
            self.consumer.recorded.setdefault(t, []).append(sent)
            return
        released = self.consumer.accept(sent)
        if present is not None:
            released = np.where(present, released, executed)
        credit = self.credits.argmin(axis=0)
        np.put_along_axis(self.credits, credit[np.newaxis], released[np.newaxis] + 1, axis=0)


class _Outputs:
    """All that listens to one engine. What its words are recorded for comes first, and what it waits for at the end."""

    def __init__(self, name: str, links: list[_Link]) -> None:
        self._links = sorted(links, key=lambda link: link.credits is not None)
        if sum(link.credits is not None for link in links) > 1:
            raise UnsupportedError(
                f"The performance model follows one queue that fills behind each engine; '{name}' has several."
            )

    def granted(self) -> Any:
        """First cycle in which another sweep may issue."""
        return self._links[-1].granted() if self._links else 0

    def emit(self, t: int, word: int, executed: IntArray) -> None:
        """Word `word` of step `t` comes out of the sweep."""
        for link in self._links:
            link.emit(t, word, executed)

    def finish(self, t: int) -> None:
        """All words of step `t` are out."""
        for link in self._links:
            walker = link.consumer
            if link.credits is None and walker is walker.engine.main:
                walker.engine.advance(t)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _SourceSteps:
    """The first engine's input: it is never kept waiting, so its beats come down to sums per step.

    Attributes
    ----------
    first_offer
        Cycle in which the first beat is offered to the walker, shape ``(batch,)``.
    first_issue
        Cycle of the first operation, shape ``(batch,)``.
    operations
        Of each sample but its sweeps, shape ``(batch,)``.
    cycles
        Of the walker from the start of each step to its first sweep operation, shape ``(time, batch)``.
    leading
        Of these, for beats that do nothing and for which the walker needs no turn, shape ``(time, batch)``.
    walks
        Whether the step has an operation of an event, shape ``(time, batch)``.
    trailing
        Cycles after the last one of them, for beats that do nothing, shape ``(time, batch)``.
    last_word
        Number of the word of the operation just before that one, -1 where there is none, shape ``(time, batch)``.
    """

    first_offer: IntArray
    first_issue: IntArray
    operations: IntArray
    cycles: IntArray
    leading: IntArray
    walks: npt.NDArray[np.bool_]
    trailing: IntArray
    last_word: IntArray


def _dense_source(engine: EnginePlan, stimulus: Stimulus) -> _SourceSteps:
    direct = engine.main.digits is not None
    marker = stimulus.marker != Marker.NONE
    events = np.where(stimulus.event, digit_count(stimulus.value) if direct else 1, 0)
    issuing = marker | (events > 0)
    # A queue of one entry takes the next beat only after the cycle that empties it: every beat comes a cycle late.
    late = 0 if direct or engine.main.queue.depth > 1 else 1
    cycles = np.where(issuing, engine.words * (events + marker if direct else events), 1) + late

    steps = np.flatnonzero(marker)
    _check_markers(stimulus, steps)
    begins = np.concatenate([np.zeros(1, dtype=np.int64), steps + 1])[:-1]
    walks, trailing = _walking(stimulus, events > 0, begins, steps)
    first_beats = np.flatnonzero(issuing)[np.searchsorted(np.flatnonzero(issuing), stimulus.offsets[:-1])]
    return _SourceSteps(
        first_offer=np.full(len(stimulus), 1 - late, dtype=np.int64),
        first_issue=1 + (first_beats - stimulus.offsets[:-1]) * (1 + late),
        operations=engine.words * np.add.reduceat(events + (marker if direct else 0), stimulus.offsets[:-1]),
        cycles=np.add.reduceat(cycles, begins).reshape(len(stimulus), stimulus.time_steps).T,
        leading=np.zeros((stimulus.time_steps, len(stimulus)), dtype=np.int64),
        walks=walks,
        trailing=trailing,
        last_word=np.full((stimulus.time_steps, len(stimulus)), -1, dtype=np.int64),
    )


def _convolution_source(walker: _ConvolutionWalker, stimulus: Stimulus) -> _SourceSteps:
    """Events from the port to a convolution: a beat takes its operations, and waits for the one before at most once."""
    marker = stimulus.marker != Marker.NONE
    steps = np.flatnonzero(marker)
    _check_markers(stimulus, steps)
    engine, source = walker.engine.plan, walker.projection.source_layout
    position = stimulus.address % (source.rows * source.columns)
    count, first, last = (table[position] for table in walker.reach)
    count = np.where(stimulus.event, count, 0)
    walks = count > 0
    # What was issued in the cycle before a beat's first operation: by the beat before, or by the sweep of its marker.
    before = np.full(stimulus.beats, -1, dtype=np.int64)
    # With side projections there is a cycle between the two.
    swept_last = engine.words - 1 if len(engine.projections) == 1 else -1
    before[1:] = np.where(marker[:-1], swept_last, np.where(walks[:-1], last[:-1], -1))
    before[stimulus.offsets[:-1]] = -1
    groups = engine.layout.groups
    waits = walks & walker.single & engine.waits & (before >= 0) & (before // groups == first // groups)
    idle = ~walks & ~marker
    cycles = count + waits + idle

    begins = np.concatenate([np.zeros(1, dtype=np.int64), steps + 1])[:-1]
    walking, trailing = _walking(stimulus, walks, begins, steps)
    swept = np.concatenate([np.zeros(1, dtype=np.bool_), marker[:-1]])
    last_word = np.where(walks, last, np.where(swept, -1, before))[steps]
    issuing = walks | marker
    first_beats = np.flatnonzero(issuing)[np.searchsorted(np.flatnonzero(issuing), stimulus.offsets[:-1])]
    shape = (len(stimulus), stimulus.time_steps)
    leading = np.flatnonzero(~idle)[np.searchsorted(np.flatnonzero(~idle), begins)] - begins
    return _SourceSteps(
        first_offer=np.full(len(stimulus), 3, dtype=np.int64),
        first_issue=3 + first_beats - stimulus.offsets[:-1],
        operations=np.add.reduceat(count, stimulus.offsets[:-1]),
        cycles=np.add.reduceat(cycles, begins).reshape(shape).T,
        leading=leading.reshape(shape).T,
        walks=walking,
        trailing=trailing,
        last_word=last_word.reshape(shape).T,
    )


def _walking(
    stimulus: Stimulus, walks: npt.NDArray[np.bool_], begins: IntArray, ends: IntArray
) -> tuple[npt.NDArray[np.bool_], IntArray]:
    """Which steps have a beat that walks, and the beats that do nothing after the last of these; ``(time, batch)``.

    `begins` and `ends` are the first and the last beat of each step.
    """
    shape = (len(stimulus), stimulus.time_steps)
    last = np.maximum.accumulate(np.where(walks, np.arange(len(walks)), -1))[ends]
    trailing = np.maximum(0, ends - 1 - last)
    return (last >= begins).reshape(shape).T, trailing.reshape(shape).T


def digit_count(values: npt.NDArray[Any]) -> IntArray:
    """Digits that are not 0 in the non-adjacent form of each value.

    Prodinger, "On binary representations of integers with digits -1, 0, 1" (2000): they stand where ``x`` and ``3x``
    differ.
    """
    wide = values.astype(np.int64)
    return np.bitwise_count(wide ^ (3 * wide)).astype(np.int64)


def _spikes_per_word(layout: LayoutPlan, spikes: npt.NDArray[Any]) -> IntArray:
    """``(time, batch, neuron)`` to ``(time, word, batch)``: words by row, column and group of channels."""
    time_steps, batch, _ = spikes.shape
    positions = layout.rows * layout.columns
    padded = np.zeros((time_steps, batch, layout.groups * layout.lanes, positions), dtype=np.bool_)
    padded[:, :, : layout.channels] = spikes.reshape(time_steps, batch, layout.channels, positions)
    grouped = padded.reshape(time_steps, batch, layout.groups, layout.lanes, positions)
    counts = np.count_nonzero(grouped, axis=3).transpose(0, 3, 2, 1)  # time, position, group, batch
    return np.ascontiguousarray(counts.reshape(time_steps, layout.words, batch), dtype=np.int64)


@functools.cache
def reach(engine: EnginePlan, projection: ProjectionPlan) -> tuple[IntArray, IntArray, IntArray]:
    """Operations of an event at each source position, and the words (up to the group) of the first and the last."""
    source, target = projection.source_layout, engine.layout
    at_once = engine.columns_at_once(projection)
    rows, columns = seen(projection, 0, target.rows), seen(projection, 1, target.columns)
    count, first, last = (np.zeros((source.rows, source.columns), dtype=np.int64) for _ in range(3))
    for y, down in enumerate(rows):
        for x, across in enumerate(columns):
            count[y, x] = len(down) * -(-len(across) // at_once) * projection.row_stride
            if count[y, x]:
                first[y, x] = (down[0] * target.columns + across[0]) * target.groups
                last[y, x] = (down[-1] * target.columns + across[-1]) * target.groups
    return count.reshape(-1), first.reshape(-1), last.reshape(-1)


def seen(projection: ProjectionPlan, axis: int, size: int) -> tuple[tuple[int, ...], ...]:
    """Along an axis, the places of a target of `size` that see each of the source's through the kernel, in order."""
    assert projection.kernel is not None
    return _seen(projection.kernel, axis, projection.pool, projection.source_layout.sizes[axis], size)


@functools.cache
def _seen(kernel: KernelPlan, axis: int, pool: int, sources: int, size: int) -> tuple[tuple[int, ...], ...]:
    stride, padding = kernel.stride[axis], kernel.padding[axis]
    taps = {tap * kernel.dilation[axis] for tap in range(kernel.size[axis])}
    return tuple(
        tuple(out for out in range(size) if place // pool + padding - out * stride in taps) for place in range(sources)
    )


def _check_markers(stimulus: Stimulus, steps: IntArray) -> None:
    """Every sample has its number of steps, and ends with the marker that says so."""
    ends = np.flatnonzero(stimulus.marker == Marker.SAMPLE)
    if len(steps) != len(stimulus) * stimulus.time_steps or not np.array_equal(ends + 1, stimulus.offsets[1:]):
        raise ValueError(f"every sample must have {stimulus.time_steps} end-of-step markers, the last one its end")
