"""Logic cells of an image engine beside what every engine has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from snnc.compiler.lanes.area import CURRENT_BIT, shifter_cells
from snnc.compiler.plan import EnginePlan
from snnc.compiler.targets import Device
from snnc.rtl.engines.image.plan import ImageKind

__all__ = ["further_cells"]

MULTIPLIER_BIT: Final = 1.3
"""Per bit of a weight and bit of the pixel that it is multiplied by."""

HELD_BIT: Final = 1.0
"""Per bit of a current that comes out of a multiplier: the register that holds it."""

UNIT: Final = 400
"""Of each unit: the walk below its kernels, the image's addresses, and the replay of its spikes."""

SKIP: Final = 100
"""Of each unit that skips pixels of 0: the kernel rows on their way, and the search in a window."""

SKIP_COLUMN: Final = 4
"""The same per column of the image: its mark, and the choice of windows."""


def further_cells(engine: EnginePlan, device: Device) -> Iterator[float]:
    """Estimated iCE40 cells, part by part: the units, a word's current, and what scales weights by a pixel."""
    kind = engine.kind
    assert isinstance(kind, ImageKind)
    yield UNIT * engine.units
    if kind.marks is not None:
        yield (SKIP + SKIP_COLUMN * kind.marks.width) * engine.units
    in_logic = engine.lanes - kind.summed
    yield CURRENT_BIT * engine.units * in_logic * kind.current_bits
    yield (HELD_BIT if kind.lanes_each > 1 else CURRENT_BIT) * engine.units * kind.summed * kind.current_bits
    if kind.multiplies:
        yield MULTIPLIER_BIT * engine.units * in_logic * engine.main.weight_bits * kind.value_bits
    else:
        yield engine.units * shifter_cells(engine, kind.value_bits)
