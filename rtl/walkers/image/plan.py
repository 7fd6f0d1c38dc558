"""The record of an image's walk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from snnc.compiler.plan.layout import KernelPlan, LayoutPlan
from snnc.compiler.plan.walks import Walk

__all__ = ["ImageWalk", "mark_depth"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageWalk(Walk):
    """Each word of the target reads the rows of all pixels below its kernel.

    That of image channel ``c``, kernel position ``(u, v)`` and target group ``g`` is
    ``((c * kernel height + u) * kernel width + v) * row_stride + g``: every channel reaches all groups.

    Attributes
    ----------
    kernel
        Over the image; of one group.
    """

    kind: ClassVar[str] = "image"
    in_turn: ClassVar[bool] = False

    kernel: KernelPlan

    @property
    def returns(self) -> bool:
        return False  # a word's currents are complete before the next one's begin


def mark_depth(image: LayoutPlan) -> int:
    """Words of a memory of marks: at the address of a neuron without the bits of its column, a row of its channel."""
    return image.rows << image.group_bits
