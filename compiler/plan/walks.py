"""How the events of a projection are walked: what every kind of walk must say of itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from snnc.compiler.plan.faults import Fault, at_least

__all__ = ["Walk"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk(ABC):
    """The record of one walker; each kind is a folder below `rtl/walkers/`, with a subclass in its ``plan.py``.

    Attributes
    ----------
    kind
        The folder's name, which stands in ``plan.json``.
    in_turn
        Whether every event visits all words of the target, in the order of their addresses.
    row_stride
        Weight rows of one source neuron (and kernel position).
    """

    kind: ClassVar[str]
    in_turn: ClassVar[bool]

    row_stride: int

    @property
    @abstractmethod
    def returns(self) -> bool:
        """Whether two operations that follow each other may be on one word."""

    @property
    def next_column_rows(self) -> int | None:
        """Weight rows from what an event adds to a column up to what it adds to the one right of it.

        None where no event reaches columns side by side.
        """
        return None

    def faults(self) -> Iterator[Fault]:
        yield from at_least(self, 1, "row_stride")
