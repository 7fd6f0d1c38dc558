"""A setting of a PLL, between the families that know it and the tops that instantiate it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Pll"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pll:
    """A cell that makes one clock of another, with everything that is said to it.

    Attributes
    ----------
    hz
        Of the clock that it makes, to the next whole number.
    cell, parameters
        The vendor's module and its parameters.
    reference, clock, lock
        Names of its ports: the clock that comes in, the one that goes out, and what says that the latter is good.
    tied
        Levels of inputs.
    feedback
        An output and the input that it goes back to; None where that is inside.
    """

    hz: int
    cell: str
    parameters: Mapping[str, int | str]
    reference: str
    clock: str
    lock: str = "LOCK"
    tied: Mapping[str, int] = field(default_factory=dict)
    feedback: tuple[str, str] | None = None
