"""Logic cells of a gathering engine beside what every engine has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from snnc.compiler.lanes.area import STATE_BIT
from snnc.compiler.plan import EnginePlan

__all__ = ["further_cells"]

UNIT: Final = 150
"""Of each unit: the walk below its kernels, and the spike words on their way."""

RESIDUAL_BIT: Final = 0.9
"""Per bit of a word's residual: it is a register that nothing else is read into."""


def further_cells(engine: EnginePlan) -> Iterator[float]:
    """Estimated iCE40 cells, part by part: the units, and the spike word on its way to the lanes."""
    yield UNIT * engine.units
    yield (RESIDUAL_BIT - STATE_BIT) * engine.units * engine.lanes * engine.residual_bits
    yield 2.5 * engine.main.source_layout.lanes
