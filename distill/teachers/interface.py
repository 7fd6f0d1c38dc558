"""What a teacher answers: logits, and where it has them feature maps, their margins and class activation maps.

A teacher reads 8-bit pixels scaled to ``[0, 1]``, whatever the student's encoding is: it may see more than its student.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snnc.compiler.errors import OptionError
from snnc.distill.encoding import channels_last

__all__ = ["PooledTeacher", "Teacher", "TeacherOutputs", "as_input", "check_size", "negative_mean", "teacher_logits"]

MapShape = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherOutputs:
    """One forward pass of a teacher.

    Attributes
    ----------
    logits
        ``[B, K]``.
    features
        The last map of every resolution, after batch norm and before ReLU, ``[B, C', H', W']``, finest first.
    """

    logits: Tensor
    features: tuple[Tensor, ...]


class Teacher(nn.Module):
    """An ANN for images ``[B, C, H, W]`` in [0, 1]; its output is logits ``[B, K]``.

    Attributes
    ----------
    kind
        What it is called on the command line.
    feature_shapes
        ``(C', H', W')`` of its features; empty where it has none.
    """

    kind: ClassVar[str]
    feature_shapes: tuple[MapShape, ...] = ()

    def with_features(self, images: Tensor) -> TeacherOutputs:
        """Logits and feature maps of images ``[B, C, H, W]`` in [0, 1]."""
        raise OptionError(
            f"The teacher {self.kind} has no feature maps to compare; choose a convolutional one with --teacher, or a "
            "loss without features."
        )

    def margins(self) -> tuple[Tensor, ...]:
        """The mean of the negative values of every channel of the features, ``[C']`` each; see `negative_mean`."""
        return tuple(negative_mean(norm) for norm in self.feature_norms())

    def feature_norms(self) -> tuple[nn.BatchNorm2d, ...]:
        """The batch norms whose outputs the features are."""
        return ()

    def class_map(self, outputs: TeacherOutputs, classes: Tensor) -> Tensor:
        """How much every place of the last feature map speaks for a class, ``[B, H', W']`` and not negative.

        Parameters
        ----------
        outputs
            What `with_features` returned.
        classes
            One class of each image, ``[B]``.
        """
        raise OptionError(
            f"The teacher {self.kind} has no class activation map, since its head is not one linear layer after global "
            "average pooling; choose vgg or resnet with --teacher, or a loss without the map."
        )


class PooledTeacher(Teacher):
    """A convolutional teacher whose head is global average pooling and one linear layer."""

    head: nn.Linear

    def forward(self, images: Tensor) -> Tensor:
        return self.with_features(images).logits

    def classify(self, last: Tensor) -> Tensor:
        """Logits ``[B, K]`` from the last features ``[B, C', H', W']``, before their ReLU."""
        return self.head(F.relu(last).mean(dim=(2, 3)))

    def class_map(self, outputs: TeacherOutputs, classes: Tensor) -> Tensor:
        """Class activation map, ``ReLU(sum over c of w[class, c] * F[c])`` (Zhou et al., CVPR 2016).

        With this head it is Grad-CAM without a backward pass, times the number of places.
        """
        last = F.relu(outputs.features[-1])
        return F.relu(torch.einsum("bc,bchw->bhw", self.head.weight[classes], last))


def negative_mean(norm: nn.BatchNorm2d) -> Tensor:
    """``E[x | x < 0]`` of every channel after batch norm, ``[C']``: the margin of Heo et al., ICCV 2019.

    ``m = mu - s * phi(mu / s) / Phi(-mu / s)`` for a normal ``x`` with the mean ``mu`` and deviation ``s`` that batch
    norm gives it: its offset and the size of its gain.
    """
    mean, deviation = norm.bias.detach().double(), norm.weight.detach().double().abs()
    # Beyond 30 deviations above zero nothing is negative, and the quotient of the tails is no longer a number.
    place = (mean / deviation.clamp(min=1e-30)).clamp(max=30)
    density = -0.5 * place.square() - 0.5 * math.log(2 * math.pi)
    tail = torch.special.log_ndtr(-place)
    return (torch.minimum(mean, 30 * deviation) - deviation * torch.exp(density - tail)).to(norm.bias.dtype)


def as_input(images: Tensor) -> Tensor:
    """8-bit images ``[B, C, H, W]`` as a teacher reads them; channels last is nearly twice as fast on a CPU."""
    return channels_last(images.float() / 255)


@torch.no_grad()
def teacher_logits(teacher: nn.Module, images: Tensor, batch: int = 500) -> Tensor:
    """Logits ``[N, K]`` of 8-bit images ``[N, C, H, W]``, in evaluation mode: dropout off, statistics fixed."""
    teacher.eval()
    return torch.cat([teacher(as_input(chunk)) for chunk in images.split(batch)])


def check_size(kind: str, shape: MapShape, least: int) -> None:
    """Refuse images that would shrink to nothing."""
    if min(shape[1:]) < least:
        raise OptionError(
            f"The teacher {kind} needs images of at least {least}x{least} pixels, not {shape[1]}x{shape[2]}; choose "
            "mlp with --teacher."
        )
