"""Seeded streams of training batches: every random choice follows from (seed, purpose, index) alone.

Nothing is drawn from a global generator, so a run that was interrupted goes on exactly as if it had not been: there is
no state of a generator to save.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum

import numpy as np
import torch
from torch import Tensor

from snnc.distill.augment import Augmentation, augment
from snnc.distill.data import Split

__all__ = ["Copies", "Purpose", "generator", "shuffled"]


class Purpose(IntEnum):
    """What random numbers are drawn for; streams of different purposes are independent."""

    WEIGHTS = 0
    TEACHER_IMAGES = 1
    STUDENT_IMAGES = 2
    ORDER = 3
    EVENTS = 4
    DROPOUT = 5
    NOISE = 6


def generator(seed: int, purpose: Purpose, *index: int) -> torch.Generator:
    """A generator of its own for one purpose and index."""
    state = np.random.SeedSequence([seed, int(purpose), *index]).generate_state(2, np.uint32)
    return torch.Generator().manual_seed(int(state[0]) << 31 | int(state[1]) >> 1)


def shuffled(count: int, batch: int, order: torch.Generator) -> Iterator[Tensor]:
    """Indices of one epoch in random order, in full batches; the remainder of the division is left to other epochs."""
    batch = min(batch, count)
    for start in range(0, count - batch + 1, batch):
        if start == 0:
            indices = torch.randperm(count, generator=order)
        yield indices[start : start + batch]


class Copies:
    """The training set in ``count`` distorted copies.

    Parameters
    ----------
    split
        The training images and labels.
    amount
        How far copies 1 and up are distorted; copy 0 is the images themselves.
    """

    def __init__(self, split: Split, amount: Augmentation, *, count: int, seed: int, purpose: Purpose) -> None:
        self.labels = torch.from_numpy(split.labels)
        self._images = torch.from_numpy(split.images.copy())
        self._amount = amount
        self._count = count
        self._seed = seed
        self._purpose = purpose

    def __len__(self) -> int:
        return len(self.labels)

    def turn(self, epoch: int) -> int:
        """The copy whose turn it is in an epoch."""
        return epoch % self._count

    def images(self, epoch: int) -> Tensor:
        """8-bit images ``[N, C, H, W]`` of that copy."""
        copy = self.turn(epoch)
        return augment(self._images, self._amount, generator(self._seed, self._purpose, copy)) if copy else self._images
