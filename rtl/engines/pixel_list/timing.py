"""When a pixel list engine works: ``docs/timing.md``, "Pixel list engine", in NumPy.

All samples of a batch advance together, word by word, as in `snnc.sim.models.timing.exact`.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from snnc.compiler.plan import EnginePlan
from snnc.rtl.engines.pixel_list.plan import PixelListKind
from snnc.sim.models.stimulus import Stimulus
from snnc.sim.models.timing.timeline import Record, State
from snnc.sim.models.timing.walking import SpikeLink, Walker, first_markers

__all__ = ["Timing"]

IntArray: TypeAlias = npt.NDArray[np.int64]


class Timing:
    """`snnc.sim.models.timing.walking.EngineTiming`; cycle 0 of each sample is the handshake of its first beat.

    Its operations are taps, transfers and replayed words.
    """

    def __init__(self, engine: EnginePlan, stimulus: Stimulus) -> None:
        if not isinstance(engine.kind, PixelListKind):
            raise ValueError(f"engine {engine.name!r} gathers no list of pixels")
        self.walkers: list[Walker] = []
        self.outputs: SpikeLink | None = None
        self.record: Record | None = None
        self.answered: dict[int, IntArray] = {}
        self._engine = engine
        self._stepping = engine.kind.steps * (1 + 2 * len(engine.passes))
        """Cycles from the second one after a word's transfer to the last addition of its steps."""
        self._time_steps = stimulus.time_steps
        begins = stimulus.offsets[:-1]
        self._beats: IntArray = first_markers(stimulus) + 1
        """Up to the first one with a marker, that one included."""
        listed = stimulus.event & (stimulus.value > 0)
        ends = begins + self._beats - 1
        listed[ends] = True
        before = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(listed)])
        self._taps: IntArray = before[ends + 1] - before[begins]
        """How many of them are not 0, or end the step."""
        places = np.flatnonzero(listed)
        self.operations: IntArray = engine.words * (self._taps + self._time_steps)
        self.first_issue: IntArray = places[np.searchsorted(places, begins)] - begins + 1
        self.first_execute: IntArray = self.first_issue + engine.pipeline
        self.last_execute = self.settled = self.first_execute

    def advance(self, t: int) -> None:
        """Nothing keeps it waiting: it has sent the step."""

    def run(self) -> None:
        """Emit every spike word of the batch into `outputs`."""
        link = self.outputs
        assert link is not None
        engine, pipeline = self._engine, self._engine.pipeline
        free = np.ones_like(self._beats)
        stepped = transfer = free - 1
        for word in range(engine.words):
            slots = self._taps if word else self._beats
            transfer = np.maximum(np.maximum(free + slots, stepped + 1), link.granted())
            link.emit(0, word, transfer + 4 + pipeline + engine.emission)
            if self.record is not None:
                self.record.add(free, transfer, self._taps + 1)
            stepped = transfer + 1 + self._stepping
            # The list's first entry comes out of the memory behind the first word's transfer.
            free = transfer + (2 if word == 0 else 1)
        link.finish(0)
        self.last_execute = transfer + pipeline
        # Stored spikes are sent beside the last word's steps, each of which has spikes later than the one before.
        sent = transfer + 5 + pipeline
        free, each = sent, 1 + 2 * len(engine.passes)
        for t in range(1, self._time_steps):
            for word in range(engine.words):
                issue = np.maximum(free, link.granted())
                if word == engine.words - 1:
                    issue = np.maximum(issue, sent + t * each)
                self.last_execute = issue + 1
                if self.record is not None:
                    reason = State.ROOM if (issue > free).all() else State.INPUT
                    self.record.add(issue, issue, 1, reason=reason)
                link.emit(t, word, self.last_execute + engine.emission)
                free = issue + 1
            link.finish(t)
