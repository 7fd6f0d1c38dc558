"""CKDSNN's saliency-scaled activation map distillation (Liu et al., AAAI 2026, arXiv 2511.06902).

    L = CE(mean_t z_S[t], y)  +  saliency * mean over B of T_map^2 KL(P_T || P_S),     P = softmax over H W of M / T_map

``M_T [B, H, W]`` is the teacher's class activation map, ``M_S = sum_t sum_c s[t, c]`` the student's spike counts at its
last population with at least 16 positions; it needs no gradient of the student.  If their sizes differ, both are
averaged down to the smaller.  The labels' weight is 1; ``--alpha`` and ``--temperature`` have no part.

minmax
    ``sample``, our default: each map is scaled to [0, 1].  ``batch``: the maps of a batch together, as the released
    code does, where one bright sample dims all others.  ``none``: the paper's formula as printed.  With maps in [0, 1]
    and ``T_map = 2`` the softmax is almost flat and the term small: raise ``saliency`` or lower ``map-temperature``.
scale
    ``softmax``: the formula above.  ``zscore``: each map is standardised before the softmax, which makes ``minmax``
    immaterial.  ``l2``: ``|M_T / |M_T| - M_S / |M_S||^2``, that is attention transfer, without ``T_map``.
cam
    ``cam``: the map as the teacher gives it.  ``gradcam``: its negative part is cut; behind global average pooling and
    a linear head Grad-CAM is the ReLU of the class activation map, but for a factor.
map
    ``count``: spike counts.  ``sumsq``: ``sum_c`` of the squared rates.

The released code differs from the paper, and does not run as released: the student's last population is a ReLU and its
"spike" map real-valued; the class is the predicted one; both maps are scaled over the whole batch.  Ours is the paper's
student map on spikes.  saliency 1 and ``T_map`` 2 are the paper's.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn import functional as F

from snnc.compiler.errors import OptionError
from snnc.distill.losses.interface import Choice, LossInputs, LossSettings, Method, Need, Option
from snnc.distill.losses.terms import label_cross_entropy, softened_divergence, unit_rows

__all__ = ["METHOD", "OPTIONS", "SMALLEST_MAP", "saliency_distance", "saliency_distillation", "student_map"]

SMALLEST_MAP = 16
"""Positions below which a map says nothing about where."""

OPTIONS: Mapping[str, Option | Choice] = MappingProxyType(
    {
        "saliency": Option(default=1, low=0, high=1e6, meaning="weight of the maps' distance"),
        "map-temperature": Option(default=2, low=0.01, high=100, meaning="softening of the maps"),
        "minmax": Choice(choices=("sample", "batch", "none"), meaning="what a map is scaled to [0, 1] together with"),
        "scale": Choice(choices=("softmax", "zscore", "l2"), meaning="how two maps are made comparable"),
        "cam": Choice(choices=("cam", "gradcam"), meaning="whether the negative part of the teacher's map counts"),
        "map": Choice(choices=("count", "sumsq"), meaning="the student's map: spike counts or squared rates"),
    }
)


def saliency_distillation(inputs: LossInputs, settings: LossSettings) -> Tensor:
    """``CE + saliency * distance of the maps``."""
    hard = label_cross_entropy(inputs.step_logits.mean(dim=0), inputs.labels, inputs.class_weights)
    return hard + settings.number("saliency") * saliency_distance(inputs, settings)


def saliency_distance(inputs: LossInputs, settings: LossSettings) -> Tensor:
    """Distance of the student's map from the teacher's, averaged over the batch."""
    assert inputs.teacher_map is not None
    teacher, student = inputs.teacher_map.detach(), student_map(inputs.spikes, settings.word("map"))
    if settings.word("cam") == "gradcam":
        teacher = teacher.relu()
    height, width = (min(pair) for pair in zip(teacher.shape[1:], student.shape[1:], strict=True))
    scale = settings.word("scale")
    minmax = "sample" if scale == "zscore" else settings.word("minmax")
    teacher, student = (
        _scaled(F.adaptive_avg_pool2d(maps, (height, width)), minmax).flatten(1) for maps in (teacher, student)
    )
    if scale == "l2":
        return (unit_rows(student) - unit_rows(teacher)).square().sum(dim=1).mean()
    if scale == "zscore":
        student, teacher = _standardised(student), _standardised(teacher)
    return softened_divergence(student, teacher, settings.number("map-temperature"))


def student_map(spikes: tuple[Tensor, ...], kind: str) -> Tensor:
    """``[B, H, W]`` of the last population ``[T, B, C, H, W]`` that has at least `SMALLEST_MAP` positions.

    Raises
    ------
    OptionError
        There is no such population.
    """
    for population in reversed(spikes):
        if population.dim() == 5 and population[0, 0, 0].numel() >= SMALLEST_MAP:
            return population.mean(dim=0).square().sum(dim=1) if kind == "sumsq" else population.sum(dim=(0, 2))
    raise OptionError(
        f"This loss compares maps, but no population of the student has {SMALLEST_MAP} or more positions; "
        "add a convolution to --architecture or choose another --loss."
    )


def _scaled(maps: Tensor, minmax: str) -> Tensor:
    """Maps ``[B, H, W]`` scaled to [0, 1]; a constant one becomes zeros."""
    if minmax == "none":
        return maps
    over = (1, 2) if minmax == "sample" else (0, 1, 2)
    low, high = maps.amin(over, keepdim=True), maps.amax(over, keepdim=True)
    return (maps - low) / torch.where(high > low, high - low, 1)


def _standardised(maps: Tensor) -> Tensor:
    """Maps ``[B, H W]`` of mean 0 and variance 1; a constant one becomes zeros."""
    return unit_rows(maps - maps.mean(dim=1, keepdim=True)) * maps.shape[1] ** 0.5


METHOD = Method(
    loss=saliency_distillation,
    needs=frozenset({Need.SALIENCY}),
    summary="labels and where in the image the teacher looks (CKDSNN's SAMD)",
    options=OPTIONS,
    ignores=frozenset({"temperature", "alpha"}),
)
