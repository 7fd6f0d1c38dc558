"""Logic cells of a pixel list engine beside what every engine has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from snnc.compiler.lanes.area import CURRENT_BIT
from snnc.compiler.plan import EnginePlan
from snnc.compiler.targets import Device
from snnc.rtl.engines.pixel_list.plan import PixelListKind

__all__ = ["further_cells"]

PRODUCT_BIT: Final = 2.4
"""Per bit of a weight and bit of the pixel that it is multiplied by: two products, and their sum."""

HELD_BIT: Final = 1.0
"""Per bit of a current that is held while the next word's is gathered: a register that shares its cell with nothing."""

SUMMED_BIT: Final = 1.5
"""The same of one that comes out of a multiplier: its register, and the choice behind it in cells of its own."""


def further_cells(engine: EnginePlan, device: Device) -> Iterator[float]:
    """Estimated iCE40 cells, part by part: a word's current, held and gathered, and the products."""
    kind = engine.kind
    assert isinstance(kind, PixelListKind)
    in_logic = engine.lanes - kind.summed
    summed = SUMMED_BIT if kind.lanes_each > 1 else CURRENT_BIT + HELD_BIT
    yield ((CURRENT_BIT + HELD_BIT) * in_logic + summed * kind.summed) * kind.current_bits
    yield PRODUCT_BIT * in_logic * engine.main.weight_bits * kind.value_bits
