"""What a method gains over the baseline, paired by seed, and how sure that is.

Two runs of one seed share the initial weights, the distortions and the order of the images, so their difference ``d``
varies less than they do.  Over ``n`` seeds the gain is the mean of ``d`` with Student's interval of 95 %::

    mean(d)  +-  t(0.975, n - 1) * s / sqrt(n),        s^2 = sum (d - mean(d))^2 / (n - 1)
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

__all__ = ["Gain", "Verdict", "paired_gain", "verdict"]


class Verdict(Enum):
    """What may be said about a method."""

    HELPED = "helped"
    """The whole interval is above 0."""
    UNCLEAR = "no clear gain"
    HINDERED = "did not help here"
    """The whole interval is below 0."""
    UNKNOWN = "too few runs"
    """Fewer than two pairs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """A mean difference over `count` pairs, the standard deviation of the differences, and the interval's ends."""

    count: int
    mean: float
    deviation: float
    low: float
    high: float


def paired_gain(values: Mapping[int, float], baseline: Mapping[int, float]) -> Gain | None:
    """The gain over the seeds (the keys) that both have; None for fewer than two."""
    differences = [values[seed] - baseline[seed] for seed in values if seed in baseline]
    count = len(differences)
    if count < 2:
        return None
    mean, deviation = statistics.fmean(differences), statistics.stdev(differences)
    from scipy import stats  # slow to import, and wanted only once runs have ended

    half = float(stats.t.ppf(0.975, count - 1)) * deviation / math.sqrt(count)
    return Gain(count=count, mean=mean, deviation=deviation, low=mean - half, high=mean + half)


def verdict(gain: Gain | None) -> Verdict:
    if gain is None:
        return Verdict.UNKNOWN
    if gain.low > 0:
        return Verdict.HELPED
    return Verdict.HINDERED if gain.high < 0 else Verdict.UNCLEAR
