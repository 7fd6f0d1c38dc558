"""Temporal knowledge sharing (Dong, Zhao and Zeng, 2023, arXiv 2304.06540): the steps that are right teach all steps.

    L = a * 1/T sum_t CE(p_t, y)  +  (1 - a) * 1/T sum_t tau^2 H(p_right, p_t),    a = 1 - share * progress

``p_right = softmax(z_right / tau)``: ``z_right [B, K]`` is what the steps whose largest logit is the label say
together, a target without gradient, and uniform for a sample without such a step.  No teacher is asked.  ``progress``
runs from 0 to 1 over the phase, so that the labels alone teach at first; ``share = 0.7`` is the released code's.
``--alpha`` has no part.

softened
    ``both``: ``p_t`` is softened by ``tau`` as the target is (Hinton's form, which with ``tau^2`` keeps the gradient's
    scale), and the cross-entropy ``H`` is a divergence but for a constant.  ``target``, the released code's: ``p_t`` is
    not softened, and ``tau^2`` makes its gradient larger.
together
    ``sum``, the released code's, or ``mean`` of the logits of the right steps.
readout
    As in `twkd`.
"""

from __future__ import annotations

from types import MappingProxyType

from torch import Tensor

from snnc.distill.losses.interface import Choice, LossInputs, LossSettings, Method, Option
from snnc.distill.losses.terms import READOUT, read_out, right_steps, softened_divergence, step_cross_entropy

__all__ = ["METHOD", "shared_knowledge"]


def shared_knowledge(inputs: LossInputs, settings: LossSettings) -> Tensor:
    """``a`` labels, ``1 - a`` the steps that are right."""
    logits = read_out(inputs.step_logits, settings.word("readout"))  # [T, B, K]
    right = right_steps(logits, inputs.labels)[..., None]
    target = (right * logits).sum(dim=0).detach()
    if settings.word("together") == "mean":
        target = target / right.sum(dim=0).clamp(min=1)
    tau = settings.temperature
    if settings.word("softened") == "both":
        soft = softened_divergence(logits, target, tau)
    else:
        soft = -(tau**2) * ((target / tau).softmax(dim=1) * logits.log_softmax(dim=2)).sum(dim=2).mean()
    labels = 1 - settings.number("share") * inputs.progress
    return labels * step_cross_entropy(logits, inputs.labels, inputs.class_weights) + (1 - labels) * soft


METHOD = Method(
    loss=shared_knowledge,
    needs=frozenset(),
    summary="labels, and more and more the steps that are right (TKS), without a teacher",
    options=MappingProxyType(
        {
            "share": Option(default=0.7, low=0, high=1, meaning="weight of the right steps at the end of a phase"),
            "softened": Choice(choices=("both", "target"), meaning="what the temperature softens"),
            "together": Choice(choices=("sum", "mean"), meaning="how the logits of right steps become one target"),
            "readout": READOUT,
        }
    ),
    ignores=frozenset({"alpha"}),
)
