"""The weighted sums of the golden model: ``docs/semantics.md`` section 1 for whole batches.

Sums are matrix products in floating point wherever the actual weights prove them exact.
"""

from __future__ import annotations

import math
from typing import Any, Final, TypeAlias, assert_never

import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import FitError
from snnc.compiler.ir import Convolution, Dense, Encoding, Graph, InputSource, Pooling, Projection, window
from snnc.sim.models.convolving import arranged, convolved
from snnc.sim.models.packing import packed, packing, unpacked

__all__ = ["WeightedSum", "fan_out"]

IntArray: TypeAlias = npt.NDArray[np.int64]
AnyArray: TypeAlias = npt.NDArray[Any]

_EXACT: Final[tuple[tuple[type[np.generic], int], ...]] = (
    (np.float32, 2**24),
    (np.float64, 2**53),
    (np.int64, 2**62),
)
"""Arithmetic for weighted sums, fastest first, with the magnitude below which every partial sum is exact in it."""


class WeightedSum:
    """``(W * s) << f`` of one projection for a batch, in the fastest arithmetic that its weights prove exact."""

    def __init__(self, graph: Graph, projection: Projection) -> None:
        source, target = graph.population(projection.source), graph.population(projection.target)
        neuron = source.neuron
        self.projection = projection
        self.direct = isinstance(neuron, InputSource) and neuron.encoding is Encoding.DIRECT
        self._source, self._target = source.shape, target.shape
        largest = 2**neuron.bits - 1 if isinstance(neuron, InputSource) and self.direct else 1
        self.reach = _largest_row(projection) * largest * window(projection)
        """Bounds the magnitude of every partial sum, in whatever order the products are added."""
        self._packing = None
        if not self.direct and not isinstance(projection, Pooling):
            self._packing = packing(_largest_side(projection) * window(projection), graph.time_steps)
        if self._packing is not None:
            self.weight: AnyArray = _arranged(projection, self._packing.kind)
            return
        for kind, limit in _EXACT:
            if self.reach < limit:
                self.weight = _arranged(projection, kind)
                break
        else:
            raise FitError(
                f"The weighted sums from '{projection.source}' to '{projection.target}' can reach {self.reach}; "
                "the golden model is exact below 2^62. Use fewer input bits."
            )

    @property
    def together(self) -> int:
        """Steps that are summed in one product, where they are known together."""
        return 1 if self._packing is None else self._packing.steps

    def __call__(self, emitted: AnyArray, t: int, kind: type[np.signedinteger[Any]] = np.int64) -> AnyArray:
        """The sum for what the source emitted at step `t`; ``(time, batch, source)`` to ``(batch, target)``.

        It comes in integers of `kind`, in which ``reach << shift`` has to be exact.
        """
        return self._shifted(self._product(emitted[t], kind))

    def several(self, emitted: AnyArray, steps: range, kind: type[np.signedinteger[Any]]) -> AnyArray:
        """The sums for what the source emitted at these steps, which follow each other; ``(step, batch, target)``.

        As those of `__call__`; of a direct source, one for all steps, ``(1, batch, target)``.
        """
        if self.direct or len(steps) == 1:
            return self(emitted, steps.start, kind)[np.newaxis]
        if self._packing is None:
            return np.stack([self(emitted, t, kind) for t in steps])
        sums = []
        for first in range(steps.start, steps.stop, self._packing.steps):
            some = emitted[first : min(first + self._packing.steps, steps.stop)]
            whole = self._product(packed(some, self._packing), self._packing.whole)
            sums.append(unpacked(whole, self._packing, len(some), kind))
        return self._shifted(sums[0] if len(sums) == 1 else np.concatenate(sums))

    def operations(self, emitted: AnyArray, steps: IntArray) -> IntArray:
        """Events that take effect, times the neurons that each reaches; ``(time, batch, source)`` to ``(batch,)``.

        `steps` are those that each sample takes, ``(batch,)``.
        """
        effective = emitted[: max(len(emitted) - self.projection.delay, 0)]
        if self.direct:
            effective = effective[:1]
        if (steps < len(emitted)).any():
            # What is sent in step t takes effect in step t + delay, if there is one.
            late = np.arange(len(effective))[:, np.newaxis] + self.projection.delay >= steps
            effective = np.where(late[..., np.newaxis], 0, effective)
        reached = fan_out(self.projection, self._source, self._target)
        return np.count_nonzero(effective, axis=0).astype(np.int64) @ reached

    def _shifted(self, sums: AnyArray) -> AnyArray:
        return sums << self.projection.shift if self.projection.shift else sums

    def _product(self, values: AnyArray, kind: type[np.signedinteger[Any]]) -> AnyArray:
        result: AnyArray
        maps = values.reshape(len(values), *self._source)
        match self.projection:
            case Dense(pool=pool):
                pooled = self._pooled(maps, pool)
                result = (pooled.reshape(len(values), len(self.weight)) @ self.weight).astype(kind)
            case Convolution(pool=pool) as projection:
                result = convolved(self._pooled(maps, pool), projection, self.weight, self._target, kind)
            case Pooling(kernel=kernel, stride=stride):
                sums = _window_sums(maps, kernel, stride, np.dtype(kind))
                result = (sums * self.weight[:, None, None].astype(kind)).reshape(len(values), math.prod(self._target))
            case _ as unreachable:
                assert_never(unreachable)
        return result

    def _pooled(self, maps: AnyArray, pool: int) -> AnyArray:
        if pool == 1:
            return maps.astype(self.weight.dtype, copy=False)
        return _window_sums(maps, (pool, pool), (pool, pool), self.weight.dtype)


def _largest_row(projection: Projection) -> int:
    """The largest sum of magnitudes of the weights that reach one neuron."""
    magnitude = np.abs(projection.weight)
    match projection:
        case Dense() | Convolution():
            return int(magnitude.reshape(len(magnitude), -1).sum(axis=1).max())
        case Pooling():
            return int(magnitude.max())
        case _ as unreachable:
            assert_never(unreachable)


def _largest_side(projection: Projection) -> int:
    """The largest sum of the weights of one sign that reach one neuron: no sum of spikes is of greater magnitude."""
    rows = projection.weight.reshape(len(projection.weight), -1)
    return int(max(np.maximum(rows, 0).sum(axis=1).max(), np.maximum(-rows, 0).sum(axis=1).max()))


def _arranged(projection: Projection, kind: type[np.generic]) -> AnyArray:
    """The weights as the right-hand side of a product: ``(source, target)``, or ``(group, kernel, target)``."""
    match projection:
        case Dense():
            return np.ascontiguousarray(projection.weight.T.astype(kind))
        case Convolution(weight=weight, groups=groups):
            return arranged(weight.astype(kind), groups)
        case Pooling():
            return projection.weight.astype(np.int64)
        case _ as unreachable:
            assert_never(unreachable)


def _window_sums(maps: AnyArray, kernel: tuple[int, int], stride: tuple[int, int], kind: np.dtype[Any]) -> AnyArray:
    """Sums over windows of ``(batch, channel, height, width)``, in `kind`."""
    rows, columns = ((size - k) // s + 1 for size, k, s in zip(maps.shape[2:], kernel, stride, strict=True))
    sums = np.zeros((*maps.shape[:2], rows, columns), kind)
    for u in range(kernel[0]):
        for v in range(kernel[1]):
            sums += maps[:, :, u : u + stride[0] * rows : stride[0], v : v + stride[1] * columns : stride[1]]
    return sums


def fan_out(projection: Projection, source: tuple[int, int, int], target: tuple[int, int, int]) -> IntArray:
    """How many neurons each neuron of the source reaches, ``(source,)``: fewer at the borders of a convolution."""
    match projection:
        case Dense():
            return np.full(math.prod(source), math.prod(target), np.int64)
        case Convolution(kernel=kernel, stride=stride, padding=padding, dilation=dilation, pool=pool):
            per_position = target[0] // projection.groups
        case Pooling(kernel=kernel, stride=stride):
            padding, dilation, pool, per_position = (0, 0), (1, 1), 1, 1
        case _ as unreachable:
            assert_never(unreachable)
    axes = []
    for axis in range(2):
        size = source[1 + axis] // pool
        position = np.arange(target[1 + axis])[:, None] * stride[axis] + np.arange(kernel[axis]) * dilation[axis]
        position = position - padding[axis]
        inside = position[(position >= 0) & (position < size)]
        axes.append(np.repeat(np.bincount(inside, minlength=size), pool))
    reached = per_position * axes[0][:, None] * axes[1]
    return np.broadcast_to(reached, source).reshape(-1).astype(np.int64)
