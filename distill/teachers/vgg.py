"""`vgg`: plain convolutions with batch norm and max pooling, after Simonyan and Zisserman (ICLR 2015)."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from snnc.distill.teachers.interface import PooledTeacher, TeacherOutputs, check_size

__all__ = ["Vgg"]


class Vgg(PooledTeacher):
    """Stages of one, two and two 3x3 convolutions of ``W, 2W, 4W`` channels; global average pooling, linear.

    The first stage has one convolution only: at full resolution a second one would take as long as all the others.

    Parameters
    ----------
    width
        Channels of the first stage: 24 costs 12M multiplications at 28x28, and they grow with its square.
    """

    kind: ClassVar[str] = "vgg"

    def __init__(self, shape: tuple[int, int, int], classes: int, width: int = 24) -> None:
        super().__init__()
        check_size(self.kind, shape, 4)
        channels, height, across = shape
        self.stages = nn.ModuleList(
            (
                _convolutions(channels, width, 1),
                _convolutions(width, 2 * width, 2),
                _convolutions(2 * width, 4 * width, 2),
            )
        )
        self.head = nn.Linear(4 * width, classes)
        self.feature_shapes = tuple((width << stage, height >> stage, across >> stage) for stage in range(3))

    def with_features(self, images: Tensor) -> TeacherOutputs:
        features: list[Tensor] = []
        x = images
        for stage in self.stages:
            if features:
                x = F.relu(F.max_pool2d(x, 2))  # in this order a quarter of the work
            x = stage(x)
            features.append(x)
        return TeacherOutputs(logits=self.classify(x), features=tuple(features))

    def feature_norms(self) -> tuple[nn.BatchNorm2d, ...]:
        return tuple(stage[-1] for stage in self.stages)  # type: ignore[index]


def _convolutions(inputs: int, outputs: int, count: int) -> nn.Sequential:
    """3x3 convolutions with batch norm and ReLU; the last ReLU is left to whoever takes the features."""
    modules: list[nn.Module] = []
    for index in range(count):
        if index:
            modules.append(nn.ReLU(inplace=True))
        modules.append(nn.Conv2d(inputs if not index else outputs, outputs, 3, padding=1, bias=False))
        modules.append(nn.BatchNorm2d(outputs))
    return nn.Sequential(*modules)
