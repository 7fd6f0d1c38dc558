"""Walkers: each turns an event beat into a run of engine operations. One file per kind, one line in `WALKERS`."""

from typing import Final

from snnc.rtl.walkers.convolution import ConvolutionWalker
from snnc.rtl.walkers.dense import DenseWalker

__all__ = ["WALKERS", "ConvolutionWalker", "DenseWalker"]

WALKERS: Final[dict[str, type[DenseWalker] | type[ConvolutionWalker]]] = {
    "dense": DenseWalker,
    "convolution": ConvolutionWalker,
}
"""`ProjectionPlan.walker` to the component that walks it."""
