"""When a gathering engine works: ``docs/timing.md``, "Gathering engine", in NumPy.

Nothing behind an engine keeps it waiting, so that each of its units is followed through a whole sample at once: tap by
tap, all samples of a batch together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from snnc.compiler.plan import EnginePlan, LayoutPlan
from snnc.rtl.engines.gather.plan import GatherKind
from snnc.rtl.walkers.convolution.timing import seen
from snnc.rtl.walkers.gather.plan import GatherWalk
from snnc.sim.models.stimulus import Stimulus
from snnc.sim.models.timing.links import Maps
from snnc.sim.models.timing.timeline import Record
from snnc.sim.models.timing.walking import SpikeLink, Walker

__all__ = ["Timing", "events_gathered"]

IntArray: TypeAlias = npt.NDArray[np.int64]

_BYTE: Final = 8


class Timing:
    """A gathering engine's run over a batch.

    Attributes
    ----------
    operations
        Loads, additions and sweeps; shape ``(batch,)``, as all that follow.
    first_issue, first_execute, last_execute
        Of them; known when the engine has gathered.
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
        empty = np.full(batch, -1, dtype=np.int64)
        self.operations, self.first_issue, self.first_execute, self.last_execute = empty, empty, empty, empty

    def run(self) -> None:
        """It hears no input."""
        raise ValueError(f"engine {self._engine.name!r} gathers no input")

    def advance(self, t: int) -> None:
        """Nothing keeps it waiting: it has sent the step."""

    def gather(self, rows: Sequence[IntArray], spikes: npt.NDArray[np.bool_]) -> IntArray:
        """Gather `spikes`, ``(time, batch, neuron)``; row ``y`` of the source is counted from ``rows[y]`` on.

        A further call is a further attempt of the samples. Gives the cycle in which all that was there has been read.
        """
        outputs, pipeline = self.outputs, self._engine.pipeline
        assert outputs is not None
        words = _per_word(self._engine.main.source_layout, spikes)
        # A sample's first word waits for the maps behind, if they hold what came before.
        allowed = outputs.left + 1 if isinstance(outputs, Maps) else 0
        for unit in self._units:
            unit.gather(rows, words, outputs, allowed, self.record)
        self.operations = np.sum([unit.operations for unit in self._units], axis=0)
        self.first_issue = np.min([unit.first for unit in self._units], axis=0)
        self.first_execute = self.first_issue + pipeline
        self.last_execute = np.max([unit.done for unit in self._units], axis=0) + pipeline
        outputs.finish(len(spikes) - 1)
        read: IntArray = np.max([unit.fetched for unit in self._units], axis=0) + 1
        return read


class _Unit:
    """One unit's run: when it issues its first operation, and how many it does; ``(batch,)``.

    The others are the cycles in which the last tap moved on: out of the position, the map's data, the register behind
    them, and the word; and that in which the byte was done.
    """

    def __init__(self, engine: EnginePlan, unit: int, batch: int) -> None:
        self._engine = engine
        self._unit = unit
        nothing = np.zeros(batch, dtype=np.int64)
        self.operations = nothing
        self.first = nothing - 1
        self._begun = False
        self.fetched, self.done = nothing - 1, nothing
        self._read, self._held, self._word_done = nothing, nothing, nothing

    def gather(
        self,
        rows: Sequence[IntArray],
        spikes: tuple[IntArray, IntArray],
        outputs: SpikeLink,
        allowed: IntArray | int,
        record: Record | None,
    ) -> None:
        """Gather all words, the first one from `allowed` on, in so many steps as there are `spikes`."""
        engine, unit = self._engine, self._unit
        layout, passes, walk = engine.layout, len(engine.passes), engine.main.walk
        assert isinstance(walk, GatherWalk)
        assert isinstance(engine.kind, GatherKind)
        late, source, (events, final_byte) = engine.kind.late, engine.main.source_layout, spikes
        inside = [
            [_inside(walk, axis, at, source.sizes[axis]) for at in range(layout.sizes[axis])] for axis in range(2)
        ]
        fetched, read, held, word_done, done = self.fetched, self._read, self._held, self._word_done, self.done
        for number in layout.words_of(unit, engine.units):
            y, x = divmod(number // layout.groups, layout.columns)
            # The last words wait for the whole map, which is given back with them.
            complete = rows[inside[0][y][-1]] if y < layout.rows - 1 else rows[-1]
            places = [(h, w, k) for h in inside[0][y] for w in inside[1][x] for k in range(source.groups)]
            offered = np.maximum(np.maximum(fetched + 1, complete), allowed) + 1
            allowed = 0
            for t in range(len(events)):
                for at, (h, w, k) in enumerate(places):
                    begins, ends = t == 0 and at == 0, at == len(places) - 1
                    fetched = np.maximum(offered, read)
                    offered = fetched + 1
                    if late:
                        read = np.maximum(fetched + 1, held)
                        held = np.maximum(read + 1, word_done)
                    else:
                        read = held = np.maximum(fetched + 1, word_done)
                    found = events[t, h, w, k]
                    cycles = found + (begins + passes * ends)
                    self.operations = self.operations + cycles
                    if begins or ends:
                        done = np.maximum(held + 1, done) + cycles
                        last = passes if ends else np.where(found > 0, final_byte[t, h, w, k], 1)
                        word_done = done - last
                    else:
                        some = found > 0
                        done = np.where(some, np.maximum(held + 1, done) + cycles, done)
                        word_done = np.where(some, done - final_byte[t, h, w, k], held + 1)
                    if record is not None:
                        record.add(done - cycles + 1, done, cycles, unit=unit)
                    if not self._begun:
                        self.first, self._begun = done - cycles + 1, True
                outputs.emit(t, number, done - passes + 1 + engine.pipeline + engine.emission)
        self.fetched, self._read, self._held, self._word_done, self.done = fetched, read, held, word_done, done


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


def _inside(walk: GatherWalk, axis: int, at: int, size: int) -> list[int]:
    """The places of the source that position `at` sees along an axis."""
    kernel = walk.kernel
    places = (at * kernel.stride[axis] + u * kernel.dilation[axis] for u in range(kernel.size[axis]))
    return [place - kernel.padding[axis] for place in places if 0 <= place - kernel.padding[axis] < size]


def events_gathered(engine: EnginePlan, spikes: npt.NDArray[np.bool_]) -> IntArray:
    """How often words add a weight row, for spikes ``(time, batch, neuron)``; shape ``(batch,)``."""
    source, target, walk = engine.main.source_layout, engine.layout, engine.main.walk
    assert isinstance(walk, GatherWalk)
    rows, columns = (seen(walk.kernel, axis, 1, source.sizes[axis], target.sizes[axis]) for axis in range(2))
    reached = np.outer([len(places) for places in rows], [len(places) for places in columns]) * target.groups
    found: IntArray = spikes.sum(axis=0, dtype=np.int64) @ np.tile(reached.reshape(-1), source.channels)
    return found
