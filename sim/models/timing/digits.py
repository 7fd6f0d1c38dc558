"""How many signed digits a pixel has, of which each is walked."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["digit_count", "mean_digits"]


def digit_count(values: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Digits that are not 0 in the non-adjacent form of each value.

    Prodinger, "On binary representations of integers with digits -1, 0, 1" (2000): they stand where ``x`` and ``3x``
    differ.
    """
    wide = values.astype(np.int64)
    return np.bitwise_count(wide ^ (3 * wide)).astype(np.int64)


@functools.cache
def mean_digits(bits: int) -> float:
    """Signed digits of a pixel of so many bits that is not 0, over uniform values."""
    return float(digit_count(np.arange(1, 2**bits)).mean())
