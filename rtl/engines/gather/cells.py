"""Logic cells of a gathering engine beside what every engine has."""

from __future__ import annotations

from collections.abc import Iterator

from snnc.compiler.plan import EnginePlan

__all__ = ["further_cells"]


def further_cells(engine: EnginePlan) -> Iterator[float]:
    """Estimated iCE40 cells, part by part: the spike word on its way to the lanes."""
    yield 2.5 * engine.main.source_layout.lanes
