"""How many neurons each engine updates per cycle."""

from __future__ import annotations

from snnc.compiler.design import Design
from snnc.compiler.lanes.search import choose_lanes

__all__ = ["schedule"]


def schedule(design: Design) -> Design:
    """Choose the lanes and the column banks.

    Invariant: one lane count and one number of column banks per layer, as the user said or as
    `snnc.compiler.lanes.search.choose_lanes` finds best.
    """
    return choose_lanes(design)
