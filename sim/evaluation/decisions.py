"""Decisions in a stream: right or wrong, one by one, and how long it takes until one is right.

A stream has a *track* of labels, one for each step, -1 where nobody knows or asks. An answer is judged by the label of
the step after which it was given, or of one some steps earlier, since a network hears what was, not what is. A
*segment* is a stretch of steps of one label; its own answer is the class of the sum of the logits about it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import DataError

__all__ = ["UNLABELLED", "Decisions", "judge", "windowed"]

UNLABELLED: Final = -1

_Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Decisions:
    """What became of the answers of a stream, or of several.

    Attributes
    ----------
    confusion
        Answers by label and class, ``(class, class)``; those without a label are not among them.
    segments
        Segments that were answered at all by label and class, ``(class, class)``.
    delays
        Of each of those: steps from its beginning until the first right answer in it; -1 where none is.
    ages
        Right answers, and all, by their number in their segment, ``(number, 2)``.
    """

    confusion: _Integers
    segments: _Integers
    delays: _Integers
    ages: _Integers

    @property
    def count(self) -> int:
        """Answers that were judged."""
        return int(self.confusion.sum())

    @property
    def accuracy(self) -> float:
        """Fraction of them that are right."""
        return float(np.trace(self.confusion)) / max(1, self.count)

    @property
    def segment_accuracy(self) -> float:
        """Fraction of the segments whose answer is right."""
        return float(np.trace(self.segments)) / max(1, int(self.segments.sum()))

    @property
    def delay(self) -> float:
        """Median time to decision over the segments that have one, in steps; NaN where none has."""
        found = self.delays[self.delays >= 0]
        return float(np.median(found)) if len(found) else float("nan")

    @property
    def missed(self) -> int:
        """Segments without a right answer."""
        return int((self.delays < 0).sum())

    def __add__(self, other: Decisions) -> Decisions:
        longest = max(len(self.ages), len(other.ages))
        ages = [np.pad(each.ages, ((0, longest - len(each.ages)), (0, 0))) for each in (self, other)]
        return Decisions(
            confusion=self.confusion + other.confusion,
            segments=self.segments + other.segments,
            delays=np.concatenate([self.delays, other.delays]),
            ages=ages[0] + ages[1],
        )


def windowed(logits: _Integers, answers: int) -> _Integers:
    """The logits of decisions over the last so many answers, fewer at the beginning; ``(answer, class)``."""
    if answers < 1:
        raise ValueError(f"a window must hold 1 answer at least, not {answers!r}")
    sums = np.cumsum(logits, axis=0)
    sums[answers:] -= sums[:-answers].copy()
    return sums


def judge(logits: _Integers, steps: npt.ArrayLike, labels: npt.ArrayLike, *, late: int = 0) -> Decisions:
    """Judge the answers of one stream.

    Parameters
    ----------
    logits
        Of the answers, ``(answer, class)``; the class is the index of the largest, the lowest on a tie.
    steps
        Numbers of steps after which they were given, ascending, ``(answer,)``.
    labels
        The track, ``(time,)``.
    late
        Steps by which an answer may be behind what it is about.

    Raises
    ------
    DataError
        The track is too short for the answers, or has labels that are no class.
    """
    taken, track = np.asarray(steps, dtype=np.int64), np.asarray(labels)
    classes = logits.shape[1]
    if track.ndim != 1 or track.dtype.kind not in "iu":
        raise DataError(
            f"The labels of a stream are {track.dtype} of the shape {track.shape}; give one integer a step."
        )
    if len(taken) and not 1 <= taken[0] <= taken[-1] <= len(track):
        raise DataError(
            f"There are answers after {taken[0]} to {taken[-1]} steps, but labels of {len(track)}; give one for each "
            "step."
        )
    if len(track) and not UNLABELLED <= int(track.min()) <= int(track.max()) < classes:
        raise DataError(
            f"The labels of a stream reach from {track.min()} to {track.max()}; there are {classes} classes from 0 on, "
            f"and {UNLABELLED} is not counted."
        )
    about = taken - 1 - late
    logits = logits[about >= 0]
    about = about[about >= 0]
    answered = np.argmax(logits, axis=1)
    wanted = track[about].astype(np.int64)
    judged = wanted != UNLABELLED
    confusion = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(confusion, (wanted[judged], answered[judged]), 1)
    begins = np.flatnonzero(np.diff(track, prepend=UNLABELLED - 1))
    segments, delays = np.zeros_like(confusion), []
    ages = np.zeros((len(about), 2), dtype=np.int64)
    for begin, end in zip(begins, [*begins[1:], len(track)], strict=True):
        inside = (about >= begin) & (about < end)
        if track[begin] == UNLABELLED or not inside.any():
            continue
        right = answered[inside] == track[begin]
        first = about[inside][right][:1]
        # From the segment's first step on, the one of the answer included.
        delays.append(int(first[0]) + late + 1 - int(begin) if len(first) else -1)
        segments[track[begin], np.argmax(logits[inside].sum(axis=0))] += 1
        ages[: len(right)] += np.stack([right, np.ones_like(right)], axis=1)
    return Decisions(
        confusion=confusion,
        segments=segments,
        delays=np.array(delays, dtype=np.int64),
        ages=ages[: int(np.count_nonzero(ages[:, 1]))],
    )
