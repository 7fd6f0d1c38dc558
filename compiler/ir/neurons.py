"""Neuron models: what a population does with its input current.

The equations are those of ``docs/semantics.md`` section 2; arrays are per channel, shape ``(C,)``.
Before the ``quantise`` pass they are float64 in the units of the trained network, after it int64.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = [
    "Array",
    "Comparison",
    "Encoding",
    "Initial",
    "InputSource",
    "IntegrateAndFire",
    "Neuron",
    "Readout",
    "Reset",
]

Array: TypeAlias = npt.NDArray[np.float64] | npt.NDArray[np.int64]


class Encoding(Enum):
    """How a sample reaches the network (semantics, section 3)."""

    DIRECT = "direct"
    RATE = "rate"
    EVENTS = "events"


class Reset(Enum):
    """What a spike does to the membrane."""

    SOFT = "soft"
    """Subtract the threshold, or another amount."""
    HARD = "hard"
    """Set to zero."""


class Comparison(Enum):
    """When a membrane before the reset fires."""

    AT_LEAST = ">="
    ABOVE = ">"
    """In floats only: the pass `quantise` says it with a larger threshold (semantics, section 4)."""


class Initial(Enum):
    """The membrane before the first step."""

    ZERO = "zero"
    HALF = "half"
    """``threshold >> 1`` once the threshold is an integer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSource:
    """The input population: it has no membrane, it hands on what the user gives.

    Attributes
    ----------
    encoding
        How a sample is presented.
    bits
        Width of one value: ``0 <= x < 2**bits``. 1 for ``events``. For ``rate``, the width of the pixels that the
        encoder turns into spikes; the spikes themselves are single bits.
    """

    encoding: Encoding
    bits: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IntegrateAndFire:
    """``U = leak(V) + I;  s = U >= threshold;  V = U - threshold * s`` (or 0 where ``s``, hard reset).

    Attributes
    ----------
    threshold
        Firing threshold per channel, ``> 0``; an integer ``>= 1`` after quantisation.
    reset, initial
        See `Reset`, `Initial`.
    leak_shift
        ``k`` of ``leak(V) = V - (V >> k)``; None for IF.
    floor
        Lower clamp of the membrane per channel, applied after the reset; None for no clamp.
    comparison
        See `Comparison`; `Comparison.AT_LEAST` after quantisation.
    subtracted
        What a soft reset subtracts, per channel, ``> 0``; None for the threshold.
    """

    threshold: Array
    reset: Reset = Reset.SOFT
    initial: Initial = Initial.ZERO
    leak_shift: int | None = None
    floor: Array | None = None
    comparison: Comparison = Comparison.AT_LEAST
    subtracted: Array | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Readout:
    """``V = leak(V) + I``, without spikes or reset; after the last step the membranes are the logits.

    Attributes
    ----------
    leak_shift
        ``k`` of ``leak(V) = V - (V >> k)``; None for a readout that sums.
    """

    leak_shift: int | None = None


Neuron: TypeAlias = InputSource | IntegrateAndFire | Readout
