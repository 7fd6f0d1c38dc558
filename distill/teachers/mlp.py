"""`mlp`: a perceptron for very small images."""

from __future__ import annotations

from typing import ClassVar

from torch import nn

from snnc.distill.teachers.interface import Teacher

__all__ = ["Mlp", "dense"]


class Mlp(nn.Sequential, Teacher):
    """``F-W-W-K``, with batch norm, ReLU and dropout; 84k weights on 8x8 digits.

    Parameters
    ----------
    width
        Neurons of a hidden layer.
    """

    kind: ClassVar[str] = "mlp"

    def __init__(self, shape: tuple[int, int, int], classes: int, width: int = 256) -> None:
        channels, height, width_in = shape
        super().__init__(
            nn.Flatten(),
            *dense(channels * height * width_in, width),
            *dense(width, width),
            nn.Linear(width, classes),
        )


def dense(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    """Linear layer, batch norm, ReLU, dropout."""
    return nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), nn.ReLU(inplace=True), nn.Dropout(0.2)
