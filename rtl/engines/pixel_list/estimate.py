"""A mean sample in an engine that gathers a list of pixels."""

from __future__ import annotations

import numpy as np

from snnc.compiler.plan import EnginePlan, Plan
from snnc.sim.models.timing.means import Activity, Sent

__all__ = ["MeanSample"]


class MeanSample:
    """`snnc.sim.models.timing.means.MeanTiming`."""

    def __init__(self, plan: Plan, engine: EnginePlan, activity: Activity) -> None:
        self._engine = engine
        words, sizes = engine.words, engine.main.source_layout.sizes
        # A tap for each pixel that is not 0; of a blank image one for the end of its first step.
        pixels = float(np.broadcast_to(activity.sources[plan.input.name].pixels, sizes).sum())
        taps = max(1.0, pixels)
        self._each = 1 + 2 * len(engine.passes)
        self._first = taps + 1
        self._others = (words - 1) * (max(taps, 1 + self._each * plan.time_steps) + 1) + (words > 1)
        self._replays = 0.0
        self.operations = words * (taps + activity.time_steps)

    def step(self, t: int, free: dict[str, float], sent: dict[str, Sent]) -> None:
        """Step 0 goes out while the words are gathered, the further steps beside those of the last word."""
        engine, words = self._engine, self._engine.words
        if t == 0:
            first = free[engine.name] + self._first
            last, latency = first + self._others, engine.pipeline + engine.emission + 4
            self._replays = last + engine.pipeline + 5
            free[engine.name] = self._replays
        else:
            first, latency = free[engine.name], 1 + engine.emission
            last = max(first + words - 1, self._replays + t * self._each)
            free[engine.name] = last + 1
        sent[engine.name] = Sent(first + latency, last + latency, 1 / words)
