"""Blurred knowledge distillation (BKDSNN; Xu et al., ECCV 2024, arXiv 2407.09083).

The teacher's last features are restored from a part of the student's.

    L = (1 - alpha) CE(z_S, y)  +  alpha * tau^2 KL(softmax(z_T / tau) || softmax(z_S / tau))
                                +  weight * 1/B * sum over B, C', H', W' of (G(mask * A(S)) - T)^2

``S`` is the rate map that is nearest in size to the teacher's last stage, ``A`` a 1x1 convolution to its channels,
``mask [B, C', 1, 1]`` 0 with the probability ``drop`` and else 1, drawn anew for every batch, ``G`` two 3x3
convolutions with a ReLU between them; ``A`` and ``G`` are trained with the student and thrown away.  ``T`` is the
teacher's map after its ReLU, divided by its largest value in the batch: a rate is 1 at most.

Paper and released code mix it with logits as here ("mixed").  The code scales the teacher to the largest value of
``A(S)``, a target that moves with the student; ours does not.  ``weight = 7e-5`` and ``drop = 0.15`` are the code's for
convolutional networks; the paper found the best of ImageNet at a larger one.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import cast

import torch
from torch import Tensor, nn

from snnc.distill.losses.interface import AdapterShapes, LossInputs, LossSettings, Method, Need, Option
from snnc.distill.losses.kdsnn_feature import pair_stages, resized
from snnc.distill.losses.terms import labels_and_answers

__all__ = ["METHOD", "Restorer", "blurred_features"]


def blurred_features(inputs: LossInputs, settings: LossSettings) -> Tensor:
    """``(1 - alpha) CE + alpha KL + weight * distance of the restored features``."""
    assert inputs.teacher_logits is not None
    pair = inputs.features[-1]
    teacher = pair.teacher.detach().relu()
    teacher = teacher / teacher.max().clamp(min=torch.finfo(teacher.dtype).tiny)
    distance = (pair.student - teacher).square().sum() / len(teacher)
    student = inputs.step_logits.mean(dim=0)
    taught = labels_and_answers(student, inputs.teacher_logits, inputs, settings)
    return taught + settings.number("weight") * distance


class Restorer(nn.Module):
    """Drops channels of the aligned rates, and restores the teacher's last stage from the others.

    Parameters
    ----------
    drop
        Probability of a channel to be dropped; in training alone.
    """

    def __init__(self, shapes: AdapterShapes, drop: float) -> None:
        super().__init__()
        self._source = pair_stages(shapes.student, shapes.teacher)[-1]
        self._shape = shapes.student[self._source]
        channels, *size = shapes.teacher[-1]
        self._size = (size[0], size[1])
        self._drop = drop
        self.align = nn.Conv2d(self._shape[0], channels, 1)
        self.restore = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU(), nn.Conv2d(channels, channels, 3, padding=1)
        )

    def forward(self, rates: tuple[Tensor, ...], generator: torch.Generator) -> tuple[Tensor, ...]:
        """``[B, C', H', W']`` of the teacher's last stage alone."""
        aligned = self.align(resized(rates[self._source].reshape(-1, *self._shape), self._size))
        if self.training:
            drawn = torch.rand(aligned.shape[:2], generator=generator, device=generator.device).to(aligned)
            aligned = aligned * (drawn >= self._drop)[..., None, None]
        return (cast(Tensor, self.restore(aligned)),)


METHOD = Method(
    loss=blurred_features,
    needs=frozenset({Need.TEACHER_LOGITS, Need.TEACHER_FEATURES, Need.NOISE}),
    summary="labels, the teacher's logits, and its last features restored from a part of the channels (BKDSNN)",
    options=MappingProxyType(
        {
            "weight": Option(default=7e-5, low=0, high=100, meaning="weight of the distance, a sum over maps"),
            "drop": Option(default=0.15, low=0, high=0.95, meaning="share of the channels that are dropped"),
        }
    ),
    adapter=lambda shapes, settings: Restorer(shapes, settings.number("drop")),
    labels_optional=lambda settings: settings.alpha > 0,
)
