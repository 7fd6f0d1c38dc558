"""Bits of the weight memory flip."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from snnc.compiler.ir import Convolution, Dense, Graph, Pooling, Projection, frozen
from snnc.sim.evaluation.noise.interface import Faulty, HardwareNoise

__all__ = ["WEIGHT_BITS", "flipped", "held"]

_WIDEST = 8
_LARGEST = 2 ** (_WIDEST - 1) - 1


def _apply(graph: Graph, level: float, generator: np.random.Generator) -> Faulty:
    """Flip exactly the share `level` of all stored bits, drawn without repetition over the whole network."""
    stored = [0 if isinstance(p, Pooling) else p.weight.size * (p.bits or 0) for p in graph.projections]
    ends = np.cumsum(stored)
    chosen = np.sort(generator.choice(int(ends[-1]), size=round(level * int(ends[-1])), replace=False))
    projections: list[Projection] = []
    for projection, end, count in zip(graph.projections, ends, stored, strict=True):
        if isinstance(projection, Pooling):
            projections.append(projection)
            continue
        bits = chosen[(chosen >= end - count) & (chosen < end)] - (end - count)
        projections += held(projection, flipped(projection.weight.astype(np.int64), projection.bits or 1, bits))
    return Faulty(graph=dataclasses.replace(graph, projections=tuple(projections)))


def flipped(weight: npt.NDArray[np.int64], width: int, bits: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Weights with some bits of their two's complement flipped; weight ``n`` holds bits ``n * width ..``, lowest first.

    A weight of one bit is stored as its sign; 0, in a channel that is constant, is not stored.
    """
    flat = weight.reshape(-1).copy()
    if width == 1:
        flat[bits] = -flat[bits]
        return flat.reshape(weight.shape)
    pattern = flat & (2**width - 1)
    np.bitwise_xor.at(pattern, bits // width, np.int64(1) << (bits % width))
    flat = np.where(pattern >= 2 ** (width - 1), pattern - 2**width, pattern)
    return flat.reshape(weight.shape)


def held(projection: Dense | Convolution, weight: npt.NDArray[np.int64]) -> list[Projection]:
    """The faulty weights in projections that the contract allows: it has no ``-2**(bits - 1)``, but flips have."""
    allowed = np.clip(weight, -_LARGEST, _LARGEST)
    rest = weight - allowed
    parts = [allowed, rest] if rest.any() else [allowed]
    return [dataclasses.replace(projection, weight=frozen(part), bits=_WIDEST) for part in parts]


WEIGHT_BITS = HardwareNoise(
    title="Weight bit flips",
    axis="share of stored bits that flip",
    levels=(0.001, 0.003, 0.01, 0.03, 0.1),
    apply=_apply,
)
