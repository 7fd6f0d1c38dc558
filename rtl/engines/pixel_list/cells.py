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


def further_cells(engine: EnginePlan, device: Device) -> Iterator[float]:
    """Estimated iCE40 cells, part by part: a word's current, held and gathered, and the products."""
    kind = engine.kind
    assert isinstance(kind, PixelListKind)
    yield (CURRENT_BIT + HELD_BIT) * engine.lanes * kind.current_bits
    yield PRODUCT_BIT * engine.lanes * engine.main.weight_bits * kind.value_bits
