"""Temporal-wise logit distillation: one student for every number of steps (Yu et al., ICML 2025, arXiv 2501.15925).

    L = 1/T sum_t CE(p_t, y)                           labels at every step (TWCE)
      + teacher * 1/T sum_t tau^2 KL(p_T || p_t)       the teacher at every step (TWKL)
      + self * 1/T sum_t tau^2 KL(p_ens || p_t)        the student's own ensemble over time (TWSD)

``p_t = softmax(z[t] / tau)`` of the student's readout ``z [T, B, K]`` (``tau = 1`` in the first term), ``p_T`` of the
teacher's logits ``[B, K]``.  The ensemble is a target without gradient.  ``--alpha`` has no part: the labels' weight
is 1, the others are options.

ensemble
    ``mean``, the paper's: ``p_ens = softmax(mean_t z[t] / tau)``.  ``correct``, the released code's: the mean of only
    those steps whose largest logit is the label, and a uniform target where no step is correct.
readout
    ``step``, the paper's.  ``prefix`` is ours: ``z[t]`` becomes the mean of ``z[0 .. t]``, because the hardware run for
    ``t`` steps decides on the *sum* of the first ``t`` logits, which a loss on single steps trains only indirectly.
    The ensemble is then the mean of all steps (or of the correct prefixes).

Weights 0.2 and 0.5 are the paper's, with its temperature 3; ``--temperature`` has no default of this method's own.
At ``T = 1`` the ensemble is the student itself, and labels and teacher remain.
"""

from __future__ import annotations

from types import MappingProxyType

from torch import Tensor

from snnc.distill.losses.interface import Choice, LossInputs, LossSettings, Method, Need, Option
from snnc.distill.losses.terms import READOUT, read_out, right_steps, softened_divergence, step_cross_entropy

__all__ = ["METHOD", "temporal_wise"]


def temporal_wise(inputs: LossInputs, settings: LossSettings) -> Tensor:
    """``TWCE + teacher TWKL + self TWSD``."""
    assert inputs.teacher_logits is not None
    logits = read_out(inputs.step_logits, settings.word("readout"))  # [T, B, K]
    if settings.word("ensemble") == "correct":
        ensemble = _correct_mean(logits, inputs.labels)
    else:
        ensemble = inputs.step_logits.mean(dim=0)
    tau = settings.temperature
    return (
        step_cross_entropy(logits, inputs.labels, inputs.class_weights)
        + settings.number("teacher") * softened_divergence(logits, inputs.teacher_logits, tau)
        + settings.number("self") * softened_divergence(logits, ensemble, tau)
    )


def _correct_mean(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean over the steps that are right, ``[B, K]``; zeros, a uniform target, for a sample without one."""
    correct = right_steps(logits, labels)
    return (correct[..., None] * logits).sum(dim=0) / correct.sum(dim=0).clamp(min=1)[:, None]


METHOD = Method(
    loss=temporal_wise,
    needs=frozenset({Need.TEACHER_LOGITS}),
    summary="labels, teacher and the student's own ensemble at every step (TWKD): one student for every T",
    options=MappingProxyType(
        {
            "teacher": Option(default=0.2, low=0, high=100, meaning="weight of the teacher's divergence"),
            "self": Option(default=0.5, low=0, high=100, meaning="weight of the divergence from the ensemble"),
            "ensemble": Choice(choices=("mean", "correct"), meaning="the steps that make up the ensemble"),
            "readout": READOUT,
        }
    ),
    ignores=frozenset({"alpha"}),
    labels_optional=lambda settings: settings.number("teacher") > 0,
)
