"""KDSNN's feature-based distillation (Xu et al., CVPR 2023, arXiv 2304.05627), with the distance of Heo et al. (2019).

    L = CE(mean_t z_S[t], y)  +  weight * sum over stages l = 1 .. n of 2^(l - n) * 1/B * sum over B, C', H', W' of d
    d = 0 where S <= T <= 0, (T - S)^2 elsewhere,      T = max(x, m_c)

``x [B, C', H', W']`` are a teacher's features at the end of a stage, after batch norm and before the ReLU;
``m_c = E[x | x < 0]`` is the margin of their channel, from the batch norm's offset and gain in closed form.  ``S`` is
the student's rate map ``[B, C, H, W]`` after the `Regressors`: a 1x1 convolution without bias and a batch norm, so it
is signed.  Where the teacher is silent, the student only has to be: hence the partial distance.  The regressors are
trained with the student and cost no hardware: an exported student has none.

form
    ``overhaul``: the formula above.  The slides of KDSNN print the condition ``S <= T <= 0`` without saying how ``T``
    or ``S`` could be negative; before the ReLU and after a signed regressor, as in Heo et al. ("A comprehensive
    overhaul of feature distillation", arXiv 1904.01866), it means something, and this is our reading of it.
    ``literal``: the slides' formula on a teacher after its ReLU, ``d = (max(x, 0) - S)^2``, as it is for rates.

The sum over a whole map is large: weight 1e-4, a tenth of what is usual with this distance (KDSNN's is not published),
which cost 1.9 points (``docs/distillation.md``).  The labels' weight is 1; ``--alpha`` and ``--temperature`` have no
part.
"""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snnc.compiler.errors import OptionError
from snnc.distill.losses.interface import (
    AdapterShapes,
    Choice,
    FeaturePair,
    LossInputs,
    LossSettings,
    MapShape,
    Method,
    Need,
    Option,
)
from snnc.distill.losses.terms import label_cross_entropy

__all__ = ["METHOD", "Regressors", "kdsnn_feature", "pair_stages", "resized"]


def kdsnn_feature(inputs: LossInputs, settings: LossSettings) -> Tensor:
    """``CE + weight * sum of the stages' distances``."""
    hard = label_cross_entropy(inputs.step_logits.mean(dim=0), inputs.labels, inputs.class_weights)
    distance = _literal_distance if settings.word("form") == "literal" else _partial_distance
    stages = torch.stack([distance(pair) / len(pair.student) for pair in inputs.features])
    shares = 0.5 ** torch.arange(len(stages) - 1, -1, -1, dtype=stages.dtype, device=stages.device)
    return hard + settings.number("weight") * (shares * stages).sum()


def _partial_distance(pair: FeaturePair) -> Tensor:
    """Summed squares, without those where the teacher is silent and the student below it."""
    teacher = torch.maximum(pair.teacher, pair.margin[:, None, None]).detach()
    counted = (pair.student > teacher) | (teacher > 0)
    return ((teacher - pair.student).square() * counted).sum()


def _literal_distance(pair: FeaturePair) -> Tensor:
    return (pair.teacher.detach().relu() - pair.student).square().sum()


class Regressors(nn.Module):
    """One signed 1x1 regression per stage of the teacher, from the student's population that is nearest in size."""

    def __init__(self, shapes: AdapterShapes) -> None:
        super().__init__()
        student_shapes, teacher_shapes = shapes.student, shapes.teacher
        self._sources = pair_stages(student_shapes, teacher_shapes)
        self._shapes = tuple(student_shapes[source] for source in self._sources)
        self._sizes = tuple((height, width) for _, height, width in teacher_shapes)
        self.regressors = nn.ModuleList(
            nn.Sequential(nn.Conv2d(shape[0], channels, 1, bias=False), nn.BatchNorm2d(channels))
            for shape, (channels, _, _) in zip(self._shapes, teacher_shapes, strict=True)
        )

    def forward(self, rates: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """``[B, C', H', W']`` for every stage, from the rates ``[B, C, H, W]`` of all populations."""
        return tuple(
            cast(Tensor, regressor(resized(rates[source].reshape(-1, *shape), size)))
            for regressor, source, shape, size in zip(
                self.regressors, self._sources, self._shapes, self._sizes, strict=True
            )
        )


def resized(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps ``[B, C, H, W]`` in another height and width: averaged where they are larger, interpolated where smaller."""
    height, width = maps.shape[-2:]
    if (height, width) == size:
        return maps
    if height >= size[0] and width >= size[1]:
        return F.adaptive_avg_pool2d(maps, size)
    return F.interpolate(maps, size, mode="bilinear", align_corners=False)


def pair_stages(student_shapes: tuple[MapShape, ...], teacher_shapes: tuple[MapShape, ...]) -> tuple[int, ...]:
    """For every stage of the teacher the student's population that is nearest in its number of positions.

    Of several that are equally near it is the deepest.

    Raises
    ------
    OptionError
        Maps cannot be compared, because one of the two networks has none.
    """
    if not teacher_shapes:
        raise OptionError("The teacher has no features to compare; choose a convolutional --teacher or another --loss.")
    if all(height * width == 1 for _, height, width in student_shapes):
        raise OptionError(
            "This loss compares maps of features, but no population of the student has a height and a width; "
            "add a convolution to --architecture or choose another --loss."
        )

    deepest_first = range(len(student_shapes) - 1, -1, -1)

    def nearest(stage: MapShape) -> int:
        def distance(index: int) -> float:
            _, height, width = student_shapes[index]
            return abs(math.log(height * width) - math.log(stage[1] * stage[2]))

        return min(deepest_first, key=distance)

    return tuple(nearest(stage) for stage in teacher_shapes)


METHOD = Method(
    loss=kdsnn_feature,
    needs=frozenset({Need.TEACHER_FEATURES}),
    summary="labels and the teacher's feature maps, stage by stage (KDSNN, feature-based)",
    options=MappingProxyType(
        {
            "weight": Option(
                default=1e-4, low=0, high=100, meaning="weight of the features' distance, a sum over maps"
            ),
            "form": Choice(
                choices=("overhaul", "literal"), meaning="teacher before its ReLU with a margin, or after it"
            ),
        }
    ),
    adapter=lambda shapes, settings: Regressors(shapes),
    ignores=frozenset({"temperature", "alpha"}),
)
