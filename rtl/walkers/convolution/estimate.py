"""What an event of a convolution takes on average."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from snnc.compiler.plan import EnginePlan, KernelPlan, ProjectionPlan
from snnc.rtl.walkers.convolution.plan import ConvolutionWalk
from snnc.rtl.walkers.convolution.timing import seen

__all__ = ["highest_below", "mean_operations", "operations_per_event", "sums_below", "waits_per_event"]

_FloatArray = npt.NDArray[np.float64]


def operations_per_event(engine: EnginePlan, projection: ProjectionPlan, shares: _FloatArray | None) -> float:
    """Mean over the source's neurons of the operations of one of their events."""
    walk = projection.walk
    assert isinstance(walk, ConvolutionWalk)
    return mean_operations(engine, projection, walk.kernel, walk.pool, shares)


def waits_per_event(engine: EnginePlan, projection: ProjectionPlan, shares: _FloatArray | None) -> float:
    """Of events with one operation, which wait for the event before: a spike word's events reach the same word."""
    walk, source = projection.walk, projection.source_layout
    if not engine.waits or not walk.returns or projection.row_stride > 1 or source.lanes == 1:
        return 0.0
    assert isinstance(walk, ConvolutionWalk)
    down, across = _axes(engine, projection, walk.kernel, walk.pool)
    alone = np.outer(down, across) == 1
    return float(alone.mean() if shares is None else (alone * shares).sum())


def mean_operations(
    engine: EnginePlan, projection: ProjectionPlan, kernel: KernelPlan, pool: int, shares: _FloatArray | None
) -> float:
    """The same for any walk of a kernel over sums of ``pool x pool`` windows."""
    down, across = _axes(engine, projection, kernel, pool)
    mean = down.mean() * across.mean() if shares is None else down @ shares @ across
    return float(mean) * projection.row_stride


def sums_below(engine: EnginePlan, projection: ProjectionPlan, kernel: KernelPlan, values: _FloatArray) -> _FloatArray:
    """Sums of the source's `values`, ``(row, column)``, under the kernel at each position of the target."""
    down, across = _kernel_axes(engine, projection, kernel)
    found: _FloatArray = down @ values @ across.T
    return found


def highest_below(
    engine: EnginePlan, projection: ProjectionPlan, kernel: KernelPlan, values: _FloatArray
) -> _FloatArray:
    """The same of the highest one of each kernel row; `values` are at least 0."""
    down, across = _kernel_axes(engine, projection, kernel)
    found: _FloatArray = down @ (values[:, np.newaxis] * across).max(axis=2)
    return found


def _kernel_axes(engine: EnginePlan, projection: ProjectionPlan, kernel: KernelPlan) -> tuple[_FloatArray, _FloatArray]:
    """Which rows, and which columns, of the source each of the target sees."""
    sources, targets = projection.source_layout.sizes, engine.layout.sizes
    down, across = (_under(seen(kernel, axis, 1, sources[axis], targets[axis]), targets[axis]) for axis in (0, 1))
    return down, across


@functools.cache
def _under(places: tuple[tuple[int, ...], ...], targets: int) -> _FloatArray:
    """Along an axis, 1 where a place of the target sees one of the source, ``(target, source)``."""
    sees = np.zeros((targets, len(places)))
    for source, seeing in enumerate(places):
        sees[list(seeing), source] = 1
    return sees


def _axes(
    engine: EnginePlan, projection: ProjectionPlan, kernel: KernelPlan, pool: int
) -> tuple[_FloatArray, _FloatArray]:
    """Operations of an event by its row and by its column, to be multiplied."""
    sources, targets, banks = projection.source_layout.sizes, engine.layout.sizes, engine.columns_at_once(projection)
    down, across = (
        _seen_from(seen(kernel, axis, pool, sources[axis], targets[axis]), at_once)
        for axis, at_once in enumerate((1, banks))
    )
    return down, across


@functools.cache
def _seen_from(places: tuple[tuple[int, ...], ...], at_once: int) -> _FloatArray:
    """Along an axis, the operations of an event at each place, of which each is for so many places of the target."""
    return np.array([-(-len(targets) // at_once) for targets in places], dtype=np.float64)
