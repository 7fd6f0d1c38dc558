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
        steps = stimulus.time_steps
        added = [events_gathered(engine, one, spikes[one.source][:steps]) for one in engine.projections]
        fixed = engine.words * (1 + steps * len(engine.passes))
        self._work = -(-(fixed + np.sum(added, axis=0)) // engine.units)

    def step(self, t: int, first: dict[str, IntArray], last: dict[str, IntArray], ended: dict[str, IntArray]) -> None:
        """Gather when the first spikes of all sources are known, and be done after their last."""
        name, sources = self._engine.name, [one.source for one in self._engine.projections]
        if t == 0:
            self._begun = np.max([ended[name], *(first[source] for source in sources)], axis=0)
            ended[name] = np.max([self._begun + self._work, *(last[source] for source in sources)], axis=0)
        first[name], last[name] = self._begun if t == 0 else ended[name], ended[name]
