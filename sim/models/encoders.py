"""What the input population gives: ``docs/semantics.md`` section 3."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["rate", "to_bits"]

IntArray: TypeAlias = npt.NDArray[np.int64]


def to_bits(pixels: npt.NDArray[np.uint8], *, bits: int) -> npt.NDArray[np.uint8]:
    """Scale 8-bit pixels to ``[0, 2**bits)``, of at most 8 bits, rounding to nearest."""
    scaled = (np.arange(256) * (2**bits - 1) + 127) // 255
    return scaled.astype(np.uint8)[pixels]


def rate(images: npt.NDArray[Any], *, bits: int, time_steps: int) -> npt.NDArray[np.bool_]:
    """Spikes of a deterministic integrate-and-fire encoder: ``E += x``; spike and ``E -= 2**bits - 1`` once it is full.

    Parameters
    ----------
    images
        Integers in ``[0, 2**bits)``, shape ``(batch, ...)``.
    bits
        Width of a pixel; the largest value spikes at every step.
    time_steps
        ``T``.

    Returns
    -------
    Spikes ``(time, batch, address)``.
    """
    values = images.reshape(len(images), math.prod(images.shape[1:])).astype(np.int64)
    full = 2**bits - 1
    charge = np.zeros_like(values)
    spikes = np.empty((time_steps, *values.shape), dtype=np.bool_)
    for t in range(time_steps):
        charge += values
        spikes[t] = charge >= full
        charge -= full * spikes[t]
    return spikes
