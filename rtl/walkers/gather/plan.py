"""The record of a gathering walk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from snnc.compiler.plan.layout import KernelPlan
from snnc.compiler.plan.walks import Walk

__all__ = ["GatherWalk"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GatherWalk(Walk):
    """Each word of the target reads the spike words of all positions below its kernel.

    The weight row of kernel position ``(u, v)``, target group ``g`` and source channel ``c`` is
    ``((u * kernel width + v) * row_stride + g) * channels + c``: every channel reaches all groups, and the channels of
    a spike word lie side by side.

    Attributes
    ----------
    kernel
        Over the source; each of its positions has at least one row and one column inside, whatever the word.
    """

    kind: ClassVar[str] = "gather"
    in_turn: ClassVar[bool] = False

    kernel: KernelPlan

    @property
    def returns(self) -> bool:
        return False  # a word is complete before the next one begins
