"""Logic cells of a gathering engine beside what every engine has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from snnc.compiler.lanes.area import SIDE, STATE_BIT
from snnc.compiler.plan import EnginePlan
from snnc.compiler.targets import Device

__all__ = ["further_cells"]

UNIT: Final = 150
"""Of each unit: the walk below its kernels, and the spike words on their way."""


def further_cells(engine: EnginePlan, device: Device) -> Iterator[float]:
    """Estimated iCE40 cells, part by part: the units, and the spike word on its way to the lanes."""
    yield UNIT * engine.units
    yield (device.residual_bit - STATE_BIT) * engine.units * engine.lanes * engine.residual_bits
    yield 2.5 * max(projection.source_layout.lanes for projection in engine.projections)
    # Each further projection's walk is in all units, and what one of them adds.
    yield SIDE * (engine.units - 1) * (len(engine.projections) - 1)
