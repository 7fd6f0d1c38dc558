"""CKDSNN as a whole (Liu et al., AAAI 2026, arXiv 2511.06902): where the teacher looks, and what it answers.

    L = CE(mean_t z_S[t], y)  +  saliency * L_SAMD  +  smoothing * L_NLD

``z_S [T, B, K]`` is the student's readout.  The two parts, their inputs, options and how paper and released code differ
are described in `ckdsnn_samd` and `ckdsnn_nld`, whose functions these are.  saliency 1 and smoothing 1 are the
paper's, ``--temperature`` is of the logits; ``--alpha`` has no part.
"""

from __future__ import annotations

from types import MappingProxyType

from torch import Tensor

from snnc.distill.losses import ckdsnn_nld, ckdsnn_samd
from snnc.distill.losses.interface import LossInputs, LossSettings, Method
from snnc.distill.losses.terms import label_cross_entropy

__all__ = ["METHOD", "ckdsnn"]


def ckdsnn(inputs: LossInputs, settings: LossSettings) -> Tensor:
    """``CE + saliency SAMD + smoothing NLD``."""
    hard = label_cross_entropy(inputs.step_logits.mean(dim=0), inputs.labels, inputs.class_weights)
    saliency = settings.number("saliency") * ckdsnn_samd.saliency_distance(inputs, settings)
    return hard + saliency + settings.number("smoothing") * ckdsnn_nld.noisy_divergence(inputs, settings)


METHOD = Method(
    loss=ckdsnn,
    needs=ckdsnn_samd.METHOD.needs | ckdsnn_nld.METHOD.needs,
    summary="labels, where the teacher looks and its logits through noise (CKDSNN)",
    options=MappingProxyType({**ckdsnn_samd.OPTIONS, **ckdsnn_nld.OPTIONS}),
    ignores=frozenset({"alpha"}),
    labels_optional=ckdsnn_nld.METHOD.labels_optional,
)
