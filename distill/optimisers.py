"""Optimisers, and which parameters decay."""

from __future__ import annotations

from enum import Enum
from typing import Any, Final, assert_never

import torch
from torch import nn

from snnc.distill.students import PopulationLayer

__all__ = ["SHARE", "Optimiser", "build_optimiser"]

SHARE: Final = "share"
"""Of the learning rate, in every group of parameters."""

_LOOP_SHARE: Final = 0.1
"""For the weights of a recurrent layer's own spikes: they act every step on what they caused, with the gain of a batch
norm that others train, and at the full rate they cost accuracy (``docs/distillation.md``)."""


class Optimiser(Enum):
    """How gradients become updates."""

    ADAMW = "adamw"
    """Adam with decoupled weight decay; quick to a good network."""
    SGD = "sgd"
    """Gradient descent with Nesterov momentum 0.9; slower, and better where most pixels are nearly always black:
    Adam gives their rare gradients the same weight as all others."""


def build_optimiser(
    kind: Optimiser, model: nn.Module, *, learning_rate: float, weight_decay: float
) -> torch.optim.Optimizer:
    """An optimiser of all parameters; only weight matrices and kernels decay, one-dimensional parameters do not."""
    layers = [module for module in model.modules() if isinstance(module, PopulationLayer)]
    loops = [layer.weights[-1] for layer in layers if layer.spec.loop is not None]
    others = [p for p in model.parameters() if all(p is not loop for loop in loops)]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in others if p.dim() > 1], "weight_decay": weight_decay, SHARE: 1.0},
        {"params": [p for p in others if p.dim() <= 1], "weight_decay": 0.0, SHARE: 1.0},
    ]
    if loops:
        groups.append({"params": loops, "weight_decay": weight_decay, SHARE: _LOOP_SHARE})
    match kind:
        case Optimiser.ADAMW:
            return torch.optim.AdamW(groups, lr=learning_rate)
        case Optimiser.SGD:
            return torch.optim.SGD(groups, lr=learning_rate, momentum=0.9, nesterov=True)
        case _:
            assert_never(kind)
