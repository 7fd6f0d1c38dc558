"""The fewest cycles of an engine whose words gather spikes: one for each of its operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from snnc.compiler.plan import EnginePlan, Plan
from snnc.rtl.engines.gather.timing import events_gathered
from snnc.sim.models.stimulus import Stimulus

__all__ = ["Ideal"]

IntArray: TypeAlias = npt.NDArray[np.int64]


class Ideal:
    """`snnc.sim.models.timing.bound.IdealTiming`; everything happens in what counts as step 0."""

    def __init__(
        self, plan: Plan, engine: EnginePlan, stimulus: Stimulus, spikes: Mapping[str, npt.NDArray[np.bool_]]
    ) -> None:
        self._engine = engine
        sent = spikes[engine.main.source][: stimulus.time_steps]
        fixed = engine.words * (1 + stimulus.time_steps * len(engine.passes))
        self._work = -(-(fixed + events_gathered(engine, sent)) // engine.units)

    def step(self, t: int, first: dict[str, IntArray], last: dict[str, IntArray], ended: dict[str, IntArray]) -> None:
        """Gather when the source's first spikes are known, and be done after its last."""
        name, source = self._engine.name, self._engine.main.source
        if t == 0:
            self._begun = np.maximum(ended[name], first[source])
            ended[name] = np.maximum(self._begun + self._work, last[source])
        first[name], last[name] = self._begun if t == 0 else ended[name], ended[name]
