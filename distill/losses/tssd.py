"""Temporal and spatial self-distillation (Zuo et al., 2024, arXiv 2406.07862), without a teacher.

    L = CE(z_T, y)  +  temporal * tau^2 KL(softmax(z_long / tau) || softmax(z_T / tau))
                    +  spatial * tau^2 KL(softmax(z_T / tau) || softmax(z_weak / tau))

``z_T [B, K]`` is the mean of the readout over the student's ``T`` steps, ``z_long`` that over ``factor * T`` steps of
the same run: what the student would say with more time.  ``z_weak [B, K]`` is what a linear classifier reads out of the
rates of the hidden population in the middle; it is trained with the student and thrown away.  Targets are without
gradient.

The paper's form of three terms; its weights and number of steps are not known to us: both weights 0.5 and a ``factor``
of 2 are ours.  In a phase without time the temporal term is absent.  ``--alpha`` has no part.
"""

from __future__ import annotations

from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snnc.distill.losses.interface import AdapterShapes, LossInputs, LossSettings, Method, Need, Option
from snnc.distill.losses.terms import label_cross_entropy, softened_divergence

__all__ = ["METHOD", "WeakClassifier", "self_distillation"]

_LARGEST_MAP = 4
"""Height and width of what the weak classifier looks at, at most."""


def self_distillation(inputs: LossInputs, settings: LossSettings) -> Tensor:
    """``CE + temporal + spatial``."""
    assert inputs.weak_logits is not None
    own, tau = inputs.step_logits.mean(dim=0), settings.temperature
    loss = label_cross_entropy(own, inputs.labels, inputs.class_weights)
    loss = loss + settings.number("spatial") * softened_divergence(inputs.weak_logits, own, tau)
    if inputs.longer_step_logits is not None:
        longer = inputs.longer_step_logits.mean(dim=0)
        loss = loss + settings.number("temporal") * softened_divergence(own, longer, tau)
    return loss


class WeakClassifier(nn.Module):
    """A linear readout of the hidden population in the middle, whose map is averaged to 4 x 4 positions at most."""

    def __init__(self, shapes: AdapterShapes) -> None:
        super().__init__()
        self._source = (len(shapes.student) - 1) // 2
        self._shape = channels, height, width = shapes.student[self._source]
        self._size = (min(height, _LARGEST_MAP), min(width, _LARGEST_MAP))
        self.readout = nn.Linear(channels * self._size[0] * self._size[1], shapes.classes)

    def forward(self, rates: tuple[Tensor, ...]) -> Tensor:
        """Logits ``[B, K]`` from the rates ``[B, ...]`` of all hidden populations."""
        seen = F.adaptive_avg_pool2d(rates[self._source].reshape(-1, *self._shape), self._size)
        logits: Tensor = self.readout(torch.flatten(seen, 1))
        return logits


METHOD = Method(
    loss=self_distillation,
    needs=frozenset({Need.MORE_STEPS, Need.WEAK_CLASSIFIER}),
    summary="labels, the student with more steps, and a weak classifier in its middle (TSSD), without a teacher",
    options=MappingProxyType(
        {
            "temporal": Option(default=0.5, low=0, high=100, meaning="weight of the longer run as a target"),
            "spatial": Option(default=0.5, low=0, high=100, meaning="weight of the weak classifier's divergence"),
            "factor": Option(
                default=2, low=2, high=16, meaning="steps of the longer run, in the student's", whole=True
            ),
        }
    ),
    adapter=lambda shapes, settings: WeakClassifier(shapes),
    ignores=frozenset({"alpha"}),
)
