"""When a gathering engine works: ``docs/timing.md``, "Gathering engine", in NumPy.

An engine is followed when the maps of all its projections are complete. Nothing behind it keeps it waiting, so that
each of its units is followed through a whole sample at once. When a word's stages are free follows from when they were
before it, by sums and maxima alone: every time is the largest of five earlier ones, each with a number of cycles added.
These numbers depend on the word's spikes, and not on the time: they are found tap by tap for many words together, all
samples of a batch at once, and then applied word by word.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from snnc.compiler.plan import EnginePlan, LayoutPlan, ProjectionPlan
from snnc.rtl.engines.gather.plan import GatherKind
from snnc.rtl.walkers.convolution.timing import seen
from snnc.rtl.walkers.gather.plan import GatherWalk
from snnc.sim.models.stimulus import Stimulus
from snnc.sim.models.timing.links import Maps
from snnc.sim.models.timing.timeline import Record
from snnc.sim.models.timing.walking import SpikeLink, Walker

__all__ = ["Timing", "events_gathered"]

IntArray: TypeAlias = npt.NDArray[np.int64]

_Words: TypeAlias = tuple[IntArray, IntArray]
"""Of a projection's source, as `_per_word` gives them."""

_BYTE: Final = 8


class Timing:
    """A gathering engine's run over a batch.

    Attributes
    ----------
    operations
        Loads, additions and sweeps; shape ``(batch,)``, as all that follow.
    first_issue, first_execute, last_execute
        Of them; known when the engine has gathered.
    read
        The cycle in which all that was there has been read; -1 before.
    """

    def __init__(self, engine: EnginePlan, stimulus: Stimulus) -> None:
        if not isinstance(engine.kind, GatherKind):
            raise ValueError(f"engine {engine.name!r} gathers no spikes")
        self.walkers: list[Walker] = []
        self.outputs: SpikeLink | None = None
        self.record: Record | None = None
        self._engine = engine
        batch = len(stimulus)
        self._units = [_Unit(engine, unit, batch) for unit in range(engine.units)]
        self._heard: dict[int, tuple[Sequence[IntArray], npt.NDArray[np.bool_]]] = {}
        empty = np.full(batch, -1, dtype=np.int64)
        self.read: IntArray = empty
        self.operations, self.first_issue, self.first_execute, self.last_execute = empty, empty, empty, empty

    def run(self) -> None:
        """It hears no input."""
        raise ValueError(f"engine {self._engine.name!r} gathers no input")

    def advance(self, t: int) -> None:
        """Nothing keeps it waiting: it has sent the step."""

    def hear(self, k: int, rows: Sequence[IntArray], spikes: npt.NDArray[np.bool_]) -> None:
        """Of projection `k`, `spikes`, ``(time, batch, neuron)``; row ``y`` of its source counts from ``rows[y]`` on.

        When all projections have theirs they are gathered. What comes then is a further attempt of the samples.
        """
        self._heard[k] = rows, spikes
        projections = self._engine.projections
        if len(self._heard) < len(projections):
            return
        heard = [self._heard[number] for number in range(len(projections))]
        self._heard = {}
        words = [
            _per_word(projection.source_layout, spikes)
            for projection, (_, spikes) in zip(projections, heard, strict=True)
        ]
        self._gather([rows for rows, _ in heard], words, len(spikes))

    def _gather(self, rows: Sequence[Sequence[IntArray]], words: Sequence[_Words], steps: int) -> None:
        outputs, pipeline = self.outputs, self._engine.pipeline
        assert outputs is not None
        # A sample's first word waits for the maps behind, if they hold what came before.
        allowed = outputs.left + 1 if isinstance(outputs, Maps) else 0
        for unit in self._units:
            unit.gather(rows, words, outputs, allowed, self.record)
        self.operations = np.sum([unit.operations for unit in self._units], axis=0)
        self.first_issue = np.min([unit.first for unit in self._units], axis=0)
        self.first_execute = self.first_issue + pipeline
        self.last_execute = np.max([unit.done for unit in self._units], axis=0) + pipeline
        # What is behind may ask for it.
        self.read = np.max([unit.fetched for unit in self._units], axis=0) + 1
        outputs.finish(steps - 1)


_NEVER: Final = -(1 << 60)
"""That a time does not follow from another one."""

_AT_ONCE: Final = 1 << 14
"""Words times samples that are followed together: some megabytes."""


def _stages(engine: EnginePlan) -> int:
    """From the position to the word: the map, and the registers behind it."""
    return 1 + engine.main.queue.registers


class _Unit:
    """One unit's run: when it issues its first operation, and how many it does; ``(batch,)``."""

    def __init__(self, engine: EnginePlan, unit: int, batch: int) -> None:
        self._engine = engine
        self._unit = unit
        nothing = np.zeros(batch, dtype=np.int64)
        self.operations = nothing
        self.first = nothing - 1
        self._begun = False
        # When the last tap moved on: out of the position, the map and each register behind it, and the word; and when
        # the byte was done.
        self._free = np.stack([nothing - 1, *[nothing] * (_stages(engine) + 2)])

    def gather(
        self,
        rows: Sequence[Sequence[IntArray]],
        spikes: Sequence[_Words],
        outputs: SpikeLink,
        allowed: IntArray | int,
        record: Record | None,
    ) -> None:
        """Gather all words, the first one from `allowed` on, in so many steps as there are `spikes`.

        `rows` and `spikes` are those of each projection.
        """
        engine, unit = self._engine, self._unit
        layout, passes = engine.layout, len(engine.passes)
        ways = _ways(engine, unit, spikes, every_tap=record is not None)
        needed = [_needed(engine, projection) for projection in engine.projections]
        for number in layout.words_of(unit, engine.units):
            y, x = divmod(number // layout.groups, layout.columns)
            way = ways[y, x]
            complete = np.max([of_map[last[y]] for of_map, last in zip(rows, needed, strict=True)], axis=0)
            offered = np.maximum(np.maximum(self.fetched + 1, complete), allowed) + 1
            allowed = 0
            found = way.after(np.stack([offered, *self._free[1:]]))
            self._free, done = np.split(found, [len(self._free)])
            self.operations = self.operations + way.cycles.sum(axis=0)
            if record is not None:
                for cycles, last in zip(way.cycles, done, strict=True):
                    record.add(last - cycles + 1, last, cycles, unit=unit)
            if not self._begun:
                self.first, self._begun = done[0] - way.cycles[0] + 1, True
            for t, last in enumerate(done[way.ends]):
                outputs.emit(t, number, last - passes + 1 + engine.pipeline + engine.emission)

    @property
    def fetched(self) -> IntArray:
        """When the last tap moved on from the position."""
        moved: IntArray = self._free[0]
        return moved

    @property
    def done(self) -> IntArray:
        """When the byte was done."""
        byte: IntArray = self._free[-1]
        return byte


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Way:
    """What happens to a word of one position.

    Attributes
    ----------
    added
        Cycles from some times to others, ``(times, stages, batch)``. From: when its first tap is offered, and when the
        stages of `_Unit` behind the position became free. To: when all of them are, after the word; and when the taps
        are done that `cycles` and `ends` speak of.
    cycles
        Operations of these taps and of those before them that are not among them, ``(taps, batch)``.
    ends
        Which of these taps are the last of a step.
    """

    added: IntArray
    cycles: IntArray
    ends: slice

    def after(self, before: IntArray) -> IntArray:
        """The times that follow, ``(times, batch)``, from those that were before, ``(stages, batch)``."""
        found: IntArray = (self.added + before).max(axis=1)
        return found


def _ways(engine: EnginePlan, unit: int, spikes: Sequence[_Words], *, every_tap: bool) -> dict[tuple[int, int], _Way]:
    """By row and column of a unit's words; with the times of every tap, or of the first and each step's last."""
    layout = engine.layout
    # By projection and axis, what each place of the target sees.
    below = [
        [[_inside(projection, axis, at) for at in range(layout.sizes[axis])] for axis in range(2)]
        for projection in engine.projections
    ]
    alike: dict[tuple[int, ...], list[tuple[int, int]]] = {}
    for y in range(layout.rows):
        for x in layout.columns_of(y, unit, engine.units):
            many = tuple(len(of_axis[at]) for of_one in below for of_axis, at in zip(of_one, (y, x), strict=True))
            alike.setdefault(many, []).append((y, x))
    some = max(1, _AT_ONCE // spikes[0][0].shape[-1])
    ways: dict[tuple[int, int], _Way] = {}
    for places in alike.values():
        for begin in range(0, len(places), some):
            part = places[begin : begin + some]
            seen = [[np.array([of_one[axis][at[axis]] for at in part]) for axis in range(2)] for of_one in below]
            ways |= dict(zip(part, _followed(engine, seen, spikes, every_tap=every_tap), strict=True))
    return ways


def _followed(
    engine: EnginePlan, seen: Sequence[Sequence[IntArray]], spikes: Sequence[_Words], *, every_tap: bool
) -> Iterator[_Way]:
    """Of words that see as many rows and columns of each source, ``(word, row)`` and ``(word, column)``."""
    steps, passes = len(spikes[0][0]), len(engine.passes)
    shape, times_before = (len(seen[0][0]), spikes[0][0].shape[-1]), _stages(engine) + 3
    # Each time is what is added to those before, in the last axis.
    offered, *held, word_done, done = np.broadcast_to(
        np.where(np.eye(times_before, dtype=np.bool_), 0, _NEVER)[:, None, None], (times_before, *shape, times_before)
    )
    taps = [
        (k, *tap)
        for k, ((rows, columns), (events, _)) in enumerate(zip(seen, spikes, strict=True))
        for tap in itertools.product(range(rows.shape[1]), range(columns.shape[1]), range(events.shape[3]))
    ]
    times, operations, waiting = [], [], np.zeros(shape, dtype=np.int64)
    for t in range(steps):
        for at, (k, row, column, group) in enumerate(taps):
            begins, ends = t == 0 and at == 0, at == len(taps) - 1
            tap = t, seen[k][0][:, row], seen[k][1][:, column], group
            found, final = (values[tap] for values in spikes[k])
            moved = fetched = np.maximum(offered, held[0])
            offered = fetched + 1
            for stage, ahead in enumerate([*held[1:], word_done]):
                held[stage] = moved = np.maximum(moved + 1, ahead)
            cycles = found + (begins + passes * ends)
            then = np.maximum(moved + 1, done) + cycles[..., None]
            if begins or ends:
                done = then
                word_done = done - (passes if ends else np.where(found > 0, final, 1)[..., None])
            else:
                has_some = (found > 0)[..., None]
                done = np.where(has_some, then, done)
                word_done = np.where(has_some, done - final[..., None], moved + 1)
            waiting = waiting + cycles
            if every_tap or begins or ends:
                times.append(done)
                operations.append(waiting)
                waiting = np.zeros_like(waiting)
    added = np.stack([fetched, *held, word_done, done, *times])
    cycles_of = np.stack(operations)
    step = len(taps) if every_tap else 1
    # A step of a single tap is the word's first tap and the step's last one.
    ends_of = slice(len(taps) - 1, None, step) if every_tap else slice(int(len(taps) > 1), None)
    for word in range(shape[0]):
        yield _Way(added=added[:, word].swapaxes(1, 2), cycles=cycles_of[:, word], ends=ends_of)


def _per_word(source: LayoutPlan, spikes: npt.NDArray[np.bool_]) -> tuple[IntArray, IntArray]:
    """Spikes of every spike word, and of the last of its bytes that has one; ``(time, row, column, group, batch)``."""
    steps, batch, _ = spikes.shape
    lanes = -(-source.lanes // _BYTE) * _BYTE
    words = np.zeros((steps, batch, source.groups * source.lanes, source.rows, source.columns), dtype=np.int64)
    words[:, :, : source.channels] = spikes.reshape(steps, batch, source.channels, source.rows, source.columns)
    words = words.reshape(steps, batch, source.groups, source.lanes, source.rows, source.columns)
    words = np.pad(words, [(0, 0)] * 3 + [(0, lanes - source.lanes)] + [(0, 0)] * 2)
    in_bytes = words.reshape(steps, batch, source.groups, -1, _BYTE, source.rows, source.columns).sum(axis=4)
    final = np.zeros_like(in_bytes[:, :, :, 0])
    for k in range(in_bytes.shape[3]):
        final = np.where(in_bytes[:, :, :, k] > 0, in_bytes[:, :, :, k], final)
    order = (0, 3, 4, 2, 1)
    return in_bytes.sum(axis=3).transpose(order).copy(), final.transpose(order).copy()


def _needed(engine: EnginePlan, projection: ProjectionPlan) -> list[int]:
    """The last row of the source that each row of words waits for."""
    # The last words wait for the whole map, which is given back with them.
    return [
        *(_inside(projection, 0, y)[-1] for y in range(engine.layout.rows - 1)),
        projection.source_layout.rows - 1,
    ]


def _inside(projection: ProjectionPlan, axis: int, at: int) -> list[int]:
    """The places of the source that position `at` sees along an axis."""
    assert isinstance(projection.walk, GatherWalk)
    kernel, size = projection.walk.kernel, projection.source_layout.sizes[axis]
    places = (at * kernel.stride[axis] + u * kernel.dilation[axis] for u in range(kernel.size[axis]))
    return [place - kernel.padding[axis] for place in places if 0 <= place - kernel.padding[axis] < size]


def events_gathered(engine: EnginePlan, projection: ProjectionPlan, spikes: npt.NDArray[np.bool_]) -> IntArray:
    """How often words add a weight row of a projection, for spikes ``(time, batch, neuron)``; shape ``(batch,)``."""
    source, target, walk = projection.source_layout, engine.layout, projection.walk
    assert isinstance(walk, GatherWalk)
    rows, columns = (seen(walk.kernel, axis, 1, source.sizes[axis], target.sizes[axis]) for axis in range(2))
    reached = np.outer([len(places) for places in rows], [len(places) for places in columns]) * target.groups
    found: IntArray = spikes.sum(axis=0, dtype=np.int64) @ np.tile(reached.reshape(-1), source.channels)
    return found
