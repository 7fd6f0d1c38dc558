"""How many kernel positions a pixel is read through on average."""

from __future__ import annotations

from snnc.compiler.plan import EnginePlan, ProjectionPlan
from snnc.rtl.walkers.convolution.estimate import mean_operations
from snnc.rtl.walkers.image.plan import ImageWalk

__all__ = ["operations_per_event"]


def operations_per_event(engine: EnginePlan, projection: ProjectionPlan) -> float:
    """Mean over the pixels of the taps at which one of them is read."""
    walk = projection.walk
    assert isinstance(walk, ImageWalk)
    return mean_operations(engine, projection, walk.kernel, 1)
