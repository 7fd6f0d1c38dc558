"""Logic cells of an event-driven engine beside what every engine has."""

from __future__ import annotations

from collections.abc import Iterator

from snnc.compiler.lanes.area import CURRENT_BIT, shifter_cells
from snnc.compiler.plan import EnginePlan

__all__ = ["further_cells"]


def further_cells(engine: EnginePlan) -> Iterator[float]:
    """Estimated iCE40 cells, part by part: behind pixels, the image's current."""
    if (digits := engine.main.digits) is not None:
        yield CURRENT_BIT * digits.memory.width
        yield shifter_cells(engine, digits.value_bits)
