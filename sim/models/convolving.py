"""Convolutions as matrix products: what a target sees is copied beside each other (im2col), a cacheful at a time."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from snnc.compiler.ir import Convolution

__all__ = ["arranged", "convolved"]

AnyArray: TypeAlias = npt.NDArray[Any]

_PIECE: Final = 2**17
"""Numbers that are copied beside each other at a time: few enough for a cache, enough for a fast product."""


def arranged(weight: AnyArray, groups: int) -> AnyArray:
    """Weights ``(target channel, channel of its group, row, column)`` as `convolved` takes them."""
    outputs, channels, rows, columns = weight.shape
    grouped = weight.reshape(groups, outputs // groups, channels, rows, columns)
    return np.ascontiguousarray(
        grouped.transpose(0, 3, 4, 2, 1).reshape(groups, rows * columns * channels, outputs // groups)
    )


def convolved(
    maps: AnyArray,
    projection: Convolution,
    weight: AnyArray,
    target: tuple[int, int, int],
    kind: type[np.generic] | np.dtype[Any],
) -> AnyArray:
    """The sums of a convolution, ``(batch, target)``, in numbers of `kind`.

    Parameters
    ----------
    maps
        Of the source, pooled, ``(batch, channel, height, width)``, of the weights' type, in which products are summed.
    weight
        `arranged`.
    target
        Its shape, ``(channel, row, column)``.
    """
    batch, channels, height, width = maps.shape
    outputs, rows, columns = target
    (kernel_rows, kernel_columns), groups = projection.kernel, projection.groups
    (above, left), (down, right) = projection.padding, projection.stride
    result = np.empty((batch, groups, outputs // groups, rows * columns), kind)
    piece = max(1, _PIECE // (channels * kernel_rows * kernel_columns * rows * columns))
    for start in range(0, batch, piece):
        some = maps[start : start + piece]
        # Channels last: what is copied together lies together.
        padded = np.zeros((len(some), height + 2 * above, width + 2 * left, channels), maps.dtype)
        padded[:, above : above + height, left : left + width] = some.transpose(0, 2, 3, 1)
        sample, row, column, channel = padded.strides
        seen = np.lib.stride_tricks.as_strided(
            padded,
            (groups, len(some), rows, columns, kernel_rows, kernel_columns, channels // groups),
            (
                *(channel * (channels // groups), sample, row * down, column * right),
                *(row * projection.dilation[0], column * projection.dilation[1], channel),
            ),
            writeable=False,
        )
        # (group, sample and position, channel)
        product = seen.reshape(groups, len(some) * rows * columns, -1) @ weight
        product = product.reshape(groups, len(some), rows * columns, -1)
        result[start : start + piece] = product.transpose(1, 0, 3, 2)
    return result.reshape(batch, outputs * rows * columns)
