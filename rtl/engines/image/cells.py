"""Logic cells of an image engine beside what every engine has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from snnc.compiler.lanes.area import CURRENT_BIT, shifter_cells
from snnc.compiler.plan import EnginePlan
from snnc.rtl.engines.image.plan import ImageKind

__all__ = ["further_cells"]

MULTIPLIER_BIT: Final = 1.3
"""Per bit of a weight and bit of the pixel that it is multiplied by."""


def further_cells(engine: EnginePlan) -> Iterator[float]:
    """Estimated iCE40 cells, part by part: the current of a word, and what scales weights by a pixel."""
    kind = engine.kind
    assert isinstance(kind, ImageKind)
    yield CURRENT_BIT * engine.lanes * kind.current_bits
    if kind.multiplies:
        yield MULTIPLIER_BIT * engine.lanes * engine.main.weight_bits * kind.value_bits
    else:
        yield shifter_cells(engine, kind.value_bits)
