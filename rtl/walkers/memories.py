"""What a kind of walk says of its weight memory while the plan is being made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from snnc.compiler.ir import Convolution, Dense
from snnc.compiler.plan import LayoutPlan
from snnc.compiler.plan.walks import Walk

__all__ = ["WalkMemories"]


class WalkMemories(Protocol):
    """The functions of a walker's ``memories.py``; poolings come as the convolutions that they are."""

    def takes(self, projection: Dense | Convolution, *, pixels: bool, gathered: bool) -> bool:
        """Whether it walks such a projection, of pixels or of spikes, and where they are `gathered`."""

    def sources(self, projection: Dense | Convolution, source: LayoutPlan) -> int:
        """Sources of weight rows: the memory holds `Walk.row_stride` rows for each."""

    def strides(self, projection: Dense | Convolution, target: LayoutPlan) -> Sequence[int]:
        """Possible `Walk.row_stride`, the preferred one first."""

    def walk(self, projection: Dense | Convolution, row_stride: int) -> Walk:
        """The record."""
