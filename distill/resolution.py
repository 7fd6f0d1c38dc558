"""How finely an accuracy can be known from ``n`` samples: one sample, and the binomial 95 % interval.

A share ``p`` of ``n`` independent samples is known to half the width of Wilson's interval (1927)::

    z / (1 + z^2 / n) * sqrt(p (1 - p) / n + z^2 / (4 n^2)),        z = 1.96

which, unlike that of the normal distribution, is not 0 where all samples are right.  It is what other samples of the
same kind would change.  Two students that are compared on the same samples share part of it.
"""

from __future__ import annotations

import math
from typing import Final

__all__ = ["COARSE", "coarseness", "half_width", "with_half_width"]

COARSE: Final = 0.01
"""A validation accuracy that is known less well than this is too coarse to compare methods, which differ by less."""

_TYPICAL: Final = 0.9
"""An accuracy to judge a validation set by before any is known."""

_Z: Final = 1.959964


def half_width(accuracy: float, count: int) -> float:
    """Half of the 95 % interval of an accuracy (a fraction) on so many samples, as a fraction."""
    spread = accuracy * (1 - accuracy) / count + _Z**2 / (4 * count**2)
    return _Z / (1 + _Z**2 / count) * math.sqrt(spread)


def with_half_width(accuracy: float, count: int) -> str:
    """In percent and points, for a person: ``92.22% ± 2.81``."""
    return f"{accuracy:.2%} ± {100 * half_width(accuracy, count):.2f}"


def coarseness(name: str, count: int) -> str | None:
    """A sentence where a validation set of so many images is too small to compare methods on; else None."""
    known = half_width(_TYPICAL, count)
    if known <= COARSE:
        return None
    return (
        f"{name} has {count:,} validation images: one is {100 / count:.2f} points, and an accuracy of "
        f"{_TYPICAL:.0%} is known to ± {100 * known:.1f} points only, more than methods mostly differ by. Judge by "
        "more images (an .npz may bring x_validation and y_validation), or by many seeds."
    )
