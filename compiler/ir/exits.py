"""The early exit of a network: samples that are sure end before their last step (``docs/semantics.md`` section 2)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

__all__ = ["LARGEST_MARGIN", "Exit"]

LARGEST_MARGIN: Final = 2**32
"""Logits have 32 bits at most, so that no margin of theirs is larger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """When a sample ends early.

    Attributes
    ----------
    margin
        By how much, at least, the largest logit must exceed the second largest; an integer of 1 or more.
    steps
        Numbers of steps after which that is asked, ascending, each 1 to ``T_max - 1``.
    weight_bits
        Of a network that is not yet integers: the width that its weights are to be quantised to again, since the margin
        is of those logits; None for the width of the training.
    """

    margin: int
    steps: tuple[int, ...]
    weight_bits: int | None = None

    def within(self, time_steps: int) -> Exit | None:
        """The same for a network of another ``T_max``; None where it is never asked in so few steps."""
        steps = tuple(step for step in self.steps if step < time_steps)
        return replace(self, steps=steps) if steps else None
