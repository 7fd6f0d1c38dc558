"""Temporal separation with entropy regularisation (Yu et al., CVPR 2025, arXiv 2503.03144).

    L = (1 - alpha) * 1/T sum_t CE(p_t^1, y)  +  alpha * 1/T sum_t tau^2 KL(p_T || p_t)  -  entropy * 1/T sum_t H(p_t)

``p_t = softmax(z[t] / tau)`` of the student's readout ``z [T, B, K]``, ``p_t^1`` the same at ``tau = 1``, ``p_T`` of
the teacher's logits ``[B, K]``, ``H(p) = -sum_k p[k] log p[k]``.  The entropy is *rewarded*: where teacher and labels
are wrong together, a student that is less sure of itself is corrected more easily.

From descriptions of the paper and third-party code; the authors released none that we know.  That code softens the
cross-entropy by ``tau``, too; ours does not, so that ``alpha = 0`` is the cross-entropy per step.  The weight
``entropy = 0.01`` is ours, the paper's is not known to us.  ``readout`` as in `twkd`.
"""

from __future__ import annotations

from types import MappingProxyType

from torch import Tensor

from snnc.distill.losses.interface import LossInputs, LossSettings, Method, Need, Option
from snnc.distill.losses.terms import READOUT, read_out, softened_divergence, step_cross_entropy

__all__ = ["METHOD", "temporal_separation"]


def temporal_separation(inputs: LossInputs, settings: LossSettings) -> Tensor:
    """``(1 - alpha) TSCE + alpha TSKL - entropy H``."""
    assert inputs.teacher_logits is not None
    logits = read_out(inputs.step_logits, settings.word("readout"))  # [T, B, K]
    tau = settings.temperature
    log_p = (logits / tau).log_softmax(dim=2)
    entropy = -(log_p.exp() * log_p).sum(dim=2).mean()
    return (
        (1 - settings.alpha) * step_cross_entropy(logits, inputs.labels, inputs.class_weights)
        + settings.alpha * softened_divergence(logits, inputs.teacher_logits, tau)
        - settings.number("entropy") * entropy
    )


METHOD = Method(
    loss=temporal_separation,
    needs=frozenset({Need.TEACHER_LOGITS}),
    summary="labels and teacher at every step, and a reward for entropy (TSER)",
    options=MappingProxyType(
        {
            "entropy": Option(default=0.01, low=0, high=10, meaning="reward for the entropy of the student's answers"),
            "readout": READOUT,
        }
    ),
    labels_optional=lambda settings: settings.alpha > 0,
)
