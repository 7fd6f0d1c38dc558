"""CKDSNN's noise-smoothed logit distillation (Liu et al., AAAI 2026, arXiv 2511.06902).

    L = CE(z_S, y)  +  smoothing * tau^2 KL(softmax(z_T / tau) || p_S)

``z_S [B, K]`` is the mean over time of the student's readout, ``z_T [B, K]`` the teacher's logits.  The labels' weight
is 1; ``--alpha`` has no part.  The noise is drawn anew for every batch, per sample and class, with the mean and the
standard deviation of that sample's logits over the classes (as numbers: no gradient passes through them).

form
    ``logit``, the paper's: ``p_S = softmax((z_S + noise * eps) / tau)``, ``eps ~ N(mean, std^2)``.
    ``mixture``, the released code's: ``p_S = (1 - noise) softmax(z_S / tau) + noise * softmax(eps / tau)``, with
    ``eps = mean + std^2 * N(0, 1)``: the variance where the paper has the deviation.  It smooths labels at random.

smoothing 1 and noise 0.1 are the paper's, with its temperature 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from snnc.distill.losses.interface import Choice, LossInputs, LossSettings, Method, Need, Option
from snnc.distill.losses.terms import label_cross_entropy, softened_divergence

__all__ = ["METHOD", "OPTIONS", "noisy_divergence", "noisy_logits"]

OPTIONS: Mapping[str, Option | Choice] = MappingProxyType(
    {
        "smoothing": Option(default=1, low=0, high=1000, meaning="weight of the teacher's divergence"),
        "noise": Option(default=0.1, low=0, high=1, meaning="share of the noise"),
        "form": Choice(choices=("logit", "mixture"), meaning="whether noise is added to logits or to probabilities"),
    }
)


def noisy_logits(inputs: LossInputs, settings: LossSettings) -> Tensor:
    """``CE + smoothing * divergence of the smoothed student``."""
    hard = label_cross_entropy(inputs.step_logits.mean(dim=0), inputs.labels, inputs.class_weights)
    return hard + settings.number("smoothing") * noisy_divergence(inputs, settings)


def noisy_divergence(inputs: LossInputs, settings: LossSettings) -> Tensor:
    """``tau^2 KL(teacher || student with noise)``, averaged over the batch."""
    assert inputs.teacher_logits is not None
    assert inputs.generator is not None
    student = inputs.step_logits.mean(dim=0)  # [B, K]
    generator = inputs.generator
    normal = torch.randn(student.shape, generator=generator, device=generator.device, dtype=student.dtype).to(student)
    mean, deviation = student.detach().mean(dim=1, keepdim=True), student.detach().std(dim=1, keepdim=True)
    tau, noise = settings.temperature, settings.number("noise")
    if settings.word("form") == "logit":
        return softened_divergence(student + noise * (mean + deviation * normal), inputs.teacher_logits, tau)
    mixed = torch.logaddexp(
        (student / tau).log_softmax(dim=1) + torch.log1p(-student.new_tensor(noise)),
        ((mean + deviation.square() * normal) / tau).log_softmax(dim=1) + student.new_tensor(noise).log(),
    )
    return softened_divergence(tau * mixed, inputs.teacher_logits, tau)  # a softmax of log probabilities is themselves


METHOD = Method(
    loss=noisy_logits,
    needs=frozenset({Need.TEACHER_LOGITS, Need.NOISE}),
    summary="labels and the teacher's softened logits, with noise on the student's (CKDSNN's NLD)",
    options=OPTIONS,
    ignores=frozenset({"alpha"}),
    labels_optional=lambda settings: settings.number("smoothing") > 0,
)
