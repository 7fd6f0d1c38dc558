"""What takes logic in a gathering engine beside what every engine has."""

from __future__ import annotations

from collections.abc import Iterator

from snnc.compiler.plan import EnginePlan

__all__ = ["terms"]


def terms(engine: EnginePlan) -> Iterator[tuple[str, float]]:
    """How much there is of each term: the units, with the walk below their kernels, and their residuals."""
    yield "gather unit", engine.units
    yield "gather bit", engine.units * engine.lanes * engine.residual_bits
    # Each further projection's walk is in all units.
    yield "side", (engine.units - 1) * (len(engine.projections) - 1)
