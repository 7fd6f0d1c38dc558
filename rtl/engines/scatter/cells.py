"""What takes logic in an event-driven engine beside what every engine has."""

from __future__ import annotations

from collections.abc import Iterator

from snnc.compiler.lanes.area import shifter_bits
from snnc.compiler.plan import EnginePlan
from snnc.rtl.walkers.convolution.plan import ConvolutionWalk

__all__ = ["terms"]


def terms(engine: EnginePlan) -> Iterator[tuple[str, float]]:
    """How much there is of each term: membranes and the registers around them; walks; the current of pixels."""
    bits = engine.column_banks * engine.lanes * engine.residual_bits
    yield "scatter", 1
    yield "scatter bit", bits
    if engine.staged:
        # What is written may have to come back where words are not visited in turn.
        yield "forwarded bit" if engine.forwards else "staged bit", bits
    yield "operand bit", bits * engine.registered
    yield "bank", engine.column_banks - 1
    yield "walk", sum(isinstance(projection.walk, ConvolutionWalk) for projection in engine.projections)
    if (digits := engine.main.digits) is not None:
        yield "digits", 1
        yield "current bit", digits.memory.width
        yield "shifter bit", shifter_bits(engine, digits.value_bits)
