"""Channels that no weight moves: integers by which they fire as in float (``docs/semantics.md``, section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from snnc.compiler.ir import Array, IntegrateAndFire

__all__ = ["CONSTANT_RATIO", "constant_channels", "resolution", "steady_drive"]

CONSTANT_RATIO: Final = 2.0**-24
"""A channel whose integer step is below this fraction of its threshold cannot be moved by its weights."""

_DENOMINATORS: Final = 256
"""Of the fractions that stand for bias over threshold: the spikes are right for as many steps."""

_RESOLUTION: Final = 8
_MOST_RESOLUTION: Final = 16
"""Bits of a threshold where pooling or a leak leaves no exact answer; a leak rounds down in every step."""

_Float: TypeAlias = npt.NDArray[np.float64]


def constant_channels(scale: _Float, theta: Array, rows: Sequence[_Float]) -> npt.NDArray[np.bool_]:
    """Which channels are constant.

    Parameters
    ----------
    scale, theta
        Integer step ``k >= 0`` and float threshold, ``(channel,)``.
    rows
        Integer weights of each dense or convolving projection, a row per channel or per neuron.
    """
    still = [~rows_of.reshape(len(theta), -1).any(axis=1) for rows_of in rows]
    return (scale < CONSTANT_RATIO * theta) | np.logical_and.reduce(still)


def steady_drive(bias: Array, theta: Array) -> tuple[_Float, _Float]:
    """Integer bias and threshold of neurons without a leak that nothing but their bias drives, ``(channel,)``."""
    ratio = np.clip(bias / theta, 0, 1)
    q = np.arange(1, _DENOMINATORS + 1)
    p = np.floor(ratio[:, None] * q)
    best = np.argmax(p / q, axis=1)  # the first of equal ones
    return 2 * p[np.arange(len(ratio)), best], 2.0 * q[best]


def resolution(neuron: IntegrateAndFire) -> int:
    """Bits ``c`` below the threshold where pooling or a leak goes on beside the bias."""
    return min(_RESOLUTION + (neuron.leak_shift or 0), _MOST_RESOLUTION)
