"""`rates`: logistic regression on the square roots of rates, for events of a few addresses.

What a teacher sees of events is their mean over time.  A count of events has a deviation that grows with its root, so
that the roots of all counts are about equally sure (the transform of M. S. Bartlett, 1936), and a linear map of them
generalises from few people where a perceptron learns these by heart.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from snnc.distill.teachers.interface import Teacher

__all__ = ["Rates"]


class Rates(nn.Sequential, Teacher):
    """``F-K``: square root, standardised, dropout, linear; 504 weights for 72 addresses and 7 classes.

    Parameters
    ----------
    width
        Without a part in it: there is no hidden layer.
    """

    kind: ClassVar[str] = "rates"

    def __init__(self, shape: tuple[int, int, int], classes: int, width: int = 1) -> None:
        inputs = math.prod(shape)
        super().__init__(nn.Flatten(), _Root(), nn.BatchNorm1d(inputs), nn.Dropout(0.3), nn.Linear(inputs, classes))


class _Root(nn.Module):
    def forward(self, rates: Tensor) -> Tensor:
        return torch.sqrt(rates)
