"""How many words an event adds to on average."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from snnc.compiler.plan import EnginePlan, ProjectionPlan
from snnc.rtl.walkers.convolution.estimate import mean_operations
from snnc.rtl.walkers.gather.plan import GatherWalk

__all__ = ["operations_per_event", "waits_per_event"]

_FloatArray = npt.NDArray[np.float64]


def operations_per_event(engine: EnginePlan, projection: ProjectionPlan, shares: _FloatArray | None) -> float:
    """Mean over the source's neurons of the words that see one of them."""
    walk = projection.walk
    assert isinstance(walk, GatherWalk)
    return mean_operations(engine, projection, walk.kernel, 1, shares)


def waits_per_event(engine: EnginePlan, projection: ProjectionPlan, shares: _FloatArray | None) -> float:
    """None waits: the residuals are registers."""
    return 0.0
