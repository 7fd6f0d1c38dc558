"""Optimisers, and which parameters decay."""

from __future__ import annotations

from enum import Enum
from typing import Any, assert_never

import torch
from torch import nn

__all__ = ["Optimiser", "build_optimiser"]


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
    parameters = list(model.parameters())
    groups: list[dict[str, Any]] = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
    match kind:
        case Optimiser.ADAMW:
            return torch.optim.AdamW(groups, lr=learning_rate)
        case Optimiser.SGD:
            return torch.optim.SGD(groups, lr=learning_rate, momentum=0.9, nesterov=True)
        case _:
            assert_never(kind)
