"""A mean sample in an engine that gathers an image."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from snnc.compiler.plan import EnginePlan, Plan
from snnc.rtl.engines.image.plan import ImageKind
from snnc.rtl.walkers.image.estimate import blank_rows_of_words, slots_of_words
from snnc.sim.models.timing.means import Activity, Sent, shared_out

__all__ = ["MeanSample"]


class MeanSample:
    """`snnc.sim.models.timing.means.MeanTiming`."""

    def __init__(self, plan: Plan, engine: EnginePlan, activity: Activity) -> None:
        self._engine = engine
        self._words = engine.words
        cycles = _gathering_cycles(plan, engine, activity)
        self._gathering = float(cycles.sum())
        self._rows = shared_out(engine, cycles).cumsum(axis=0).max(axis=1)
        self._replays = 0 if engine.kind.into_maps else activity.time_steps - 1
        self.operations = self._gathering / engine.units + self._words * self._replays
        # A beat for each word with a pixel; in front of maps one for the end of each further step, too.
        image = engine.main.source_layout
        pixels = np.broadcast_to(activity.sources[plan.input.name].pixels, image.sizes) / image.channels
        beats = image.groups * float((1 - (1 - np.clip(pixels, 0, 1)) ** image.lanes).sum())
        self._intake = max(0.0, beats - 1) + activity.time_steps - 1 - self._replays
        if activity.again:
            self.operations, self._intake, self._rows = 0.0, 0.0, np.zeros(len(self._rows))

    def step(self, t: int, free: dict[str, float], sent: dict[str, Sent]) -> None:
        """Step 0 goes out while the words are gathered, the further steps like sweeps."""
        engine, words = self._engine, self._words
        latency = engine.pipeline + engine.emission + 2
        if engine.kind.into_maps:
            if t == 0:
                begin = free[engine.name] + self._intake
                rows = tuple(float(row) for row in begin + latency + self._rows)
                self._sent = Sent(rows[0], rows[-1], 1 / len(rows), rows)
                free[engine.name] = rows[-1] - latency
            sent[engine.name] = self._sent
            return
        begin = free[engine.name] + (self._intake if t == 0 else 0.0)
        free[engine.name] = begin + (self._gathering if t == 0 else float(words))
        sent[engine.name] = Sent(begin + latency, free[engine.name] + latency, 1 / words)


def _gathering_cycles(plan: Plan, engine: EnginePlan, activity: Activity) -> npt.NDArray[np.float64]:
    """Slots of each position before the replays."""
    kind, image = engine.kind, activity.sources[plan.input.name]
    assert isinstance(kind, ImageKind)
    layout = engine.main.source_layout
    even = np.full(layout.sizes, 1 / (layout.rows * layout.columns))
    pixels = np.broadcast_to(image.pixels, layout.sizes)
    operations = pixels if kind.multiplies else image.at(0) * (even if image.shares is None else image.shares)
    if kind.marks is None:  # every tap takes one, and one with several digits as many
        taken = slots_of_words(engine, engine.main, layout.channels - pixels + operations)
    else:
        blank = layout.channels * blank_rows_of_words(engine, engine.main, pixels / layout.channels)
        taken = slots_of_words(engine, engine.main, operations) + blank
    # Where no tap is inside, one of zeros stands in; the words of a position follow each other.
    stepping = (1 + len(engine.passes)) * plan.time_steps
    found: npt.NDArray[np.float64] = (np.maximum(np.maximum(taken, 1), stepping) + 1) * engine.layout.groups
    return found
