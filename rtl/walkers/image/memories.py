"""The weight memory of an image's walk."""

from __future__ import annotations

from collections.abc import Sequence

from snnc.compiler.ir import Convolution, Dense
from snnc.compiler.plan import LayoutPlan
from snnc.rtl.walkers.convolution.memories import kernel_of, sources
from snnc.rtl.walkers.image.plan import ImageWalk

__all__ = ["sources", "strides", "takes", "walk"]


def takes(projection: Dense | Convolution, *, pixels: bool, gathered: bool) -> bool:
    """A convolution of pixels."""
    return isinstance(projection, Convolution) and pixels


def strides(projection: Convolution, target: LayoutPlan) -> Sequence[int]:
    """All groups."""
    return (target.groups,)


def walk(projection: Convolution, row_stride: int) -> ImageWalk:
    """The record."""
    return ImageWalk(row_stride=row_stride, kernel=kernel_of(projection))
