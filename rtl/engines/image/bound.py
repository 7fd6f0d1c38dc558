"""The fewest cycles of an engine that gathers an image: those that it takes before queues that never fill."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from snnc.compiler.plan import EnginePlan, Plan
from snnc.rtl.engines.image.timing import Timing
from snnc.sim.models.stimulus import Stimulus

__all__ = ["Ideal"]

IntArray: TypeAlias = npt.NDArray[np.int64]


class Ideal:
    """`snnc.sim.models.timing.bound.IdealTiming`."""

    def __init__(
        self, plan: Plan, engine: EnginePlan, stimulus: Stimulus, spikes: Mapping[str, npt.NDArray[np.bool_]]
    ) -> None:
        self._name = engine.name
        self._free = _Free()
        timing = Timing(engine, stimulus)
        timing.outputs = self._free
        timing.run()

    def step(self, t: int, first: dict[str, IntArray], last: dict[str, IntArray], ended: dict[str, IntArray]) -> None:
        """Hand on when the spikes came."""
        first[self._name], last[self._name] = self._free.spans[t]


class _Free:
    """Queues that never fill; notes when the spikes of each step come."""

    def __init__(self) -> None:
        self.spans: list[tuple[IntArray, IntArray]] = []

    def granted(self) -> int:
        """At any time."""
        return 0

    def emit(self, t: int, word: int, executed: IntArray) -> None:
        """Note the first and the last one."""
        if t == len(self.spans):
            self.spans.append((executed, executed))
        first, last = self.spans[t]
        self.spans[t] = np.minimum(first, executed), np.maximum(last, executed)

    def finish(self, t: int) -> None:
        """Nothing is left to do."""
