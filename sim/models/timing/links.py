"""What stands between engines: the queues behind one, and the rule that keeps them from overflowing."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import UnsupportedError
from snnc.compiler.plan import LayoutPlan
from snnc.sim.models.timing.walking import Walker, Word

__all__ = ["Link", "MapReader", "Maps", "Outputs", "Replay"]

IntArray: TypeAlias = npt.NDArray[np.int64]


class Link:
    """A queue between two engines, and the rule that keeps it from overflowing.

    A sweep counts against the depth from its issue until it has executed without entering, or until its word was taken
    from the queue. That makes each of the `depth` entries a credit with the cycle in which it is free again; a sweep
    takes the one that is free first. Without a depth, there always is one.
    """

    def __init__(self, counts: IntArray, depth: int | None, consumer: Walker) -> None:
        self.counts = counts
        self.consumer = consumer
        self.credits = None if depth is None else np.zeros((depth, counts.shape[-1]), dtype=np.int64)
        consumer.records = depth is None

    def granted(self) -> Any:
        """First cycle in which another sweep may issue."""
        return 0 if self.credits is None else self.credits.min(axis=0)

    def emit(self, t: int, word: int, executed: IntArray) -> None:
        """Word `word` of step `t` comes out of the sweep; its credit is the one that was granted."""
        events = self.counts[t, word]
        present = events > 0 if word < len(self.counts[t]) - 1 else None
        sent = Word(step=t, number=word, entered=executed, events=events, present=present)
        if self.credits is None:
            self.consumer.recorded.setdefault(t, []).append(sent)
            return
        released = self.consumer.accept(sent)
        if present is not None:
            released = np.where(present, released, executed)
        credit = self.credits.argmin(axis=0)
        np.put_along_axis(self.credits, credit[np.newaxis], released[np.newaxis] + 1, axis=0)


class Outputs:
    """All that listens to one engine. What its words are recorded for comes first, and what it waits for at the end."""

    def __init__(self, name: str, links: list[Link]) -> None:
        self._links = sorted(links, key=lambda link: link.credits is not None)
        if sum(link.credits is not None for link in links) > 1:
            raise UnsupportedError(
                f"The performance model follows one queue that fills behind each engine; '{name}' has several."
            )

    def granted(self) -> Any:
        """First cycle in which another sweep may issue."""
        return self._links[-1].granted() if self._links else 0

    def emit(self, t: int, word: int, executed: IntArray) -> None:
        """Word `word` of step `t` comes out of the sweep."""
        for link in self._links:
            link.emit(t, word, executed)

    def finish(self, t: int) -> None:
        """All words of step `t` are out."""
        for link in self._links:
            walker = link.consumer
            if link.credits is None and walker is walker.engine.main:
                walker.engine.advance(t)


class MapReader(Protocol):
    """What reads a spike map."""

    @property
    def finished(self) -> IntArray:
        """The cycle in which the map has been read, ``(batch,)``; known when all maps of a sample are complete."""

    def read(self, rows: Sequence[IntArray], steps: int) -> None:
        """A sample of so many steps, or an attempt, is complete: row ``y`` is counted from ``rows[y]`` on."""


class Maps:
    """All spike maps behind one engine: nothing keeps it waiting, so that they are read when it is done.

    Parameters
    ----------
    layout
        Of the engine.
    readers
        Of the maps.
    attempts
        Where the maps give a sample in attempts: the steps of each.
    """

    def __init__(self, layout: LayoutPlan, readers: Sequence[MapReader], attempts: tuple[int, ...] = ()) -> None:
        self._row = layout.columns * layout.groups
        self._readers = readers
        self._attempts = attempts
        self._rows: list[Any] = [0] * layout.rows
        self._read = False

    @property
    def left(self) -> Any:
        """The cycle in which the last of them has been read, ``(batch,)``; -1 before.

        It is asked for when the next attempt begins: what else is read beside them is complete by then.
        """
        return np.max([reader.finished for reader in self._readers], axis=0) if self._read else -1

    def granted(self) -> int:
        """At any time."""
        return 0

    def emit(self, t: int, word: int, executed: IntArray) -> None:
        """Word `word` of step `t` is written at `executed`, no earlier than in the step before."""
        row = word // self._row
        self._rows[row] = np.maximum(self._rows[row], executed + 1)

    def finish(self, t: int) -> None:
        """All words are out."""
        # A row is counted when the ones before it are.
        rows = list(itertools.accumulate(self._rows, np.maximum))
        for steps in self._attempts or (t + 1,):
            for reader in self._readers:
                reader.read(rows, steps)
            self._read = True
        self._rows = [0] * len(rows)


class Replay:
    """A spike map whose words go to a walker, step after step.

    Parameters
    ----------
    layout
        Of the source.
    counts
        Spikes of its words, ``(time, word, batch)``.
    consumer
        The walker that takes them, of an engine's only projection.
    """

    def __init__(self, layout: LayoutPlan, counts: IntArray, consumer: Walker) -> None:
        self._row = layout.columns * layout.groups
        self._counts = counts
        self._consumer = consumer
        self._begun = 0  # steps of attempts before this one
        # When what was read last left the memory and each register behind it, for the queue or to be left out.
        self._left: list[Any] = [0] * (1 + consumer.projection.queue.registers)
        self._taken: tuple[Any, Any] = (-1, -1)  # when the last two that entered it were taken out of it
        self._finished: Any = -1

    @property
    def finished(self) -> IntArray:
        """The cycle after that in which its last word was read."""
        found: IntArray = self._finished
        return found

    def read(self, rows: Sequence[IntArray], steps: int) -> None:
        """Read a word a cycle, unless two that have spikes or a marker wait for the serialiser."""
        left = [at + np.zeros_like(rows[0]) for at in self._left]
        for t, counts in enumerate(self._counts[:steps], start=self._begun):
            for word, events in enumerate(counts):
                moved = read = np.maximum(left[0], rows[word // self._row] + 1)
                room, newest = self._taken
                for stage, ahead in enumerate(left[1:]):
                    left[stage] = moved = np.maximum(moved + 1, ahead)
                left[-1] = np.maximum(moved, room) + 1
                present = events > 0 if word < len(counts) - 1 else None
                entered = left[-1] + 1 - self._consumer.queueing
                taken = self._consumer.accept(
                    Word(step=t, number=word, entered=entered, events=events, present=present)
                )
                if present is None:
                    self._taken = newest, taken
                else:
                    self._taken = np.where(present, newest, room), np.where(present, taken, newest)
        left[0] = np.maximum(left[0], read + 3)
        self._left, self._begun = left, self._begun + steps
        self._finished = read + 1
