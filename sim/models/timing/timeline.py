"""What every engine does in each cycle of one sample: works, or waits, and for what.

The exact model (`snnc.sim.models.timing.exact.predict`) notes down each stretch of operations that it follows. What
lies between two of them is the wait that the later one gives as its reason.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["Record", "State", "Track", "tracks"]

IntArray: TypeAlias = npt.NDArray[np.int64]


class State(Enum):
    """Of an engine's unit in a cycle."""

    WORKING = "working"
    """It issues an operation."""
    INPUT = "waiting for input"
    """What it works on next has not come yet."""
    ROOM = "waiting for room"
    """What it would send has no room in the queue behind it."""
    SLOT = "nothing to add"
    """It goes through what has no operation: a pixel of 0, or the distance from one operation to the next."""
    DONE = "done"
    """It has issued the last operation of the sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    """From `first` to `last`, both included, `operations` are issued; before it the unit waited for `reason`."""

    first: int
    last: int
    operations: int
    reason: State

    @property
    def full(self) -> bool:
        """Whether an operation is issued in each of its cycles."""
        return self.operations == self.last - self.first + 1


class Record:
    """What one engine issues in a batch of one sample, unit by unit."""

    def __init__(self) -> None:
        self._spans: dict[int, list[_Span]] = {}

    def add(
        self, first: Any, last: Any, operations: Any, *, reason: State = State.INPUT, unit: int = 0, here: Any = True
    ) -> None:
        """Operations from cycle `first` to `last`; arrays of one sample, as the model has them.

        Parameters
        ----------
        reason
            What was waited for, if anything was.
        here
            Whether there are any.
        """
        count = int(np.ravel(operations)[0])
        if not count or not bool(np.ravel(here)[0]):
            return
        begin, end = int(np.ravel(first)[0]), int(np.ravel(last)[0])
        spans = self._spans.setdefault(unit, [])
        span = _Span(first=begin, last=end, operations=count, reason=reason)
        before = spans[-1] if spans else None
        if before is not None and begin == before.last + 1 and before.full and span.full:
            spans[-1] = dataclasses.replace(before, last=end, operations=before.operations + count)
        else:
            spans.append(span)

    def states(self, unit: int, cycles: int) -> npt.NDArray[np.int64]:
        """Where `State` is, for each cycle of the sample; ``(cycle, state)``, each row's sum 1.

        Within a span, operations are taken to come first: how many there are is exact, not where.
        """
        order = list(State)
        found = np.zeros((cycles, len(order)), dtype=np.int64)
        at = 0
        for span in self._spans.get(unit, []):
            found[at : span.first, order.index(span.reason)] = 1
            worked = span.first + span.operations
            found[span.first : worked, order.index(State.WORKING)] = 1
            found[worked : span.last + 1, order.index(State.SLOT)] = 1
            at = span.last + 1
        found[at:, order.index(State.DONE)] = 1
        return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Track:
    """One unit's cycles of a sample.

    Attributes
    ----------
    engine, unit
        Whose.
    counts
        Cycles in each state, in as many stretches of the sample as were asked for; ``(stretch, state)``.
    """

    engine: str
    unit: int
    counts: IntArray

    @property
    def totals(self) -> Mapping[State, int]:
        """Of the whole sample; they add up to its cycles."""
        return dict(zip(State, self.counts.sum(axis=0).tolist(), strict=True))


def tracks(records: Mapping[str, Record], units: Mapping[str, int], *, cycles: int, most: int) -> Sequence[Track]:
    """What was recorded, in at most so many stretches of equal length, of which the last may be shorter."""
    each = -(-cycles // most)
    starts = np.arange(0, cycles, each)
    return [
        Track(engine=name, unit=unit, counts=np.add.reduceat(record.states(unit, cycles), starts))
        for name, record in records.items()
        for unit in range(units[name])
    ]
