"""Integers between bounds, and the bits that hold them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from snnc.compiler.plan.faults import Fault

__all__ = ["Range", "signed_bits", "unsigned_bits"]


def signed_bits(low: int, high: int) -> int:
    """Bits of the narrowest two's complement number that holds every integer in ``[low, high]``; at least 1."""
    return max(high.bit_length(), (-low - 1).bit_length() if low < 0 else 0) + 1


def unsigned_bits(high: int) -> int:
    """Bits that hold ``0 .. high``; at least 1, so that every field of a port exists."""
    return max(1, high.bit_length())


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Inclusive bounds of an integer."""

    low: int
    high: int

    @property
    def bits(self) -> int:
        """Signed width."""
        return signed_bits(self.low, self.high)

    def faults(self) -> Iterator[Fault]:
        if self.low > self.high:
            yield Fault("low", f"is {self.low}, above the high bound {self.high}")
