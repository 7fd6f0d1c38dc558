"""Layer-wise attention of LaSNN (Hong et al., 2023, arXiv 2304.09101); maps as of Zagoruyko and Komodakis (ICLR 2017).

    L = (1 - alpha) CE(z_S, y)  +  alpha * tau^2 KL(softmax(z_T / tau) || softmax(z_S / tau))
                                +  weight * mean over stages of 1/B sum over B of ||q(T) - q(S)||^2
    q(F) = vec(sum_c F_c^2) / ||vec(sum_c F_c^2)||

``T [B, C', H', W']`` is a stage of the teacher after its ReLU, ``S [B, C, H', W']`` the map of the student's rates that
is nearest in size, brought to the same size; channels need not agree, and nothing is trained beside the student.  LaSNN
distils so after it has copied the weights of an ANN of the same architecture, for which there is ``--twin-epochs``.

From descriptions of LaSNN, whose weights are not known to us: ``weight = 1`` is ours.
"""

from __future__ import annotations

from types import MappingProxyType

import torch
from torch import Tensor, nn

from snnc.distill.losses.interface import AdapterShapes, LossInputs, LossSettings, Method, Need, Option
from snnc.distill.losses.kdsnn_feature import pair_stages, resized
from snnc.distill.losses.terms import labels_and_answers, unit_rows

__all__ = ["METHOD", "Resizer", "attention_transfer"]


def attention_transfer(inputs: LossInputs, settings: LossSettings) -> Tensor:
    """``(1 - alpha) CE + alpha KL + weight * distance of the attention maps``."""
    assert inputs.teacher_logits is not None
    distances = [
        (_attention(pair.student) - _attention(pair.teacher.detach().relu())).square().sum(dim=1).mean()
        for pair in inputs.features
    ]
    student = inputs.step_logits.mean(dim=0)
    taught = labels_and_answers(student, inputs.teacher_logits, inputs, settings)
    return taught + settings.number("weight") * torch.stack(distances).mean()


def _attention(maps: Tensor) -> Tensor:
    """``q``, ``[B, H W]``."""
    return unit_rows(maps.square().sum(dim=1).flatten(1))


class Resizer(nn.Module):
    """For every stage of the teacher the student's rates that are nearest in size, in its size; without parameters."""

    def __init__(self, shapes: AdapterShapes) -> None:
        super().__init__()
        self._sources = pair_stages(shapes.student, shapes.teacher)
        self._shapes = tuple(shapes.student[source] for source in self._sources)
        self._sizes = tuple((height, width) for _, height, width in shapes.teacher)

    def forward(self, rates: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """``[B, C, H', W']`` for every stage."""
        return tuple(
            resized(rates[source].reshape(-1, *shape), size)
            for source, shape, size in zip(self._sources, self._shapes, self._sizes, strict=True)
        )


METHOD = Method(
    loss=attention_transfer,
    needs=frozenset({Need.TEACHER_LOGITS, Need.TEACHER_FEATURES}),
    summary="labels, the teacher's logits, and where its stages look (LaSNN, attention transfer)",
    options=MappingProxyType(
        {"weight": Option(default=1, low=0, high=1000, meaning="weight of the attention maps' distance")}
    ),
    adapter=lambda shapes, settings: Resizer(shapes),
    labels_optional=lambda settings: settings.alpha > 0,
)
