"""KDSNN's response-based distillation (Xu et al., CVPR 2023, arXiv 2304.05627).

    L = alpha * tau^2 * CE(Q_S^tau, Q_T^tau)  +  (1 - alpha) * CE(Q_S, y),      Q^tau = softmax(z / tau)

``z_S [B, K]`` is the mean over time of the student's readout ``[T, B, K]`` (the mean, not the sum: a sum would divide
the temperature by ``T``), ``z_T [B, K]`` the logits of the ANN teacher, and the first cross-entropy is taken with the
teacher's softened distribution as its target: ``-sum_k Q_T[k] log Q_S[k]``.  It differs from the Kullback-Leibler
divergence of Hinton et al. (2015) by the entropy of the teacher, a constant, so the gradients are the same.  ``tau^2``
keeps their size independent of the temperature.

After the authors' slides; their temperature and weight are not published.  Ours are ``docs/distillation.md``'s.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from snnc.distill.losses.interface import LossInputs, LossSettings, Method, Need
from snnc.distill.losses.terms import label_cross_entropy

__all__ = ["METHOD", "kdsnn_response"]


def kdsnn_response(inputs: LossInputs, settings: LossSettings) -> Tensor:
    """``alpha tau^2 CE(Q_S^tau, Q_T^tau) + (1 - alpha) CE(Q_S, y)``, averaged over the batch."""
    assert inputs.teacher_logits is not None
    student = inputs.step_logits.mean(dim=0)  # [B, K]
    tau = settings.temperature
    soft = F.cross_entropy(student / tau, (inputs.teacher_logits.detach() / tau).softmax(dim=1))
    hard = label_cross_entropy(student, inputs.labels, inputs.class_weights)
    return settings.alpha * tau**2 * soft + (1 - settings.alpha) * hard


METHOD = Method(
    loss=kdsnn_response,
    needs=frozenset({Need.TEACHER_LOGITS}),
    summary="softened teacher logits and labels (KDSNN, response-based)",
    labels_optional=lambda settings: settings.alpha > 0,
)
