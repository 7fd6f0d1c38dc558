"""The performance model: ``docs/timing.md`` in NumPy, exact to the cycle for chains of engines.

No cycle is stepped through. Every beat and every spike word is handled once, in the order in which it moves, as times
of whole batches: a stretch of accumulate operations is one addition, and what two stages do to each other is a maximum.
Nothing that happens to a word depends on a later word, so each can be followed through all engines before the next one,
and back-pressure through any depth comes out exact.

Cycle 0 is the handshake of a sample's first input beat.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import UnsupportedError
from snnc.compiler.plan import EngineKind, EnginePlan, LayoutPlan, Plan
from snnc.sim.gathering import Gathering
from snnc.sim.stimulus import Marker, Stimulus

__all__ = ["EnginePrediction", "Prediction", "digit_count", "predict", "reach"]

IntArray: TypeAlias = npt.NDArray[np.int64]


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
        A chain: every engine has one projection, from the engine before it.
    stimulus
        The samples' input beats.
    spikes
        Of every spiking engine by name, ``(time, batch, neuron)``, as the golden model gives them.

    Raises
    ------
    UnsupportedError
        The plan is no chain.
    """
    _check_chain(plan)
    batch = len(stimulus)
    counts = [_spikes_per_word(engine.layout, spikes[engine.name]) for engine in plan.engines[:-1]]
    last = _walker(plan.readout, batch)
    walkers: list[_Walker | Gathering] = [last]
    link: _Link | None = None
    for engine, after, emitted in zip(plan.engines[-2::-1], plan.engines[:0:-1], counts[::-1], strict=True):
        link = _Link(emitted, after.projections[0].queue.depth, last)
        if engine.kind is EngineKind.IMAGE:
            walkers.insert(0, Gathering(engine, stimulus))
        else:
            last = _walker(engine, batch, link)
            walkers.insert(0, last)

    first = walkers[0]
    if isinstance(first, Gathering):
        assert link is not None  # it always has an engine behind it
        first.run(link)
    else:
        first.run(plan, stimulus)
    engines = [
        EnginePrediction(
            name=engine.name,
            operations=walker.operations,
            first_issue=walker.first_issue,
            first_execute=walker.first_execute,
            last_execute=walker.last_execute,
        )
        for engine, walker in zip(plan.engines, walkers, strict=True)
    ]
    last_output = engines[-1].last_execute + 2 + plan.readout.neurons - 1
    return Prediction(cycles=last_output + 1, engines=tuple(engines))


class _Walker:
    """An engine's walker: in which cycles it issues, for all samples at once. Words go by their number."""

    def __init__(self, engine: EnginePlan, batch: int, link: _Link | None = None) -> None:
        (self.projection,) = engine.projections
        self.layout = engine.layout
        self.words = engine.words
        self.pipeline = engine.pipeline
        self.link = link
        self.queueing = 1 if self.projection.queue.memory is None else 2
        """Cycles from the entry of a spike word into the queue until it can leave."""
        self.free = np.zeros(batch, dtype=np.int64)
        """First cycle in which the next operation can issue."""
        self.first_issue = np.full(batch, -1, dtype=np.int64)
        self.operations = np.zeros(batch, dtype=np.int64)
        self.last_word = np.full(batch, -1, dtype=np.int64)
        """Of the operation issued last, where that may make the next one wait."""
        self.last_issue = np.full(batch, -1, dtype=np.int64)
        self.last_swept = np.zeros(batch, dtype=np.bool_)
        """Whether it was a sweep's."""

    @property
    def first_execute(self) -> IntArray:
        return self.first_issue + self.pipeline

    @property
    def last_execute(self) -> IntArray:
        return self.free - 1 + self.pipeline

    def run(self, plan: Plan, stimulus: Stimulus) -> None:
        """Follow all samples through this walker, the first one, and through all that stand behind it."""
        source = self.source(plan, stimulus)
        self.free = source.first_offer
        for t in range(stimulus.time_steps):
            self.free = self.free + source.cycles[t]
            self.last_word, self.last_issue = source.last_word[t], self.free - 1
            self.last_swept = np.zeros(len(stimulus), dtype=np.bool_)
            self.sweep(t)
        self.first_issue = source.first_issue
        self.operations = self.operations + source.operations

    def source(self, plan: Plan, stimulus: Stimulus) -> _SourceSteps:
        """What the network's input is for this walker, where it is the first."""
        raise NotImplementedError

    def accept(
        self, t: int, word: int, entered: IntArray, events: IntArray, present: npt.NDArray[np.bool_] | None
    ) -> IntArray:
        """Serialise and walk a spike word that entered the queue at `entered`; the cycle in which it left the queue.

        `events` are its set bits. `present` says which samples have the word at all; None: it ends step `t`, in all.
        """
        raise NotImplementedError

    def waits(self, word: int, issue: IntArray, *, sweeps: bool) -> Any:
        """Cycles for which an operation on `word` must wait that could be issued at `issue`: 0 or 1."""
        return 0

    def sweep(self, t: int) -> None:
        """The sweep operations of step `t`."""
        self.operations = self.operations + self.words
        self.free = self.free + self.waits(0, self.free, sweeps=True)
        if self.link is None:
            self.free = self.free + self.words
            return
        for word in range(self.words):
            issue = np.maximum(self.free, self.link.granted())
            self.free = issue + 1
            self.link.emit(t, word, issue + self.pipeline)


class _DenseWalker(_Walker):
    """``docs/timing.md``, "Walker of dense projections": every event takes all words."""

    def source(self, plan: Plan, stimulus: Stimulus) -> _SourceSteps:
        return _dense_source(plan, stimulus)

    def accept(
        self, t: int, word: int, entered: IntArray, events: IntArray, present: npt.NDArray[np.bool_] | None
    ) -> IntArray:
        # The serialiser takes a word while the last beat of the word before it leaves, at the earliest.
        taken = np.maximum(entered + self.queueing, self.free - 1)
        begins = taken + 1
        walked = self.words * events
        if present is None:
            self.first_issue = np.where(self.first_issue < 0, begins, self.first_issue)
            self.free = begins + walked
            self.operations = self.operations + walked
            self.sweep(t)
        else:
            self.first_issue = np.where(present & (self.first_issue < 0), begins, self.first_issue)
            self.free = np.where(present, begins + walked, self.free)
            self.operations = self.operations + np.where(present, walked, 0)
        return taken


class _ConvolutionWalker(_Walker):
    """``docs/timing.md``, "Walker of convolutions": an event takes the words that it reaches."""

    def __init__(self, engine: EnginePlan, batch: int, link: _Link | None = None) -> None:
        super().__init__(engine, batch, link)
        self.reach = reach(engine)
        self.hazard = self.projection.row_stride == 1
        self.ready = np.zeros(batch, dtype=np.int64)
        """First cycle in which the next beat can move to the register."""
        self.moved = np.zeros(batch, dtype=np.int64)
        self.moved_before = np.zeros(batch, dtype=np.int64)
        """Cycles in which the last beat and the one before it did."""
        self.serialiser = np.zeros(batch, dtype=np.int64)
        """First cycle in which the serialiser takes the next spike word."""

    def source(self, plan: Plan, stimulus: Stimulus) -> _SourceSteps:
        return _convolution_source(self, plan, stimulus)

    def waits(self, word: int, issue: IntArray, *, sweeps: bool) -> Any:
        if not self.hazard:
            return 0
        groups = self.layout.groups
        near = (self.last_issue == issue - 1) & (self.last_word >= 0) & (self.last_word // groups == word // groups)
        # A sweep goes through the groups of a position one after the other.
        return near & ~self.last_swept if sweeps and groups > 1 else near

    def sweep(self, t: int) -> None:
        super().sweep(t)
        self.ready = self.last_issue = self.free - 1
        self.last_word = np.full_like(self.free, self.words - 1)
        self.last_swept = np.ones_like(self.free, dtype=np.bool_)

    def accept(
        self, t: int, word: int, entered: IntArray, events: IntArray, present: npt.NDArray[np.bool_] | None
    ) -> IntArray:
        taken = np.maximum(entered + self.queueing, self.serialiser)
        # Through the walker's queue of two: when the first beats enter, and when the first moves to the register.
        first_in = np.maximum(taken, self.moved_before) + 1
        second_in = np.maximum(first_in, self.moved) + 1
        first_moved = np.maximum(first_in + 1, self.ready)
        count, first, last = (int(table[word // self.projection.source_layout.groups]) for table in self.reach)
        if count == 0:
            begins, each = first_moved + 1, 1
        else:
            begins = first_moved + 1 + np.where(events > 0, self.waits(first, first_moved + 1, sweeps=False), 0)
            # Events of one word reach the same: with a single word, each must wait for the one before.
            each = count + (1 if count == 1 and self.hazard else 0)

        def ended(number: IntArray) -> IntArray:
            """When the register is free of the event of that number, from 1 on; before it, when the first moved."""
            return np.where(number > 0, begins + (number - 1) * each + max(count, 1) - 1, first_moved)

        issued = count * events
        moved, moved_before = ended(events - 1), np.where(events > 1, ended(events - 2), self.moved)
        last_in = np.where(events > 2, ended(events - 3) + 1, np.where(events > 1, second_in, first_in))
        ready = last_issue = ended(events)
        here = np.ones_like(taken, dtype=np.bool_) if present is None else present
        worked = here & (issued > 0)
        self.operations = self.operations + np.where(here, issued, 0)
        self.first_issue = np.where(worked & (self.first_issue < 0), begins, self.first_issue)
        self.last_issue = np.where(worked, last_issue, self.last_issue)
        self.last_word = np.where(worked, last, self.last_word)
        self.last_swept = self.last_swept & ~worked
        self.serialiser = np.where(here, last_in, self.serialiser)
        self.moved_before = np.where(here, moved_before, self.moved_before)
        self.moved = np.where(here, moved, self.moved)
        self.ready = np.where(here, ready, self.ready)
        if present is None:
            self.free = np.where(worked, last_issue, moved) + 1
            before = self.first_issue < 0
            starts = self.free + self.waits(0, self.free, sweeps=True)
            if self.link is not None:
                starts = np.maximum(starts, self.link.granted())
            self.first_issue = np.where(before, starts, self.first_issue)
            self.sweep(t)
        return taken


def _walker(engine: EnginePlan, batch: int, link: _Link | None = None) -> _Walker:
    (projection,) = engine.projections
    match projection.walker:
        case "dense":
            return _DenseWalker(engine, batch, link)
        case "convolution":
            return _ConvolutionWalker(engine, batch, link)
        case other:
            raise UnsupportedError(f"The performance model knows no walker {other!r}; engine '{engine.name}' has it.")


class _Link:
    """The queue between two engines, and the rule that keeps it from overflowing.

    A sweep counts against the depth from its issue until it has executed without entering, or until its word was taken
    from the queue. That makes each of the `depth` entries a credit with the cycle in which it is free again; a sweep
    takes the one that is free first.
    """

    def __init__(self, counts: IntArray, depth: int, consumer: _Walker) -> None:
        self.counts = counts
        self.consumer = consumer
        self.credits = np.zeros((depth, counts.shape[-1]), dtype=np.int64)

    def granted(self) -> IntArray:
        """First cycle in which another sweep may issue."""
        return self.credits.min(axis=0)

    def emit(self, t: int, word: int, executed: IntArray) -> None:
        """Word `word` of step `t` comes out of the sweep; its credit is the one that was granted."""
        events = self.counts[t, word]
        if word == len(self.counts[t]) - 1:
            released = self.consumer.accept(t, word, executed, events, None)
        else:
            present = events > 0
            released = np.where(present, self.consumer.accept(t, word, executed, events, present), executed)
        credit = self.credits.argmin(axis=0)
        np.put_along_axis(self.credits, credit[np.newaxis], released[np.newaxis] + 1, axis=0)


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
    last_word
        Number of the word of the operation just before that one, -1 where there is none, shape ``(time, batch)``.
    """

    first_offer: IntArray
    first_issue: IntArray
    operations: IntArray
    cycles: IntArray
    last_word: IntArray


def _dense_source(plan: Plan, stimulus: Stimulus) -> _SourceSteps:
    engine = plan.engines[0]
    direct = _digits(engine)
    marker = stimulus.marker != Marker.NONE
    events = np.where(stimulus.event, digit_count(stimulus.value) if direct else 1, 0)
    issuing = marker | (events > 0)
    # A queue of one entry takes the next beat only after the cycle that empties it: every beat comes a cycle late.
    late = 0 if direct or engine.projections[0].queue.depth > 1 else 1
    cycles = np.where(issuing, engine.words * (events + marker if direct else events), 1) + late

    steps = np.flatnonzero(marker)
    _check_markers(stimulus, steps)
    begins = np.concatenate([np.zeros(1, dtype=np.int64), steps + 1])[:-1]
    first_beats = np.flatnonzero(issuing)[np.searchsorted(np.flatnonzero(issuing), stimulus.offsets[:-1])]
    return _SourceSteps(
        first_offer=np.full(len(stimulus), 1 - late, dtype=np.int64),
        first_issue=1 + (first_beats - stimulus.offsets[:-1]) * (1 + late),
        operations=engine.words * np.add.reduceat(events + (marker if direct else 0), stimulus.offsets[:-1]),
        cycles=np.add.reduceat(cycles, begins).reshape(len(stimulus), stimulus.time_steps).T,
        last_word=np.full((stimulus.time_steps, len(stimulus)), -1, dtype=np.int64),
    )


def _convolution_source(walker: _ConvolutionWalker, plan: Plan, stimulus: Stimulus) -> _SourceSteps:
    """Events from the port to a convolution: a beat takes its operations, and waits for the one before at most once."""
    marker = stimulus.marker != Marker.NONE
    steps = np.flatnonzero(marker)
    _check_markers(stimulus, steps)
    source = walker.projection.source_layout
    position = stimulus.address % (source.rows * source.columns)
    count, first, last = (table[position] for table in walker.reach)
    count = np.where(stimulus.event, count, 0)
    walks = count > 0
    # What was issued in the cycle before a beat's first operation: by the beat before, or by the sweep of its marker.
    before = np.full(stimulus.beats, -1, dtype=np.int64)
    before[1:] = np.where(marker[:-1], walker.words - 1, np.where(walks[:-1], last[:-1], -1))
    before[stimulus.offsets[:-1]] = -1
    groups = walker.layout.groups
    waits = walks & walker.hazard & (before >= 0) & (before // groups == first // groups)
    idle = ~walks & ~marker
    cycles = count + waits + idle

    begins = np.concatenate([np.zeros(1, dtype=np.int64), steps + 1])[:-1]
    swept = np.concatenate([np.zeros(1, dtype=np.bool_), marker[:-1]])
    last_word = np.where(walks, last, np.where(swept & (groups > 1), -1, before))[steps]
    issuing = walks | marker
    first_beats = np.flatnonzero(issuing)[np.searchsorted(np.flatnonzero(issuing), stimulus.offsets[:-1])]
    shape = (len(stimulus), stimulus.time_steps)
    return _SourceSteps(
        first_offer=np.full(len(stimulus), 3, dtype=np.int64),
        first_issue=3 + first_beats - stimulus.offsets[:-1],
        operations=np.add.reduceat(count, stimulus.offsets[:-1]),
        cycles=np.add.reduceat(cycles, begins).reshape(shape).T,
        last_word=last_word.reshape(shape).T,
    )


def digit_count(values: npt.NDArray[Any]) -> IntArray:
    """Digits that are not 0 in the non-adjacent form of each value.

    Prodinger, "On binary representations of integers with digits -1, 0, 1" (2000): they stand where ``x`` and ``3x``
    differ.
    """
    wide = values.astype(np.int64)
    return np.bitwise_count(wide ^ (3 * wide)).astype(np.int64)


def _digits(engine: EnginePlan) -> bool:
    return engine.projections[0].digits is not None


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
def reach(engine: EnginePlan) -> tuple[IntArray, IntArray, IntArray]:
    """Operations of an event at each source position, and the words (up to the group) of the first and the last."""
    (projection,) = engine.projections
    kernel, source, target = projection.kernel, projection.source_layout, engine.layout
    assert kernel is not None

    def seen(axis: int, place: int, size: int) -> list[int]:
        """The target's places that see a source place through some kernel position, in order."""
        return [
            out
            for out in range(size)
            if any(
                out * kernel.stride[axis] + tap * kernel.dilation[axis] - kernel.padding[axis]
                == place // projection.pool
                for tap in range(kernel.size[axis])
            )
        ]

    rows = [seen(0, place, target.rows) for place in range(source.rows)]
    columns = [seen(1, place, target.columns) for place in range(source.columns)]
    count, first, last = (np.zeros((source.rows, source.columns), dtype=np.int64) for _ in range(3))
    for y, down in enumerate(rows):
        for x, across in enumerate(columns):
            count[y, x] = len(down) * len(across) * projection.row_stride
            if count[y, x]:
                first[y, x] = (down[0] * target.columns + across[0]) * target.groups
                last[y, x] = (down[-1] * target.columns + across[-1]) * target.groups
    return count.reshape(-1), first.reshape(-1), last.reshape(-1)


def _check_chain(plan: Plan) -> None:
    sources = [plan.input.name, *(engine.name for engine in plan.engines)]
    for engine, source in zip(plan.engines, sources, strict=False):
        if [projection.source for projection in engine.projections] != [source]:
            raise UnsupportedError(
                f"The performance model covers chains; '{engine.name}' of '{plan.name}' does not read '{source}' alone."
            )


def _check_markers(stimulus: Stimulus, steps: IntArray) -> None:
    """Every sample has its number of steps, and ends with the marker that says so."""
    ends = np.flatnonzero(stimulus.marker == Marker.SAMPLE)
    if len(steps) != len(stimulus) * stimulus.time_steps or not np.array_equal(ends + 1, stimulus.offsets[1:]):
        raise ValueError(f"every sample must have {stimulus.time_steps} end-of-step markers, the last one its end")
