"""What an event of a dense walk takes on average."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from snnc.compiler.plan import EnginePlan, ProjectionPlan

__all__ = ["operations_per_event", "waits_per_event"]


def operations_per_event(
    engine: EnginePlan, projection: ProjectionPlan, shares: npt.NDArray[np.float64] | None
) -> float:
    """The words that an event touches: all, wherever it comes from."""
    return float(engine.words)


def waits_per_event(engine: EnginePlan, projection: ProjectionPlan, shares: npt.NDArray[np.float64] | None) -> float:
    """None: words are visited in turn."""
    return 0.0
