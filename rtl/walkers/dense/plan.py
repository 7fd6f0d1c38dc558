"""The record of a dense walk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from snnc.compiler.plan.faults import Fault, at_least
from snnc.compiler.plan.walks import Walk

__all__ = ["DenseWalk"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseWalk(Walk):
    """Each event reads the target's `words` consecutive weight rows from ``index * row_stride``.

    ``index`` counts the lanes of the source's pooled words: ``(position * groups + group) * lanes + lane``, and
    ``position`` is the bit fields ``{row, column}``.

    Attributes
    ----------
    pool
        ``q``: the source is first summed over windows of ``q x q``.
    """

    kind: ClassVar[str] = "dense"
    in_turn: ClassVar[bool] = True

    pool: int

    @property
    def returns(self) -> bool:
        return False

    def faults(self) -> Iterator[Fault]:
        yield from Walk.faults(self)
        yield from at_least(self, 1, "pool")
