"""Membrane distillation: a quantised student follows its own float copy (MD-SNN, arXiv 2512.04443; S2NN, 2509.24266).

    L = L_response + weight * 1/n sum over the last n populations of D(clip(u_S), clip(u_F))

``u [T, B, ...]`` are membranes before the reset in units of the threshold (1 is where the neuron fires), ``u_S`` the
quantised student's and ``u_F`` those of its frozen float copy; ``clip`` limits them to ``[-clip, clip]``.  The logit
part ``L_response`` is `kdsnn_response` with the ANN teacher, ``--temperature`` and ``--alpha`` as there.  In the float
phase there is no copy yet and the logit part remains.  The gradient passes the membrane without a surrogate.

form
    ``mse``: the mean of ``(u_S - u_F)^2`` over steps, samples and neurons, as in MD-SNN.
    ``gram``: ``|G(u_S) - G(u_F)|_F^2 / B^2``, as in S2NN: ``G [B, B]`` are the inner products of the samples'
    flattened membranes, each row scaled to unit length; indifferent to a rotation of the neurons.

After descriptions of both papers; neither's weight is known to us.  MD-SNN takes its logits, too, from the float SNN;
here they are the ANN teacher's, which knows more than the copy.  Papers of integrate-and-fire students compare raw
membranes; in units of the threshold a layer's scale, which batch norm makes arbitrary, does not weight it.  The clip is
ours: a neuron that is driven far below 0 stays silent wherever exactly it is.  weight 0.1, two populations, clip 2.
"""

from __future__ import annotations

from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn import functional as F

from snnc.distill.losses.interface import Choice, LossInputs, LossSettings, Method, Need, Option
from snnc.distill.losses.kdsnn_response import kdsnn_response
from snnc.distill.losses.terms import unit_rows

__all__ = ["METHOD", "membrane", "membrane_distance"]


def membrane(inputs: LossInputs, settings: LossSettings) -> Tensor:
    """``L_response + weight * distance of the membranes``."""
    response = kdsnn_response(inputs, settings)
    if not inputs.membranes:
        return response
    return response + settings.number("weight") * membrane_distance(inputs, settings)


def membrane_distance(inputs: LossInputs, settings: LossSettings) -> Tensor:
    """Distance of the student's membranes from its float copy's, the mean over the last populations."""
    distance = _gram_distance if settings.word("form") == "gram" else F.mse_loss
    last, clip = int(settings.number("populations")), settings.number("clip")
    pairs = list(zip(inputs.membranes, inputs.float_membranes, strict=True))[-last:]
    return torch.stack([distance(u.clamp(-clip, clip), v.detach().clamp(-clip, clip)) for u, v in pairs]).mean()


def _gram_distance(student: Tensor, teacher: Tensor) -> Tensor:
    """``|G(student) - G(teacher)|_F^2 / B^2`` of membranes ``[T, B, ...]``."""
    return (_gram(student) - _gram(teacher)).square().mean()


def _gram(membranes: Tensor) -> Tensor:
    samples = membranes.transpose(0, 1).flatten(1)  # [B, T * N]
    return unit_rows(samples @ samples.T)


METHOD = Method(
    loss=membrane,
    needs=frozenset({Need.TEACHER_LOGITS, Need.MEMBRANES}),
    summary="teacher's logits and, while quantised, the membranes of the student's own float copy",
    options=MappingProxyType(
        {
            "weight": Option(default=0.1, low=0, high=100, meaning="weight of the membranes' distance"),
            "populations": Option(
                default=2, low=1, high=64, meaning="how many populations are compared, from the last back", whole=True
            ),
            "clip": Option(default=2, low=0.1, high=1e6, meaning="largest membrane that counts, in thresholds"),
            "form": Choice(choices=("mse", "gram"), meaning="distance of membranes: squares or Gram matrices"),
        }
    ),
    labels_optional=lambda settings: settings.alpha > 0,
)
