"""The record of a convolution's walk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from snnc.compiler.plan.faults import Fault, at_least
from snnc.compiler.plan.layout import KernelPlan, LayoutPlan
from snnc.compiler.plan.walks import Walk

__all__ = ["ConvolutionWalk"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvolutionWalk(Walk):
    """Each event reads the rows of the kernel positions through which it is seen.

    Those of source channel ``c``, kernel position ``(u, v)`` and target group ``g`` are
    ``((c * kernel height + u) * kernel width + v) * row_stride + g - first``: `row_stride` groups, from the first one
    that the channel reaches.

    Attributes
    ----------
    pool
        ``q``: the source is first summed over windows of ``q x q``.
    kernel
        Over these sums.
    """

    kind: ClassVar[str] = "convolution"
    in_turn: ClassVar[bool] = False

    pool: int
    kernel: KernelPlan

    @property
    def returns(self) -> bool:
        """With a single row for each position, an event may end on the word where the next one begins."""
        return self.row_stride == 1

    @property
    def next_column_rows(self) -> int | None:
        taps = self.kernel.next_column_taps
        return None if taps is None else taps * self.row_stride

    def first_group(self, channel: int, source: LayoutPlan, target: LayoutPlan) -> int:
        """The first group of `target` in which a source channel has a weight row."""
        if self.row_stride == target.groups:
            return 0
        reached = target.channels // self.kernel.groups
        return channel // (source.channels // self.kernel.groups) * reached // target.lanes

    def faults(self) -> Iterator[Fault]:
        yield from Walk.faults(self)
        yield from at_least(self, 1, "pool")
