"""Signs that a training stood still: it answers what is most frequent, or some classes never."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

__all__ = ["MAJORITY", "NEVER_ANSWERED", "answer_metrics", "standstill_warnings"]

MAJORITY: Final = "majority_validation"
"""Metric: the share of the most frequent class, what a network reaches that has learned nothing."""
NEVER_ANSWERED: Final = "never_answered_validation"
"""Metric: indices of the classes that some samples have and none was given."""

_NAMED: Final = 8
_REMEDY: Final = "train longer, choose another --learning-rate, or look at it with snnc evaluate"


def answer_metrics(labels: npt.NDArray[np.int64], answers: npt.NDArray[np.int64], classes: int) -> dict[str, Any]:
    """Metrics of the answers ``[N]`` to validation samples of the labels ``[N]``."""
    asked, answered = np.bincount(labels, minlength=classes), np.bincount(answers, minlength=classes)
    missing = np.flatnonzero((asked > 0) & (answered == 0))
    return {MAJORITY: float(asked.max() / asked.sum()), NEVER_ANSWERED: [int(index) for index in missing]}


def standstill_warnings(metrics: Mapping[str, Any], classes: Sequence[str], samples: int) -> list[str]:
    """A sentence for each sign in the metrics of an integer network; none where it learned.

    A network counts as one that has learned nothing where it is not above the most frequent class by two standard
    deviations of what ``samples`` drawn anew would give.
    """
    found = []
    majority, accuracy = float(metrics[MAJORITY]), float(metrics["integer_validation"])
    if accuracy <= majority + 2 * (majority * (1 - majority) / samples) ** 0.5:
        found.append(
            f"warning: the network is no better than always answering the most frequent class ({majority:.2%} of "
            f"validation): {_REMEDY}."
        )
    missing = metrics[NEVER_ANSWERED]
    if missing:
        names = ", ".join(classes[index] for index in missing[:_NAMED]) + (", .." if len(missing) > _NAMED else "")
        found.append(f"warning: no validation sample was ever called {names}: {_REMEDY}.")
    return found
