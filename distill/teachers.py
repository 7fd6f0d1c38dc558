"""ANN teachers: a perceptron for very small images, a convolutional network for the rest.

A teacher reads 8-bit pixels scaled to ``[0, 1]``, whatever the student's encoding is: it may see more than its student.
"""

from __future__ import annotations

from enum import Enum
from typing import assert_never

import torch
from torch import Tensor, nn

__all__ = ["TeacherKind", "build_teacher", "teacher_logits"]


class TeacherKind(Enum):
    """The two sizes of teacher."""

    MLP = "mlp"
    """``F-256-256-K``: 84k weights on 8x8 digits."""
    CNN = "cnn"
    """Three stages of 3x3 convolutions, 24, 48 and 96 channels: 0.2M weights and 4M MACs at 28x28."""


def build_teacher(kind: TeacherKind, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """A teacher for images of ``shape`` ``(C, H, W)`` in [0, 1]; its output is logits ``[B, K]``."""
    channels, height, width = shape
    match kind:
        case TeacherKind.MLP:
            return nn.Sequential(
                nn.Flatten(),
                *_dense(channels * height * width, 256),
                *_dense(256, 256),
                nn.Linear(256, classes),
            )
        case TeacherKind.CNN:
            deep = 96 * (height // 8) * (width // 8)
            return nn.Sequential(
                *_stage(channels, 24),
                *_stage(24, 48),
                *_stage(48, 96),
                nn.Flatten(),
                nn.Dropout(0.3),
                *_dense(deep, 128),
                nn.Linear(128, classes),
            )
        case _:
            assert_never(kind)


def _stage(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    """Convolution, batch norm, ReLU, and half the resolution."""
    return (
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
    )


def _dense(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), nn.ReLU(inplace=True), nn.Dropout(0.2)


@torch.no_grad()
def teacher_logits(teacher: nn.Module, images: Tensor, batch: int = 500) -> Tensor:
    """Logits ``[N, K]`` of 8-bit images ``[N, C, H, W]``, in evaluation mode: dropout off, statistics fixed."""
    teacher.eval()
    return torch.cat([teacher(chunk.float() / 255) for chunk in images.split(batch)])
