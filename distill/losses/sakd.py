"""Self-architectural distillation (after SAKD; Qiu et al., 2024): the student learns from its own artificial twin.

    L = (1 - alpha) CE(z_S, y)  +  alpha * tau^2 KL(softmax(z_A / tau) || softmax(z_S / tau))
                                +  weight * mean over hidden populations of MSE(rate_S, rate_A)

The twin is the artificial network of the same architecture that the student starts from (``--twin-epochs``), frozen as
its phase left it: ``z_A [B, K]`` are its logits, ``rate_A`` its activations in 0 to 1, of the same shape as the
student's firing rates ``rate_S``.  Student and twin have the same neurons, so that nothing needs to be adapted.

In the twin's own phase there are the labels alone.  SAKD's teacher has ReLUs; ours has as many levels as the student
has steps (QCFS), so that both mean the same by a rate.  From descriptions of the paper: ``weight = 1`` is ours.
"""

from __future__ import annotations

from types import MappingProxyType

import torch
from torch import Tensor

from snnc.distill.losses.interface import LossInputs, LossSettings, Method, Need, Option
from snnc.distill.losses.terms import labels_and_answers

__all__ = ["METHOD", "own_twin"]


def own_twin(inputs: LossInputs, settings: LossSettings) -> Tensor:
    """``(1 - alpha) CE + alpha KL + weight * distance of the rates``."""
    assert inputs.twin_logits is not None
    rates = [spikes.mean(dim=0) for spikes in inputs.spikes]
    distances = [(own - twin.detach()).square().mean() for own, twin in zip(rates, inputs.twin_rates, strict=True)]
    student = inputs.step_logits.mean(dim=0)
    loss = labels_and_answers(student, inputs.twin_logits, inputs, settings)
    return loss + settings.number("weight") * torch.stack(distances).mean() if distances else loss


METHOD = Method(
    loss=own_twin,
    needs=frozenset({Need.TWIN}),
    summary="labels, and the logits and activations of the student's own artificial twin (SAKD)",
    options=MappingProxyType({"weight": Option(default=1, low=0, high=1000, meaning="weight of the rates' distance")}),
    labels_optional=lambda settings: settings.alpha > 0,
)
