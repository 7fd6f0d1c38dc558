"""How many kernel positions a pixel is read through on average."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from snnc.compiler.plan import EnginePlan, ProjectionPlan
from snnc.rtl.walkers.convolution.estimate import mean_operations
from snnc.rtl.walkers.convolution.timing import seen
from snnc.rtl.walkers.image.plan import ImageWalk

__all__ = ["operations_per_event", "slots_of_words", "waits_per_event"]


def operations_per_event(
    engine: EnginePlan, projection: ProjectionPlan, shares: npt.NDArray[np.float64] | None
) -> float:
    """Mean over the pixels of the taps at which one of them is read."""
    walk = projection.walk
    assert isinstance(walk, ImageWalk)
    return mean_operations(engine, projection, walk.kernel, 1, shares)


def waits_per_event(engine: EnginePlan, projection: ProjectionPlan, shares: npt.NDArray[np.float64] | None) -> float:
    """None: a current is gathered in a register."""
    return 0.0


def slots_of_words(
    engine: EnginePlan, projection: ProjectionPlan, slots: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Sums of the pixels' `slots`, ``(row, column)``, under the kernel at each position of the target."""
    walk = projection.walk
    assert isinstance(walk, ImageWalk)
    sources, targets = projection.source_layout.sizes, engine.layout.sizes
    down, across = (_under(seen(walk.kernel, axis, 1, sources[axis], targets[axis]), targets[axis]) for axis in (0, 1))
    return down @ slots @ across.T


@functools.cache
def _under(places: tuple[tuple[int, ...], ...], targets: int) -> npt.NDArray[np.float64]:
    """Along an axis, 1 where a place of the target sees one of the source, ``(target, source)``."""
    sees = np.zeros((targets, len(places)))
    for source, seeing in enumerate(places):
        sees[list(seeing), source] = 1
    return sees
