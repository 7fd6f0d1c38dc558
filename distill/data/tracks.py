"""Labels of steps: what a stream's decisions are about, and which of them count.

A *track* is one label for each step of a sample, `UNLABELLED` where nobody knows or asks.  A network for streams is
asked for a decision every so many steps (``docs/semantics.md`` section 2): decision ``d = 0, 1, ..`` comes after
``(d + 1) * every`` steps, its logits are the sum of the readout's currents since the one before (a leaky readout's are
its membranes, which go on), and it is about the step ``(d + 1) * every - 1 - late``: a network hears what was, not
what is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from snnc.distill.data.dataset import UNLABELLED, Labels

__all__ = ["Deciding", "share_right"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deciding:
    """When a stream is decided on, and which decisions are learned from.

    Attributes
    ----------
    every
        Steps from one decision to the next, at least 1.
    late
        Steps that a decision is behind what it is about.
    skip
        Steps at the beginning in which no decision counts: a network has heard little yet.
    """

    every: int
    late: int = 0
    skip: int = 0

    def steps(self, time_steps: int) -> npt.NDArray[np.int64]:
        """Numbers of steps after which the decisions come that count, ``(decision,)``."""
        return (np.arange(self.first, time_steps // self.every, dtype=np.int64) + 1) * self.every

    @property
    def first(self) -> int:
        """The first decision that counts."""
        return self.skip // self.every

    def labels(self, labels: Labels, time_steps: int) -> Labels:
        """Of the decisions that count.

        Parameters
        ----------
        labels
            Of whole samples, ``(N,)``, which each of their decisions then has, or tracks, ``(N, T)``.

        Returns
        -------
        ``(decision, N)``; `UNLABELLED` where a decision is about a time before the first step.
        """
        about = self.steps(time_steps) - 1 - self.late
        tracks = labels[:, np.newaxis] if labels.ndim == 1 else labels
        found = np.broadcast_to(tracks, (len(labels), time_steps))[:, np.maximum(about, 0)].T
        return np.where((about >= 0)[:, np.newaxis], found, UNLABELLED)

    def sums(self, added: npt.NDArray[Any], *, goes_on: bool = False) -> npt.NDArray[Any]:
        """Logits ``(decision, N, K)`` of the decisions that count.

        Parameters
        ----------
        added
            What each step adds to the readout's membranes, ``(time, N, K)``.
        goes_on
            It leaks, and starts again with no decision.
        """
        whole = len(added) // self.every
        apart = added[: whole * self.every].reshape(whole, self.every, *added.shape[1:]).sum(axis=1)
        return (np.cumsum(apart, axis=0) if goes_on else apart)[self.first :]


def share_right(classes: npt.NDArray[np.integer], labels: Labels) -> float:
    """Share of the answers that are their label, of those that have one; of equal shapes."""
    counted = labels != UNLABELLED
    return float((classes == labels)[counted].mean())
