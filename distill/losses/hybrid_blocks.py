"""Block-wise hybrids (after Yang et al., 2025, arXiv 2503.16572): the student's first layers, its twin's rest.

    L = CE(z_S, y)  +  weight * mean over i of L_i
    L_i = (1 - alpha) CE(z_i, y)  +  alpha * tau^2 KL(softmax(z_A / tau) || softmax(z_i / tau))

``z_i [B, K]`` are the logits of the hybrid ``i = 1 .. n``: the student's firing rates up to its ``i``-th hidden
population, and behind it the artificial twin that the student started from (``--twin-epochs``), frozen; ``z_A`` are the
twin's own.  The gradient of each hybrid reaches the student's layers through the twin's, without a surrogate between:
rates are made to mean to the layers behind them what the twin's activations mean.

In the twin's own phase there are the labels alone.  The paper replaces blocks of any pretrained ANN, trains with a
backpropagation of rates and mixes terms by weights that are not known to us; ``weight = 1`` is ours.
"""

from __future__ import annotations

from types import MappingProxyType

import torch
from torch import Tensor

from snnc.distill.losses.interface import LossInputs, LossSettings, Method, Need, Option
from snnc.distill.losses.terms import label_cross_entropy, labels_and_answers

__all__ = ["METHOD", "hybrids"]


def hybrids(inputs: LossInputs, settings: LossSettings) -> Tensor:
    """``CE + weight * mean of the hybrids' losses``."""
    assert inputs.twin_logits is not None
    loss = label_cross_entropy(inputs.step_logits.mean(dim=0), inputs.labels, inputs.class_weights)
    if not inputs.hybrid_logits:
        return loss
    each = [labels_and_answers(logits, inputs.twin_logits, inputs, settings) for logits in inputs.hybrid_logits]
    return loss + settings.number("weight") * torch.stack(each).mean()


METHOD = Method(
    loss=hybrids,
    needs=frozenset({Need.TWIN, Need.HYBRIDS}),
    summary="labels, and hybrids of the student's first layers and its twin's rest (block-wise replacement)",
    options=MappingProxyType({"weight": Option(default=1, low=0, high=100, meaning="weight of the hybrids")}),
)
