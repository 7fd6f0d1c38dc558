"""No distillation: cross-entropy with the labels, the baseline that every method has to beat.

``L = CE(softmax(z_S), y)``, ``z_S = mean over t of z[t]``, shapes ``z [T, B, K]``, ``y [B]``.
"""

from __future__ import annotations

from torch import Tensor

from snnc.distill.losses.interface import LossInputs, LossSettings, Method
from snnc.distill.losses.terms import label_cross_entropy

__all__ = ["METHOD", "cross_entropy"]


def cross_entropy(inputs: LossInputs, settings: LossSettings) -> Tensor:
    """Cross-entropy of the time-mean logits with the labels; the settings have no part in it."""
    return label_cross_entropy(inputs.step_logits.mean(dim=0), inputs.labels, inputs.class_weights)


METHOD = Method(
    loss=cross_entropy,
    needs=frozenset(),
    summary="labels only, the baseline",
    ignores=frozenset({"temperature", "alpha"}),
)
