"""Several steps in one product: spikes as the digits of a number.

Spikes are 0 or 1, and a weighted sum of them is a whole number of ``[-r, r]``. With a base ``B = 2^bits`` above
``2 r``, the sums of ``s(t) + B s(t + 1) + B^2 s(t + 2)`` are ``I(t) + B I(t + 1) + B^2 I(t + 2)``, whose digits in
that base, each of ``[-B/2, B/2)``, are the three steps' own sums. While ``B^steps`` stays below the magnitude to which
an arithmetic is exact, one product does the work of several.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["Packing", "packed", "packing", "unpacked"]

AnyArray: TypeAlias = npt.NDArray[Any]

_ARITHMETIC: Final[tuple[tuple[type[np.floating[Any]], int, int], ...]] = ((np.float32, 24, 1), (np.float64, 53, 2))
"""Numbers to multiply in, the bits to which each is exact, and what a product costs in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """How steps are packed: at most `steps` in a number of the type `kind`, `bits` for each."""

    kind: type[np.floating[Any]]
    bits: int
    steps: int

    @property
    def whole(self) -> type[np.signedinteger[Any]]:
        """Integers for the sums of packed numbers."""
        return np.int32 if self.kind is np.float32 else np.int64


def packing(reach: int, time_steps: int) -> Packing | None:
    """The cheapest one for sums of spikes of magnitude `reach` at most, whichever of them are added first.

    None where no arithmetic takes two steps, or there is one.
    """
    bits = reach.bit_length() + 1
    found: list[tuple[int, Packing]] = []
    for kind, exact, cost in _ARITHMETIC:
        steps = min(exact // bits, time_steps)
        if steps > 1:
            found.append((cost * -(-time_steps // steps), Packing(kind=kind, bits=bits, steps=steps)))
    products, cheapest = min(found, key=lambda one: one[0], default=(time_steps, None))
    return cheapest if products < time_steps else None


def packed(spikes: AnyArray, packing: Packing) -> AnyArray:
    """Spikes ``(step, ...)`` of up to `Packing.steps` steps as numbers ``(...)``, the first in the lowest digit."""
    numbers = spikes[-1].astype(packing.kind)
    base = packing.kind(2**packing.bits)
    for step in spikes[-2::-1]:
        numbers *= base
        numbers += step
    return numbers


def unpacked(sums: AnyArray, packing: Packing, steps: int, kind: type[np.signedinteger[Any]]) -> AnyArray:
    """The steps' sums ``(step, ...)``, in integers of `kind`, of those of `packed` numbers ``(...)``, whole numbers."""
    rest = sums.astype(packing.whole, copy=False)
    found = np.empty((steps, *rest.shape), kind)
    half = packing.whole(1 << packing.bits - 1)
    for step in range(steps - 1):
        above = rest + half
        above >>= packing.bits
        np.subtract(rest, above << packing.bits, out=found[step], casting="same_kind")
        rest = above
    found[-1] = rest
    return found
