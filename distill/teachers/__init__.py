"""Teachers: artificial networks that are trained with the labels, and spiking networks that have learned already.

A new architecture is one file with a `Teacher`, one member of `TeacherKind` and one line in `TEACHERS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from snnc.distill.teachers.cnn import Cnn
from snnc.distill.teachers.interface import Teacher, TeacherOutputs, as_input, teacher_logits
from snnc.distill.teachers.mlp import Mlp
from snnc.distill.teachers.rates import Rates
from snnc.distill.teachers.resnet import ResNet
from snnc.distill.teachers.spiking import SpikingTeacher
from snnc.distill.teachers.vgg import Vgg

__all__ = [
    "TEACHERS",
    "SpikingTeacher",
    "Teacher",
    "TeacherKind",
    "TeacherOutputs",
    "as_input",
    "build_teacher",
    "teacher_logits",
]


class TeacherKind(Enum):
    """The architectures, with their weights and multiplications at the default width."""

    MLP = "mlp"
    """For 8x8 images: 84k weights; no features."""
    CNN = "cnn"
    """Quick: 0.36M weights and 2.5M multiplications at 28x28; features, but no class activation map."""
    RATES = "rates"
    """For events of few addresses: logistic regression on the roots of their rates; no features."""
    VGG = "vgg"
    """0.16M weights and 12M multiplications at 28x28, 17M at 32x32; features and class activation map."""
    RESNET = "resnet"
    """WRN-16-2: 0.69M weights and 101M multiplications at 32x32; features and class activation map."""


TEACHERS: Mapping[TeacherKind, type[Mlp] | type[Rates] | type[Cnn] | type[Vgg] | type[ResNet]] = MappingProxyType(
    {
        TeacherKind.MLP: Mlp,
        TeacherKind.RATES: Rates,
        TeacherKind.CNN: Cnn,
        TeacherKind.VGG: Vgg,
        TeacherKind.RESNET: ResNet,
    }
)


def build_teacher(kind: TeacherKind, shape: tuple[int, int, int], classes: int, *, width: int | None = None) -> Teacher:
    """A teacher for images of ``shape`` ``(C, H, W)`` in [0, 1]; its output is logits ``[B, K]``.

    Parameters
    ----------
    width
        What makes this kind larger or smaller (see its class); by default its own choice.
    """
    build = TEACHERS[kind]
    return build(shape, classes) if width is None else build(shape, classes, width)
