"""The weight memory of a convolution's walk."""

from __future__ import annotations

import math
from collections.abc import Sequence

from snnc.compiler.ir import Convolution, Dense
from snnc.compiler.plan import KernelPlan, LayoutPlan
from snnc.rtl.walkers.convolution.plan import ConvolutionWalk

__all__ = ["kernel_of", "sources", "strides", "takes", "walk"]


def takes(projection: Dense | Convolution, *, pixels: bool, gathered: bool) -> bool:
    """A convolution of spikes."""
    return isinstance(projection, Convolution) and not pixels and not gathered


def sources(projection: Convolution, source: LayoutPlan) -> int:
    """Channels and kernel positions."""
    return source.channels * math.prod(projection.kernel)


def strides(projection: Convolution, target: LayoutPlan) -> Sequence[int]:
    """Groups of lanes that an event's weight rows cover: those of its own channels, unless lanes straddle them."""
    channels = target.channels // projection.groups
    if channels % target.lanes == 0:
        return (channels // target.lanes,)
    return (1,) if target.lanes % channels == 0 else (target.groups,)


def walk(projection: Convolution, row_stride: int) -> ConvolutionWalk:
    """The record."""
    return ConvolutionWalk(row_stride=row_stride, pool=projection.pool, kernel=kernel_of(projection))


def kernel_of(projection: Convolution) -> KernelPlan:
    """The geometry of a convolution."""
    return KernelPlan(
        size=projection.kernel,
        stride=projection.stride,
        padding=projection.padding,
        dilation=projection.dilation,
        groups=projection.groups,
    )
