"""The weight memory of a dense walk."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from snnc.compiler.ir import Convolution, Dense
from snnc.compiler.plan import LayoutPlan
from snnc.rtl.walkers.dense.plan import DenseWalk

__all__ = ["sources", "strides", "takes", "walk"]


def takes(projection: Dense | Convolution, *, pixels: bool, gathered: bool) -> bool:
    """Any dense projection."""
    return isinstance(projection, Dense)


def sources(projection: Dense, source: LayoutPlan) -> int:
    """Pooled neurons as the walker counts them."""
    pool = projection.pool
    pooled = dataclasses.replace(source, rows=source.rows // pool, columns=source.columns // pool)
    last = pooled.address(pooled.rows - 1, pooled.columns - 1, 0) >> pooled.group_bits
    return last * source.groups * source.lanes + source.channels


def strides(projection: Dense, target: LayoutPlan) -> Sequence[int]:
    """A power of two makes a row's address a concatenation, where it is free."""
    return 1 << (target.words - 1).bit_length(), target.words


def walk(projection: Dense, row_stride: int) -> DenseWalk:
    """The record."""
    return DenseWalk(row_stride=row_stride, pool=projection.pool)
