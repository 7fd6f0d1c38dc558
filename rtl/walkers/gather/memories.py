"""The weight memory of a gathering walk."""

from __future__ import annotations

from snnc.compiler.ir import Convolution, Dense
from snnc.rtl.walkers.convolution.memories import kernel_of, sources
from snnc.rtl.walkers.gather.plan import GatherWalk
from snnc.rtl.walkers.image.memories import strides

__all__ = ["sources", "strides", "takes", "walk"]


def takes(projection: Dense | Convolution, *, pixels: bool, gathered: bool) -> bool:
    """A convolution of spikes into a layer that gathers."""
    return isinstance(projection, Convolution) and gathered


def walk(projection: Convolution, row_stride: int) -> GatherWalk:
    """The record."""
    return GatherWalk(row_stride=row_stride, kernel=kernel_of(projection))
