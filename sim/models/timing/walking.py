"""What every walker's timing has in common: the queue and the serialiser in front of it, and its turns.

Each kind of walk has a subclass of `Walker` in its folder below `rtl/walkers/`, written from ``docs/timing.md``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from snnc.compiler.plan import EnginePlan, ProjectionPlan
from snnc.sim.models.stimulus import Marker, Stimulus
from snnc.sim.models.timing.timeline import Record

__all__ = [
    "BeatQueue",
    "EngineState",
    "EngineTiming",
    "SourceSteps",
    "SpikeLink",
    "Walker",
    "Word",
    "check_markers",
    "first_markers",
    "steps_walked",
]

IntArray: TypeAlias = npt.NDArray[np.int64]


class EngineTiming(Protocol):
    """When an engine works; each kind has one, ``Timing``, made of its plan and the stimulus. Arrays are ``(batch,)``.

    Attributes
    ----------
    walkers
        In front of it, in the order of its projections; none where nothing behind another engine is walked.
    outputs
        What listens to it; set before anything runs, None for a readout.
    answered
        Of a readout: by the number of steps taken, the cycle in which it is known whether the sample ends with them; or
        of a stream, that in which the last of the logits leaves.
    settled
        Of a readout: the first cycle after the last operation that the logits of a sample wait for.
    operations
        That it does; known at the end, as all that follow.
    first_issue, first_execute, last_execute
        Cycles of its operations.
    record
        Where its operations of a batch of one sample are noted down, if they are; set before anything runs.
    """

    walkers: list[Walker]
    record: Record | None
    outputs: SpikeLink | None
    answered: dict[int, IntArray]
    settled: IntArray
    operations: IntArray

    @property
    def first_issue(self) -> IntArray: ...

    @property
    def first_execute(self) -> IntArray: ...

    @property
    def last_execute(self) -> IntArray: ...

    def run(self) -> None:
        """Follow all samples through an engine that hears the network's input, and through all behind it."""

    def advance(self, t: int) -> None:
        """Come to the end of step `t`."""


class SpikeLink(Protocol):
    """The queues behind an engine, and the rule that keeps them from overflowing."""

    def granted(self) -> Any:
        """First cycle in which another sweep may issue; shape ``(batch,)``."""

    def emit(self, t: int, word: int, executed: IntArray) -> None:
        """The next sweep, of the `word`-th word in step `t`, executes at `executed`."""

    def finish(self, t: int) -> None:
        """All words of step `t` are out."""


class EngineState(Protocol):
    """The engine that walkers take turns in; `snnc.sim.models.timing.exact` has it. Arrays are ``(batch,)``."""

    plan: EnginePlan
    free: IntArray
    """First cycle in which the next operation can issue."""
    stepped: IntArray
    """First cycle after the last operation of the step before."""
    last_word: IntArray
    """Of the operation issued last, where that may make the next one wait."""
    last_issue: IntArray
    last_swept: npt.NDArray[np.bool_]
    """Whether it was a sweep's."""
    last_single: npt.NDArray[np.bool_]
    """Whether it was that of a walk that may return to its word."""

    @property
    def main(self) -> Walker:
        """The walker whose markers end the steps."""

    def begin(self, t: int) -> None:
        """Walk what the side projections bring to step `t`."""

    def advance(self, t: int) -> None:
        """Come to the end of step `t`."""

    def sweep(self, t: int) -> None:
        """The sweep of step `t`."""

    def walked(self, operations: IntArray, first: IntArray, last: IntArray, worked: npt.NDArray[np.bool_]) -> None:
        """Count events' operations, issued from `first` to `last` in the samples that have any."""

    def went_through(self, here: npt.NDArray[np.bool_]) -> None:
        """The operations up to `free` have gone through all words in turn, in these samples."""

    def waits(self, word: int, issue: IntArray, *, single: bool = False, sweeps: bool = False) -> Any:
        """Cycles for which an operation on `word` must wait that could be issued at `issue`."""


class Walker(ABC):
    """What stands in front of an engine for one of its projections: queue, serialiser and walker."""

    def __init__(self, engine: EngineState, projection: ProjectionPlan, batch: int) -> None:
        self.engine = engine
        self.projection = projection
        self.behind: EngineTiming | None = None
        """The engine that it listens to; None for the input and for an image engine, which nothing keeps waiting."""
        self.single = projection.walk.returns
        self.records = projection is not engine.plan.main
        """Whether words are kept as they come: the source does not wait for this projection."""
        self.recorded: dict[int, list[Word]] = {}
        self.queueing = projection.queue.latency
        """Cycles from the entry of a spike word into the queue until it can leave."""
        self.serialiser = np.zeros(batch, dtype=np.int64)
        """First cycle in which the serialiser takes the next spike word."""

    @abstractmethod
    def source(self, stimulus: Stimulus) -> SourceSteps:
        """What the network's input is for this walker, where it hears it."""

    @abstractmethod
    def walk(self, word: Word, available: IntArray) -> tuple[IntArray, IntArray]:
        """Serialise and walk a spike word that can leave the queue at `available`.

        Gives the cycle in which it leaves, and for the last word of a step that from which on its marker is seen.
        """

    @abstractmethod
    def ended(self, at: IntArray) -> None:
        """The beat with a step's marker leaves at `at`."""

    def accept(self, word: Word) -> IntArray:
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
            _, marked = self.walk(nothing(t, engine.stepped), engine.stepped)
        else:
            return  # An empty step waits from the sample before, and has had its turn.
        hands_over = np.maximum(engine.free, marked)
        self.ended(hands_over)
        engine.free = hands_over + 1


class BeatQueue:
    """The queue of two beats in front of some walkers: a beat enters when the one before the one before it has left."""

    def __init__(self, batch: int) -> None:
        self.left = self._left_before = np.full(batch, -1, dtype=np.int64)
        """Cycles in which the last beat and the one before it left."""

    def enter(self, taken: IntArray) -> IntArray:
        """When the first beat enters of a word that the serialiser takes at `taken`."""
        first: IntArray = np.maximum(taken, self._left_before) + 1
        self._first, self._second = first, np.maximum(first, self.left) + 1
        return first

    def leave(self, here: npt.NDArray[np.bool_], beats: IntArray, left: Callable[[int], IntArray]) -> IntArray:
        """When the last of the word's `beats` enters, of which the `k`-th from the last leaves at ``left(k)``.

        The samples that are not `here` have no such word.
        """
        several = beats > 1
        last: IntArray = np.where(beats > 2, left(2) + 1, np.where(several, self._second, self._first))
        self._left_before = np.where(here, np.where(several, left(1), self.left), self._left_before)
        self.left = np.where(here, left(0), self.left)
        return last


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Word:
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


def nothing(step: int, entered: IntArray) -> Word:
    """The word of an empty step."""
    return Word(step=step, number=0, entered=entered, events=np.zeros_like(entered), present=None)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SourceSteps:
    """The first engine's input: it is never kept waiting, so its beats come down to sums per step.

    Attributes
    ----------
    first_offer
        Cycle in which the first beat is offered to the walker, shape ``(batch,)``.
    first_issue
        Cycle of the first operation, shape ``(batch,)``.
    operations
        Of each step but its sweep, shape ``(time, batch)``.
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


def steps_walked(
    stimulus: Stimulus, walks: npt.NDArray[np.bool_], begins: IntArray, ends: IntArray
) -> tuple[npt.NDArray[np.bool_], IntArray]:
    """Which steps have a beat that walks, and the beats that do nothing after the last of these; ``(time, batch)``.

    `begins` and `ends` are the first and the last beat of each step.
    """
    shape = (len(stimulus), stimulus.time_steps)
    last = np.maximum.accumulate(np.where(walks, np.arange(len(walks)), -1))[ends]
    trailing = np.maximum(0, ends - 1 - last)
    return (last >= begins).reshape(shape).T, trailing.reshape(shape).T


def check_markers(stimulus: Stimulus, steps: IntArray) -> None:
    """Every sample has its number of steps, and ends with the marker that says so."""
    ends = np.flatnonzero(stimulus.marker == Marker.SAMPLE)
    if len(steps) != len(stimulus) * stimulus.time_steps or not np.array_equal(ends + 1, stimulus.offsets[1:]):
        raise ValueError(f"every sample must have {stimulus.time_steps} end-of-step markers, the last one its end")


def first_markers(stimulus: Stimulus) -> IntArray:
    """Position in each sample of its first beat with a marker; shape ``(batch,)``."""
    marked = np.flatnonzero(stimulus.marker != Marker.NONE)
    return marked[np.searchsorted(marked, stimulus.offsets[:-1])] - stimulus.offsets[:-1]
