"""When an image engine works: ``docs/timing.md``, "Image engine", in NumPy.

As in `snnc.sim.models.timing.exact`, no cycle is stepped through: all samples of a batch advance together, word by word
and step by step, and what the queue behind does to an engine is a maximum.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from snnc.compiler.plan import EnginePlan
from snnc.rtl.engines.image.plan import ImageKind
from snnc.rtl.walkers.image.plan import ImageWalk
from snnc.sim.models.stimulus import Stimulus
from snnc.sim.models.timing.digits import digit_count
from snnc.sim.models.timing.timeline import Record, State
from snnc.sim.models.timing.walking import SpikeLink, Walker, first_markers

__all__ = ["Timing"]

IntArray: TypeAlias = npt.NDArray[np.int64]


class Timing:
    """An image engine's run over a batch; cycle 0 of each sample is the handshake of its first beat.

    Parameters
    ----------
    engine
        Of kind `ImageKind`.
    stimulus
        The samples' input beats.

    Attributes
    ----------
    operations
        Digits, transfers and replayed words; shape ``(batch,)``, as all that follow.
    first_issue, first_execute, last_execute
        Of them; known after `run`.
    """

    def __init__(self, engine: EnginePlan, stimulus: Stimulus) -> None:
        if not isinstance(engine.kind, ImageKind):
            raise ValueError(f"engine {engine.name!r} gathers no image")
        self.walkers: list[Walker] = []
        self.outputs: SpikeLink | None = None
        self.record: Record | None = None
        self.answered: dict[int, IntArray] = {}
        self._engine = engine
        self._into_maps = engine.kind.into_maps
        self._stimulus = stimulus
        self._all_steps = engine.kind.all_steps(engine.lanes)
        self._read_ahead = 0 if engine.kind.marks is None else 4 + 2 * engine.kind.marks_registered
        slots = _slots_of_pixels(engine, stimulus)
        self._groups = engine.layout.groups
        self._slots, self._digits, self._leading = _over_kernels(engine, slots)
        replayed = 0 if self._into_maps else stimulus.time_steps - 1
        self.operations: IntArray = self._groups * self._digits.sum(axis=(0, 1)) + engine.words * (1 + replayed)
        empty = np.full(len(stimulus), -1, dtype=np.int64)
        self.first_issue = self.first_execute = self.last_execute = self.settled = empty

    def advance(self, t: int) -> None:
        """Nothing keeps it waiting: it has sent the step."""

    def run(self) -> None:
        """Emit every spike word of the batch into `outputs`."""
        link = self.outputs
        assert link is not None
        engine, pipeline = self._engine, self._engine.pipeline
        begins = np.diff(self._stimulus.offsets) - 1 if self._into_maps else first_markers(self._stimulus)
        self.first_issue = begins + 3 + self._read_ahead
        runs = [self._words(unit, link) for unit in range(engine.units)]
        first, last = (np.array(values) for values in zip(*runs, strict=True))
        self.first_execute, self.last_execute = first.min(axis=0) + pipeline, last.max(axis=0) + pipeline
        if self._into_maps:
            link.finish(self._stimulus.time_steps - 1)
            return
        link.finish(0)
        free = last[0] + (1 + len(engine.passes)) * self._all_steps + pipeline + 1
        for t in range(1, self._stimulus.time_steps):
            for word in range(engine.words):
                issue = np.maximum(free, link.granted())
                self.last_execute = issue + pipeline
                if self.record is not None:
                    reason = State.ROOM if (issue > free).all() else State.INPUT
                    self.record.add(issue, issue, 1, reason=reason)
                link.emit(t, word, self.last_execute + engine.emission)
                free = issue + 1
            link.finish(t)

    def _words(self, unit: int, link: SpikeLink) -> tuple[IntArray, IntArray]:
        """Gather one unit's words; when it issues its first digit, or transfer, and its last transfer."""
        engine, each = self._engine, 1 + len(self._engine.passes)
        free = self.first_issue
        first, stepped, transfer = free, free - 1, free - 1
        for number, word in enumerate(engine.layout.words_of(unit, engine.units)):
            y, x = divmod(word // self._groups, engine.layout.columns)
            transfer = np.maximum(np.maximum(free + self._slots[y, x], stepped + 1), link.granted())
            if number == 0:
                # The first digit, or else the first word's transfer.
                first = np.minimum(free + self._leading[x], transfer)
            for t in range(self._stimulus.time_steps if self._into_maps else 1):
                link.emit(t, word, transfer + 2 + t * each + engine.pipeline + engine.emission)
            if self.record is not None:
                self.record.add(free, transfer, self._digits[y, x] + 1, unit=unit)
            stepped = transfer + each * self._all_steps
            free = transfer + 1
        return first, transfer


def _slots_of_pixels(engine: EnginePlan, stimulus: Stimulus) -> IntArray:
    """Operations of a pixel at a tap, ``(channel, row, column, batch)``: digits that are not 0, or one product."""
    assert isinstance(engine.kind, ImageKind)
    layout = engine.projections[0].source_layout
    sample = np.repeat(np.arange(len(stimulus)), np.diff(stimulus.offsets))
    values = np.zeros((layout.neurons, len(stimulus)), dtype=np.int64)
    events, positions = stimulus.event, layout.rows * layout.columns
    bits = engine.kind.value_bits
    for lane in range(layout.lanes):
        pixels = stimulus.value[events] >> lane * bits & (1 << bits) - 1
        values[stimulus.address[events] + lane * positions, sample[events]] = pixels
    slots = (values > 0).astype(np.int64) if _multiplies(engine) else digit_count(values)
    return slots.reshape(layout.channels, layout.rows, layout.columns, -1)


def _multiplies(engine: EnginePlan) -> bool:
    return isinstance(engine.kind, ImageKind) and engine.kind.multiplies


def _over_kernels(engine: EnginePlan, digits: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Slots and digits of each position's taps, ``(row, column, batch)``; slots before a digit in the first row.

    Where a position has no digit, that is more than anything.
    """
    layout, walk = engine.layout, engine.main.walk
    assert isinstance(walk, ImageWalk)
    kernel = walk.kernel
    skips = isinstance(engine.kind, ImageKind) and engine.kind.marks is not None
    _, height, width, batch = digits.shape

    def inside(axis: int, at: int, size: int) -> list[int]:
        places = (at * kernel.stride[axis] + u * kernel.dilation[axis] for u in range(kernel.size[axis]))
        return [place - kernel.padding[axis] for place in places if 0 <= place - kernel.padding[axis] < size]

    slots = np.zeros((layout.rows, layout.columns, batch), dtype=np.int64)
    found = np.zeros_like(slots)
    leading = np.zeros((layout.columns, batch), dtype=np.int64)
    for y in range(layout.rows):
        for x in range(layout.columns):
            h, w = inside(0, y, height), inside(1, x, width)
            if h and w:
                taps = digits[:, h][:, :, w]
            else:
                taps = np.zeros((len(digits), len(h) or 1, len(w) or 1, batch), dtype=np.int64)
            if skips:  # what a kernel row has takes as many slots as one tap with all its digits would
                taps = taps.sum(axis=2)
            taps = taps.reshape(-1, batch)
            slots[y, x] = np.maximum(taps, 1).sum(axis=0)
            found[y, x] = taps.sum(axis=0)
            if y == 0:
                leading[x] = np.where(taps.any(axis=0), (taps > 0).argmax(axis=0), 1 << 60)
    return slots, found, leading
