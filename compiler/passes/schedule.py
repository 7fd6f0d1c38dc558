"""What computes each layer and how many neurons it updates per cycle, and with that the whole plan."""

from __future__ import annotations

from snnc.compiler.design import Design
from snnc.compiler.lanes.kinds import choose_engines

__all__ = ["schedule"]


def schedule(design: Design) -> Design:
    """Choose the kinds of engines, the lanes, the column banks, and the kind and shape of every memory.

    Invariant: one lane count and one number of column banks per layer, as the user said or as
    `snnc.compiler.lanes.kinds.choose_engines` finds best, and the plan of them, whether or not it fits the device.
    Block RAM goes where it saves the most logic, and SPRAM is used where a network does not fit without.
    """
    return choose_engines(design)
