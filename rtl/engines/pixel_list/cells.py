"""What takes logic in a pixel list engine beside what every engine has."""

from __future__ import annotations

from collections.abc import Iterator

from snnc.compiler.plan import EnginePlan
from snnc.rtl.engines.pixel_list.plan import PixelListKind

__all__ = ["terms"]


def terms(engine: EnginePlan) -> Iterator[tuple[str, float]]:
    """How much there is of each term: residuals, currents that are gathered and held, and the products."""
    kind = engine.kind
    assert isinstance(kind, PixelListKind)
    in_logic = engine.lanes - kind.summed
    yield "list", 1
    yield "list bit", engine.lanes * engine.residual_bits
    yield "list current bit", in_logic * kind.current_bits
    yield "list summed bit", kind.summed * kind.current_bits
    yield "list product bit", in_logic * engine.main.weight_bits * kind.value_bits  # two halves, and their sum
