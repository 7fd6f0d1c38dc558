"""Projections: all the synapses from one population to another, one dataclass per kind.

The sums are those of ``docs/semantics.md`` section 1, where the indices stand. Shapes are ``(C, H, W)``; pairs are
``(vertical, horizontal)``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias, assert_never

import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import CheckpointError
from snnc.compiler.ir.neurons import Array

__all__ = [
    "Convolution",
    "Dense",
    "Pair",
    "Pooling",
    "Projection",
    "Shape",
    "as_convolution",
    "kernel_positions",
    "pooled_shape",
    "target_shape",
    "weight_shape",
    "window",
]

Shape: TypeAlias = tuple[int, int, int]
Pair: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dense:
    """All-to-all synapses: ``I[n] += (sum over m of weight[n, m] * p[m]) << shift``.

    Attributes
    ----------
    source, target
        Names of populations.
    weight
        ``(target.size, source.size)``, the source pooled. Float before quantisation (latent weights), int64 after.
    step
        Quantiser step per output channel ``(target.channels,)`` or ``(1,)``; None where none was trained, and at
        `Level.INTEGER`.
    gain
        Factor of the weighted sum per output channel ``(target.channels,)``, left by a folded batch norm (``g`` of
        ``docs/semantics.md``, of either sign); None for 1, and at `Level.INTEGER`.
    bits
        Width of a signed weight, 1 to 8: ``|weight| <= 2**(bits - 1) - 1``, and ``{-1, 1}`` for 1 (0 in a constant
        channel). None: not yet chosen.
    shift
        ``f``: fractional bits of the target's membrane against this projection's sum.
    delay
        Time steps between a spike and its effect.
    pool
        ``q``: the source is first summed over windows of ``q x q`` that do not overlap, which gives ``p``.
    """

    source: str
    target: str
    weight: Array
    step: Array | None = None
    gain: Array | None = None
    bits: int | None = None
    shift: int = 0
    delay: int = 0
    pool: int = 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Convolution:
    """Synapses that are the same at every position.

    Attributes
    ----------
    weight
        ``(O, C // groups, kernel height, kernel width)``.
    stride, padding, dilation
        Padding adds zeros on both sides.
    groups
        The channels of source and target fall into so many groups, and synapses join equal groups only.
    source, target, step, gain, bits, shift, delay, pool
        As those of `Dense`.
    """

    source: str
    target: str
    weight: Array
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    step: Array | None = None
    gain: Array | None = None
    bits: int | None = None
    shift: int = 0
    delay: int = 0
    pool: int = 1

    @property
    def kernel(self) -> Pair:
        return self.weight.shape[2], self.weight.shape[3]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pooling:
    """Each channel's spikes, summed over windows: ``I[c, y, x] += (weight[c] * sum over the window) << shift``.

    A ``1 x 1`` kernel is the identity, of a residual connection.

    Attributes
    ----------
    weight
        ``(C,)``: what one spike of a channel adds. Any width.
    kernel, stride
        Of the windows.
    source, target, shift, delay
        As those of `Dense`.
    """

    source: str
    target: str
    weight: Array
    kernel: Pair
    stride: Pair
    shift: int = 0
    delay: int = 0


Projection: TypeAlias = Dense | Convolution | Pooling


def as_convolution(projection: Pooling) -> Convolution:
    """The same sums through a kernel of equal weights, a group for each channel; of an integer graph.

    `bits` is the width of the widest weight, whatever it is.
    """
    channels = len(projection.weight)
    values = projection.weight.astype(np.int64).reshape(-1, 1, 1, 1)
    weight = np.broadcast_to(values, (channels, 1, *projection.kernel))
    widest = max(int(value).bit_length() for value in np.abs(projection.weight))
    return Convolution(
        source=projection.source,
        target=projection.target,
        weight=weight,
        stride=projection.stride,
        groups=channels,
        bits=widest + 1,
        shift=projection.shift,
        delay=projection.delay,
    )


def window(projection: Projection) -> int:
    """Source neurons that are summed before a weight sees them: the largest value that a spiking source gives it."""
    match projection:
        case Dense() | Convolution():
            return projection.pool**2
        case Pooling():
            return math.prod(projection.kernel)
        case _ as unreachable:
            assert_never(unreachable)


def pooled_shape(source: Shape, projection: Dense | Convolution) -> Shape:
    """Shape of ``p``, the source summed over the projection's `pool` windows."""
    channels, height, width = source
    pool = projection.pool
    if pool < 1 or height % pool or width % pool:
        raise CheckpointError(
            f"{_capital(_where(projection))} sums windows of {pool} x {pool}, which do not divide {height} x {width}; "
            "choose a pool that divides both."
        )
    return channels, height // pool, width // pool


def weight_shape(projection: Projection, source: Shape, target: Shape) -> tuple[int, ...]:
    """The shape that the weights between populations of these shapes must have.

    Raises
    ------
    CheckpointError
        No weights can join them: a group or a window does not divide what it must.
    """
    match projection:
        case Dense():
            return math.prod(target), math.prod(pooled_shape(source, projection))
        case Convolution(groups=groups):
            if groups < 1 or source[0] % groups or target[0] % groups:
                raise CheckpointError(
                    f"{_capital(_where(projection))} has {groups} groups, which do not divide {source[0]} channels "
                    f"into {target[0]}; choose a number that divides both."
                )
            kernel = projection.weight.shape[2:] if projection.weight.ndim == 4 else (0, 0)
            return target[0], source[0] // groups, *kernel
        case Pooling():
            return (source[0],)
        case _ as unreachable:
            assert_never(unreachable)


def kernel_positions(projection: Convolution, axis: int, count: int) -> npt.NDArray[np.int64]:
    """Row (`axis` 0) or column (1) of the pooled source under each kernel position of `count` outputs.

    ``(output, kernel position)``: ``output * stride - padding + position * dilation``. It lies outside the source where
    the padding is.
    """
    first = np.arange(count, dtype=np.int64)[:, None] * projection.stride[axis] - projection.padding[axis]
    return first + np.arange(projection.kernel[axis], dtype=np.int64) * projection.dilation[axis]


def target_shape(projection: Projection, source: Shape) -> Shape | None:
    """Shape that the target of `projection` must have; None where its weights alone decide.

    Raises
    ------
    CheckpointError
        The kernel does not fit the source.
    """
    match projection:
        case Dense():
            return None
        case Convolution():
            _, height, width = pooled_shape(source, projection)
            rows, columns = (_convolved(projection, axis, size) for axis, size in enumerate((height, width)))
            return projection.weight.shape[0], rows, columns
        case Pooling():
            rows, columns = (_windows(projection, axis, size) for axis, size in enumerate(source[1:]))
            return source[0], rows, columns
        case _ as unreachable:
            assert_never(unreachable)


def _convolved(projection: Convolution, axis: int, size: int) -> int:
    kernel, stride = projection.kernel[axis], projection.stride[axis]
    padding, dilation = projection.padding[axis], projection.dilation[axis]
    if min(kernel, stride, dilation) < 1 or padding < 0:
        raise CheckpointError(
            f"{_capital(_where(projection))} has the kernel {kernel}, stride {stride}, dilation {dilation} and padding "
            f"{padding}; at least 1, 1, 1 and 0 are needed."
        )
    extent, padded = dilation * (kernel - 1) + 1, size + 2 * padding
    if extent > padded:
        raise CheckpointError(
            f"{_capital(_where(projection))} has a kernel that covers {extent} positions of a padded source of "
            f"{padded}; use a smaller kernel, less dilation or more padding."
        )
    if padding >= extent:
        raise CheckpointError(
            f"{_capital(_where(projection))} is padded by {padding}, but its kernel covers {extent} positions, so "
            f"that some neurons would see padding only; use a padding below {extent}."
        )
    return (padded - extent) // stride + 1


def _windows(projection: Pooling, axis: int, size: int) -> int:
    kernel, stride = projection.kernel[axis], projection.stride[axis]
    if min(kernel, stride) < 1 or kernel > size or (size - kernel) % stride:
        raise CheckpointError(
            f"{_capital(_where(projection))} has windows of {kernel} at a stride of {stride}, which do not divide a "
            f"source of {size} positions; choose others, or change the layer before it."
        )
    return (size - kernel) // stride + 1


def _where(projection: Projection) -> str:
    match projection:
        case Dense():
            kind = "dense projection"
        case Convolution():
            kind = "convolution"
        case Pooling():
            kind = "pooling"
        case _ as unreachable:
            assert_never(unreachable)
    return f"the {kind} from '{projection.source}' to '{projection.target}'"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
