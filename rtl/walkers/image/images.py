"""The weight rows of an image's walk."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from snnc.compiler.ir import Convolution
from snnc.compiler.plan import EnginePlan, ProjectionPlan
from snnc.rtl.walkers.convolution.images import kernel_rows

__all__ = ["weight_rows"]


def weight_rows(engine: EnginePlan, plan: ProjectionPlan, projection: Convolution) -> npt.NDArray[np.int64]:
    """Rows as `ImageWalk` says where they lie: ``(rows, lanes)``."""
    return kernel_rows(engine, plan, projection, [0] * plan.source_layout.channels)
