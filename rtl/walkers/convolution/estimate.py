"""What an event of a convolution takes on average."""

from __future__ import annotations

import functools

from snnc.compiler.plan import EnginePlan, KernelPlan, ProjectionPlan
from snnc.rtl.walkers.convolution.plan import ConvolutionWalk
from snnc.rtl.walkers.convolution.timing import seen

__all__ = ["mean_operations", "operations_per_event"]


def operations_per_event(engine: EnginePlan, projection: ProjectionPlan) -> float:
    """Mean over the source's neurons of the operations of one of their events."""
    walk = projection.walk
    assert isinstance(walk, ConvolutionWalk)
    return mean_operations(engine, projection, walk.kernel, walk.pool)


def mean_operations(engine: EnginePlan, projection: ProjectionPlan, kernel: KernelPlan, pool: int) -> float:
    """The same for any walk of a kernel over sums of ``pool x pool`` windows."""
    sources, targets, banks = projection.source_layout.sizes, engine.layout.sizes, engine.columns_at_once(projection)
    down, across = (
        _mean_seen(seen(kernel, axis, pool, sources[axis], targets[axis]), at_once)
        for axis, at_once in enumerate((1, banks))
    )
    return down * across * projection.row_stride


@functools.cache
def _mean_seen(places: tuple[tuple[int, ...], ...], at_once: int) -> float:
    """Mean operations along an axis, of which each is for so many places of the target."""
    return sum(-(-len(targets) // at_once) for targets in places) / len(places)
