"""When a dense walk's operations are issued."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from snnc.compiler.plan import EnginePlan, ProjectionPlan
from snnc.sim.models.stimulus import Marker, Stimulus
from snnc.sim.models.timing.digits import digit_count
from snnc.sim.models.timing.walking import BeatQueue, EngineState, SourceSteps, Word, check_markers, steps_walked
from snnc.sim.models.timing.walking import Walker as WalkerTiming

__all__ = ["Walker", "reach"]

IntArray: TypeAlias = npt.NDArray[np.int64]


class Walker(WalkerTiming):
    """``docs/timing.md``, "Walker of dense projections": every event takes all words."""

    def __init__(self, engine: EngineState, projection: ProjectionPlan, batch: int) -> None:
        super().__init__(engine, projection, batch)
        self._queue = BeatQueue(batch) if projection.buffered else None

    def source(self, stimulus: Stimulus) -> SourceSteps:
        return _source(self.engine.plan, stimulus)

    def walk(self, word: Word, available: IntArray) -> tuple[IntArray, IntArray]:
        # The serialiser takes a word while the last beat of the word before it leaves, at the earliest.
        engine = self.engine
        taken = np.maximum(available, self.serialiser)
        offered = taken + 1
        if self._queue is not None:
            offered = self._queue.enter(taken) + 1
        begins = np.maximum(offered, engine.free)
        here = word.everywhere
        worked = here & (word.events > 0)
        begins = begins + np.where(worked, engine.waits(0, begins), 0)
        walked = engine.plan.words * word.events
        leaves = begins + walked - 1
        engine.walked(walked, begins, leaves, worked)
        engine.free = np.where(worked, leaves + 1, engine.free)
        engine.went_through(worked)
        last_taken = leaves
        if self._queue is not None:
            last_taken = self._queue.leave(here, word.events, lambda back: leaves - back * engine.plan.words)
        self.serialiser = np.where(here, last_taken, self.serialiser)
        return taken, leaves + 1

    def ended(self, at: IntArray) -> None:
        if self._queue is None:
            self.serialiser = at
        else:
            self._queue.left = at


def reach(engine: EnginePlan, projection: ProjectionPlan) -> tuple[IntArray, IntArray, IntArray]:
    """Operations of an event at each source position, and the words of the first and the last."""
    zeros = np.zeros(projection.source_layout.rows * projection.source_layout.columns, dtype=np.int64)
    return zeros + engine.words, zeros, zeros + engine.words - 1


def _source(engine: EnginePlan, stimulus: Stimulus) -> SourceSteps:
    digits = engine.main.digits
    direct = digits is not None
    marker = stimulus.marker != Marker.NONE
    each = 1 if digits is None else digit_count(stimulus.value)
    events = np.where(stimulus.event, each, 0)
    issuing = marker | (events > 0)
    # A queue of one entry takes the next beat only after the cycle that empties it: every beat comes a cycle late.
    late = 0 if direct or engine.main.queue.depth > 1 else 1
    cycles = np.where(issuing, engine.words * (events + marker if direct else events), 1) + late

    steps = np.flatnonzero(marker)
    check_markers(stimulus, steps)
    begins = np.concatenate([np.zeros(1, dtype=np.int64), steps + 1])[:-1]
    walks, trailing = steps_walked(stimulus, events > 0, begins, steps)
    first_beats = np.flatnonzero(issuing)[np.searchsorted(np.flatnonzero(issuing), stimulus.offsets[:-1])]
    shape = (len(stimulus), stimulus.time_steps)
    return SourceSteps(
        first_offer=np.full(len(stimulus), 1 - late, dtype=np.int64),
        first_issue=1 + (first_beats - stimulus.offsets[:-1]) * (1 + late),
        operations=engine.words * np.add.reduceat(events + (marker if direct else 0), begins).reshape(shape).T,
        cycles=np.add.reduceat(cycles, begins).reshape(shape).T,
        leading=np.zeros((stimulus.time_steps, len(stimulus)), dtype=np.int64),
        walks=walks,
        trailing=trailing,
        last_word=np.full((stimulus.time_steps, len(stimulus)), -1, dtype=np.int64),
    )
