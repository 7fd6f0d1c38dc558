"""`resnet`: the wide residual network WRN-16-k, with pre-activation blocks (Zagoruyko and Komodakis, BMVC 2016)."""

from __future__ import annotations

from typing import ClassVar, cast

from torch import Tensor, nn
from torch.nn import functional as F

from snnc.distill.teachers.interface import PooledTeacher, TeacherOutputs, check_size

__all__ = ["ResNet"]


class ResNet(PooledTeacher):
    """A convolution of 16 channels, three stages of two blocks of ``16k, 32k, 64k``; average pooling, linear.

    The features of a stage are its sum after the batch norm that comes next, as in Heo et al. (ICCV 2019): that of the
    next stage's first block, or the last one.

    Parameters
    ----------
    width
        The factor ``k``: 16-2 has 0.69M weights.
    """

    kind: ClassVar[str] = "resnet"

    def __init__(self, shape: tuple[int, int, int], classes: int, width: int = 2) -> None:
        super().__init__()
        check_size(self.kind, shape, 4)
        channels, height, across = shape
        widths = [16 * width << stage for stage in range(3)]
        self.stem = nn.Conv2d(channels, 16, 3, padding=1, bias=False)
        self.blocks = nn.ModuleList()
        for stage, (inputs, outputs) in enumerate(zip([16, *widths[:-1]], widths, strict=True)):
            self.blocks.append(_Block(inputs, outputs, stride=2 if stage else 1))
            self.blocks.append(_Block(outputs, outputs, stride=1))
        self.norm = nn.BatchNorm2d(widths[-1])
        self.head = nn.Linear(widths[-1], classes)
        # A convolution of stride 2 rounds up.
        self.feature_shapes = tuple(
            (count, -(-height >> stage), -(-across >> stage)) for stage, count in enumerate(widths)
        )

    def with_features(self, images: Tensor) -> TeacherOutputs:
        features = []
        x = self.stem(images)
        for index, module in enumerate(self.blocks):
            block = cast(_Block, module)
            normed = block.norm1(x)
            if index in (2, 4):
                features.append(normed)
            x = block(x, normed)
        features.append(self.norm(x))
        return TeacherOutputs(logits=self.classify(features[-1]), features=tuple(features))

    def feature_norms(self) -> tuple[nn.BatchNorm2d, ...]:
        first, second = (cast(_Block, self.blocks[index]) for index in (2, 4))
        return first.norm1, second.norm1, self.norm


class _Block(nn.Module):
    """Batch norm, ReLU, convolution, twice; plus the input, or a 1x1 convolution of it where the shapes differ."""

    def __init__(self, inputs: int, outputs: int, *, stride: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False) if inputs != outputs else None

    def forward(self, x: Tensor, normed: Tensor) -> Tensor:
        """The block's output from its input and that after `norm1`, which the caller has computed already."""
        active = F.relu(normed)
        residual = self.conv2(F.relu(self.norm2(self.conv1(active))))
        return residual + (x if self.shortcut is None else self.shortcut(active))
