"""The weight rows of a gathering walk."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from snnc.compiler.ir import Convolution
from snnc.compiler.plan import EnginePlan, ProjectionPlan
from snnc.rtl.walkers.convolution.images import kernel_rows

__all__ = ["weight_rows"]


def weight_rows(engine: EnginePlan, plan: ProjectionPlan, projection: Convolution) -> npt.NDArray[np.int64]:
    """Rows as `GatherWalk` says where they lie: ``(rows, lanes)``."""
    channels, lanes = plan.source_layout.channels, engine.lanes
    rows = kernel_rows(engine, plan, projection, [0] * channels)
    return rows.reshape(channels, -1, lanes).swapaxes(0, 1).reshape(-1, lanes)
