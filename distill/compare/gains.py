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

__all__ = ["Gain", "Verdict", "paired_gain", "t_quantile", "verdict"]

_QUANTILES = (
    *(12.706205, 4.302653, 3.182446, 2.776445, 2.570582, 2.446912, 2.364624, 2.306004, 2.262157, 2.228139),
    *(2.200985, 2.178813, 2.160369, 2.144787, 2.131450, 2.119905, 2.109816, 2.100922, 2.093024, 2.085963),
)
"""Student's t at 0.975 for 1 to 20 degrees of freedom."""


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
    half = t_quantile(count - 1) * deviation / math.sqrt(count)
    return Gain(count=count, mean=mean, deviation=deviation, low=mean - half, high=mean + half)


def t_quantile(degrees: int) -> float:
    """Student's t at 0.975, to five digits."""
    if degrees <= len(_QUANTILES):
        return _QUANTILES[degrees - 1]
    # The expansion in 1 / degrees of Abramowitz and Stegun, 26.7.5.
    z = statistics.NormalDist().inv_cdf(0.975)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return sum(term / degrees**power for power, term in enumerate(terms))


def verdict(gain: Gain | None) -> Verdict:
    if gain is None:
        return Verdict.UNKNOWN
    if gain.low > 0:
        return Verdict.HELPED
    return Verdict.HINDERED if gain.high < 0 else Verdict.UNCLEAR
