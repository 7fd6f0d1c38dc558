"""`cnn`: three strided convolutions and a hidden dense layer; the cheapest teacher for images of 28x28."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from snnc.distill.teachers.interface import Teacher, TeacherOutputs
from snnc.distill.teachers.mlp import dense

__all__ = ["Cnn"]


class Cnn(nn.Sequential, Teacher):
    """``W, 2W, 4W`` channels, each at half the resolution of the one before; 0.4M weights and 2.5M MACs at 28x28.

    Parameters
    ----------
    width
        Channels of the first convolution.
    """

    kind: ClassVar[str] = "cnn"

    def __init__(self, shape: tuple[int, int, int], classes: int, width: int = 32) -> None:
        channels, *size = shape
        sizes = [size]
        for _ in range(3):
            sizes.append([-(-length // 2) for length in sizes[-1]])
        super().__init__(
            *_stage(channels, width, 5),
            *_stage(width, 2 * width, 3),
            *_stage(2 * width, 4 * width, 3),
            nn.Flatten(),
            nn.Dropout(0.3),
            *dense(4 * width * sizes[-1][0] * sizes[-1][1], 128),
            nn.Linear(128, classes),
        )
        self.feature_shapes = tuple(
            (width << stage, height, across) for stage, (height, across) in enumerate(sizes[1:])
        )

    def with_features(self, images: Tensor) -> TeacherOutputs:
        features = []
        x = images
        for module in self:
            if isinstance(module, nn.ReLU) and x.ndim == 4:
                features.append(x)
                x = F.relu(x)  # not in place: the features are wanted as they are
            else:
                x = module(x)
        return TeacherOutputs(logits=x, features=tuple(features))

    def feature_norms(self) -> tuple[nn.BatchNorm2d, ...]:
        return tuple(module for module in self if isinstance(module, nn.BatchNorm2d))


def _stage(inputs: int, outputs: int, kernel: int) -> tuple[nn.Module, ...]:
    """Convolution to half the resolution, batch norm, ReLU."""
    return (
        nn.Conv2d(inputs, outputs, kernel, stride=2, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )
