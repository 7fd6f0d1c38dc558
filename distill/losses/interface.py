"""What a distillation loss receives, and how a method declares what it needs.

A loss is a pure function of `LossInputs`; a `Method` adds to it the list of its needs, from which the training loop
knows what to compute (a teacher is trained only for a method that listens to one).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from torch import Tensor

__all__ = ["LossFunction", "LossInputs", "LossSettings", "Method", "Need"]


class Need(Enum):
    """Something beyond the student's logits and the labels that a method looks at."""

    TEACHER_LOGITS = "teacher logits"


@dataclass(frozen=True, slots=True, kw_only=True)
class LossSettings:
    """The knobs that methods share; a method's docstring says what they mean to it.

    Attributes
    ----------
    temperature
        Softening ``tau >= 1`` of the logits that are compared.
    alpha
        Weight of the teacher in ``[0, 1]``; the labels have the rest.
    """

    temperature: float
    alpha: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LossInputs:
    """One batch: ``B`` samples, ``K`` classes, ``T`` steps.

    Attributes
    ----------
    step_logits
        The student's readout current at every step, in real units, ``[T, B, K]``.
    labels
        Class indices, ``[B]``.
    teacher_logits
        ``[B, K]``, without gradient; None unless `Need.TEACHER_LOGITS` is declared.
    """

    step_logits: Tensor
    labels: Tensor
    teacher_logits: Tensor | None = None


LossFunction = Callable[[LossInputs, LossSettings], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A way to train a student: a scalar loss and what it needs."""

    loss: LossFunction
    needs: frozenset[Need]
    summary: str
