"""What a network did on data, recorded beside it: how many spikes, when and where, in a mean sample.

Lanes are chosen and cycles estimated by it. It is no part of what the network computes, so that the hash of the sealed
model knows nothing of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["MOST_SAMPLES", "MOST_TYPICAL", "ActivityRecord", "most_digits"]

MOST_SAMPLES: Final = 2**31

MOST_TYPICAL: Final = 64
"""Samples whose steps are recorded each on their own."""

_FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ActivityRecord:
    """The mean sample's activity; all arrays are sums over the channels of a position.

    Attributes
    ----------
    data
        What was run, for people: ``mnist, validation``.
    samples
        How many.
    events
        Spikes of each step at each position, ``(time, row, column)``, by the name of the population: of all that fire,
        and of the input where that gives spikes.
    pixels, digits
        Of a direct input: pixels that are not 0, and their signed digits (`snnc.sim.models.timing.digits`), at each
        position, ``(row, column)``. None for spikes.
    typical
        Of a few samples, from one that sends little to one that sends much: spikes of each step, ``(sample, time)``,
        by the same names as `events`. Where a network waits for one thing in a quiet step and for another in a loud
        one, a mean sample takes fewer cycles than samples do in the mean. Empty where nobody noted them.
    exits
        Of a network with an early exit: the share of samples that end with each number of steps that it asks after.
        Empty where nobody noted them.
    """

    data: str
    samples: int
    events: Mapping[str, _FloatArray]
    pixels: _FloatArray | None = None
    digits: _FloatArray | None = None
    typical: Mapping[str, _FloatArray] = field(default_factory=dict)
    exits: Mapping[int, float] = field(default_factory=dict)

    @property
    def time_steps(self) -> int:
        """Steps that were run; 0 where nothing fires."""
        return min((len(events) for events in self.events.values()), default=0)


def most_digits(bits: int) -> int:
    """The most signed digits that a pixel of so many bits can have."""
    return bits // 2 + 1
