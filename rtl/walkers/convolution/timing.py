"""When a convolution's operations are issued."""

from __future__ import annotations

import functools
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from snnc.compiler.plan import EnginePlan, KernelPlan, ProjectionPlan
from snnc.rtl.walkers.convolution.plan import ConvolutionWalk
from snnc.sim.models.stimulus import Marker, Stimulus
from snnc.sim.models.timing.walking import BeatQueue, EngineState, SourceSteps, Word, check_markers, steps_walked
from snnc.sim.models.timing.walking import Walker as WalkerTiming

__all__ = ["Walker", "reach", "seen"]

IntArray: TypeAlias = npt.NDArray[np.int64]


class Walker(WalkerTiming):
    """``docs/timing.md``, "Walker of convolutions": an event takes the words that it reaches."""

    def __init__(self, engine: EngineState, projection: ProjectionPlan, batch: int) -> None:
        super().__init__(engine, projection, batch)
        self.reach = reach(engine.plan, projection)
        self.ready = np.zeros(batch, dtype=np.int64)
        """First cycle in which the next beat can move to the register."""
        self._queue = BeatQueue(batch)

    def source(self, stimulus: Stimulus) -> SourceSteps:
        return _source(self, stimulus)

    def ended(self, at: IntArray) -> None:
        self.ready = at

    def walk(self, word: Word, available: IntArray) -> tuple[IntArray, IntArray]:
        engine, events = self.engine, word.events
        taken = np.maximum(available, self.serialiser)
        # Through the walker's queue of two, from which beats move to the register.
        first_moved = np.maximum(self._queue.enter(taken) + 1, self.ready)
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

        here, last_issue = word.everywhere, ended(events)
        worked = here & (count * events > 0)
        engine.walked(count * events, begins, last_issue, worked)
        engine.free = np.where(worked, last_issue + 1, engine.free)
        engine.last_issue = np.where(worked, last_issue, engine.last_issue)
        engine.last_word = np.where(worked, last, engine.last_word)
        engine.last_single = np.where(worked, self.single, engine.last_single)
        engine.last_swept = engine.last_swept & ~worked
        last_in = self._queue.leave(here, events, lambda back: ended(events - 1 - back))
        self.serialiser = np.where(here, last_in, self.serialiser)
        self.ready = np.where(here, last_issue, self.ready)
        return taken, np.where(worked, last_issue, ended(events - 1)) + 1


def _source(walker: Walker, stimulus: Stimulus) -> SourceSteps:
    """Events from the port to a convolution: a beat takes its operations, and waits for the one before at most once."""
    marker = stimulus.marker != Marker.NONE
    steps = np.flatnonzero(marker)
    check_markers(stimulus, steps)
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
    walking, trailing = steps_walked(stimulus, walks, begins, steps)
    swept = np.concatenate([np.zeros(1, dtype=np.bool_), marker[:-1]])
    last_word = np.where(walks, last, np.where(swept, -1, before))[steps]
    issuing = walks | marker
    first_beats = np.flatnonzero(issuing)[np.searchsorted(np.flatnonzero(issuing), stimulus.offsets[:-1])]
    shape = (len(stimulus), stimulus.time_steps)
    leading = np.flatnonzero(~idle)[np.searchsorted(np.flatnonzero(~idle), begins)] - begins
    return SourceSteps(
        first_offer=np.full(len(stimulus), 3, dtype=np.int64),
        first_issue=3 + first_beats - stimulus.offsets[:-1],
        operations=np.add.reduceat(count, begins).reshape(shape).T,
        cycles=np.add.reduceat(cycles, begins).reshape(shape).T,
        leading=leading.reshape(shape).T,
        walks=walking,
        trailing=trailing,
        last_word=last_word.reshape(shape).T,
    )


@functools.cache
def reach(engine: EnginePlan, projection: ProjectionPlan) -> tuple[IntArray, IntArray, IntArray]:
    """Operations of an event at each source position, and the words (up to the group) of the first and the last."""
    source, target = projection.source_layout, engine.layout
    at_once = engine.columns_at_once(projection)
    walk = projection.walk
    assert isinstance(walk, ConvolutionWalk)
    rows, columns = (seen(walk.kernel, axis, walk.pool, source.sizes[axis], target.sizes[axis]) for axis in range(2))
    count, first, last = (np.zeros((source.rows, source.columns), dtype=np.int64) for _ in range(3))
    for y, down in enumerate(rows):
        for x, across in enumerate(columns):
            count[y, x] = len(down) * -(-len(across) // at_once) * projection.row_stride
            if count[y, x]:
                first[y, x] = (down[0] * target.columns + across[0]) * target.groups
                last[y, x] = (down[-1] * target.columns + across[-1]) * target.groups
    return count.reshape(-1), first.reshape(-1), last.reshape(-1)


@functools.cache
def seen(kernel: KernelPlan, axis: int, pool: int, sources: int, size: int) -> tuple[tuple[int, ...], ...]:
    """Along an axis, the places of a target of `size` that see each of `sources` through the kernel, in order."""
    stride, padding = kernel.stride[axis], kernel.padding[axis]
    taps = {tap * kernel.dilation[axis] for tap in range(kernel.size[axis])}
    return tuple(
        tuple(out for out in range(size) if place // pool + padding - out * stride in taps) for place in range(sources)
    )
