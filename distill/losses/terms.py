"""The terms that methods share; every one is a mean over the batch and over time, never a sum.

A sample without a label has no part in a cross-entropy with labels, and the others keep the weight that they have where
all are labelled: the mean is over the batch, not over the labels.

A Kullback-Leibler divergence is summed over the classes and averaged over everything else ("batchmean"): a mean over
the classes, too, would weaken the teacher ``K`` times. A mean over time and not a sum, so that a temperature means the
same at every ``T``.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from snnc.distill.data.dataset import UNLABELLED
from snnc.distill.losses.interface import Choice, LossInputs, LossSettings

__all__ = [
    "READOUT",
    "UNLABELLED",
    "label_cross_entropy",
    "labels_and_answers",
    "prefix_means",
    "read_out",
    "right_steps",
    "softened_divergence",
    "step_cross_entropy",
    "unit_rows",
]

READOUT = Choice(
    choices=("step", "prefix"),
    meaning="what is trained at step t: its own logits, or the mean of the first t, which the hardware reads at T = t",
)


def softened_divergence(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """``tau^2 KL(softmax(teacher / tau) || softmax(student / tau))``; without gradient for the teacher.

    Parameters
    ----------
    student, teacher
        Logits ``[..., K]``, of shapes that broadcast.
    """
    log_student = (student / temperature).log_softmax(dim=-1)
    log_teacher = (teacher.detach() / temperature).log_softmax(dim=-1)
    divergence = (log_teacher.exp() * (log_teacher - log_student)).sum(dim=-1)
    return temperature**2 * divergence.mean()


def label_cross_entropy(logits: Tensor, labels: Tensor, weights: Tensor | None) -> Tensor:
    """``mean over B of w[y] CE(softmax(z), y)`` of logits ``[B, K]``, labels ``[B]`` and weights of classes ``[K]``.

    A label that is `UNLABELLED` adds 0; without weights all are 1. The mean is over the batch, not over the weights:
    batches with more of a class that weighs more teach more.
    """
    return F.cross_entropy(logits, labels, weight=weights, ignore_index=UNLABELLED, reduction="sum") / len(labels)


def labels_and_answers(logits: Tensor, answers: Tensor, inputs: LossInputs, settings: LossSettings) -> Tensor:
    """``(1 - alpha) CE(z, y) + alpha tau^2 KL(softmax(answers / tau) || softmax(z / tau))`` of logits ``[B, K]``."""
    return (1 - settings.alpha) * label_cross_entropy(
        logits, inputs.labels, inputs.class_weights
    ) + settings.alpha * softened_divergence(logits, answers, settings.temperature)


def step_cross_entropy(step_logits: Tensor, labels: Tensor, weights: Tensor | None) -> Tensor:
    """``mean over t of w[y] CE(softmax(z[t]), y)`` of logits ``[T, B, K]``, labels ``[B]``, weights ``[K]``."""
    return label_cross_entropy(step_logits.flatten(0, 1), labels.repeat(len(step_logits)), weights)


def prefix_means(step_logits: Tensor) -> Tensor:
    """``m[t] = mean of z[0 .. t]``, of the same shape ``[T, B, K]``; the last is the readout of the full run."""
    counts = torch.arange(1, len(step_logits) + 1, dtype=step_logits.dtype, device=step_logits.device)
    return step_logits.cumsum(dim=0) / counts[:, None, None]


def read_out(step_logits: Tensor, readout: str) -> Tensor:
    """The logits ``[T, B, K]`` that are trained at every step, after the choice `READOUT`."""
    return prefix_means(step_logits) if readout == "prefix" else step_logits


def right_steps(logits: Tensor, labels: Tensor) -> Tensor:
    """1 where the largest of the logits ``[T, B, K]`` is the label ``[B]``, else 0: ``[T, B]``.

    Nobody knows which steps of a sample without a label are right: all of them count.
    """
    return ((logits.argmax(dim=2) == labels) | (labels == UNLABELLED)).to(logits.dtype)


def unit_rows(rows: Tensor) -> Tensor:
    """Rows ``[B, N]`` of Euclidean length 1; a row of zeros stays so, with a finite gradient."""
    squares = rows.square().sum(dim=1, keepdim=True)
    return rows / torch.where(squares > 0, squares, 1).sqrt()
