"""The fewest cycles of an engine that gathers an image: those that it takes before queues that never fill."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from snnc.compiler.plan import EnginePlan, Plan
from snnc.rtl.engines.image.timing import Timing
from snnc.sim.models.stimulus import Stimulus
from snnc.sim.models.timing.bound import Unhindered

__all__ = ["Ideal"]


class Ideal(Unhindered):
    """`snnc.sim.models.timing.bound.IdealTiming`."""

    def __init__(
        self, plan: Plan, engine: EnginePlan, stimulus: Stimulus, spikes: Mapping[str, npt.NDArray[np.bool_]]
    ) -> None:
        super().__init__(engine.name, Timing(engine, stimulus))
