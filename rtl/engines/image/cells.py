"""What takes logic in an image engine beside what every engine has."""

from __future__ import annotations

from collections.abc import Iterator

from snnc.compiler.lanes.area import shifter_bits
from snnc.compiler.plan import EnginePlan
from snnc.rtl.engines.image.plan import ImageKind

__all__ = ["terms"]


def terms(engine: EnginePlan) -> Iterator[tuple[str, float]]:
    """How much there is of each term: the units, residuals and currents, and what scales weights by a pixel."""
    kind = engine.kind
    assert isinstance(kind, ImageKind)
    in_logic = engine.units * (engine.lanes - kind.summed)
    yield "image unit", engine.units
    yield "image bit", engine.units * engine.lanes * engine.residual_bits
    if kind.marks is not None:
        yield "skip unit", engine.units
        yield "skip column", engine.units * kind.marks.width  # its mark, and the choice of windows
    yield "image current bit", in_logic * kind.current_bits
    yield "image summed bit", engine.units * kind.summed * kind.current_bits
    if kind.multiplies:
        yield "image product bit", in_logic * engine.main.weight_bits * kind.value_bits
    else:
        yield "shifter bit", engine.units * shifter_bits(engine, kind.value_bits)
