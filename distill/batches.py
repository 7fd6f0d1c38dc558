"""Seeded streams of training batches: every random choice follows from (seed, purpose, index) alone.

Nothing is drawn from a global generator, so a run that was interrupted goes on exactly as if it had not been: there is
no state of a generator to save.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from enum import IntEnum
from typing import Any, Final, TypeAlias

import numpy as np
import torch
from torch import Tensor

from snnc.compiler.errors import OptionError
from snnc.distill.augment import Augmentation, augment
from snnc.distill.data import Split
from snnc.distill.data.dataset import Origin, Pixels
from snnc.distill.data.sparse import SparseEvents, as_sparse
from snnc.distill.signals import distort

__all__ = ["Copies", "Images", "Purpose", "SparseImages", "as_images", "generator", "samples_at_once", "shuffled"]


_VALUES: Final = 1 << 25
"""Of samples that are expanded at once, whatever their type: 256 MiB of the widest."""


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


class SparseImages:
    """Samples of events that are lists of spikes, where training expects a tensor of samples: batches of it are one."""

    def __init__(self, events: SparseEvents, device: torch.device | None = None) -> None:
        self.device = torch.device("cpu") if device is None else device
        self._events = events

    def __len__(self) -> int:
        return len(self._events)

    def __getitem__(self, samples: Tensor) -> Tensor:
        """``[B, T, C, H, W]`` of these numbers ``[B]``."""
        return torch.from_numpy(self._events[samples.cpu().numpy()]).to(self.device)

    @property
    def shape(self) -> tuple[int, ...]:
        return self._events.shape

    def to(self, device: torch.device) -> SparseImages:
        """The same, with its batches there."""
        return SparseImages(self._events, device)

    def split(self, size: int) -> Iterator[Tensor]:
        """All samples, so many at a time, or fewer where they are large."""
        size = samples_at_once(self._events, size)
        for start in range(0, len(self), size):
            yield torch.from_numpy(self._events[start : start + size]).to(self.device)

    def hash_into(self, digest: Any) -> None:
        """All that the samples are."""
        self._events.hash_into(digest)


def samples_at_once(images: Pixels | SparseEvents, most: int) -> int:
    """How many samples to expand at once: ``most``, or fewer so that they have `_VALUES` values together."""
    return max(1, min(most, _VALUES // math.prod(images.shape[1:])))


Images: TypeAlias = Tensor | SparseImages
"""8-bit images ``[N, C, H, W]`` or events ``[N, T, C, H, W]``."""


def as_images(images: Pixels) -> Images:
    """The samples of a split for training."""
    sparse = as_sparse(images)
    return torch.from_numpy(images.copy()) if sparse is None else SparseImages(sparse)


class Copies:
    """The training set in ``count`` distorted copies.

    Parameters
    ----------
    split
        The training images and labels.
    amount
        How far copies 1 and up are distorted; copy 0 is the images themselves. Events whose origin is known are made
        anew of distorted images or signals.
    """

    def __init__(self, split: Split, amount: Augmentation, *, count: int, seed: int, purpose: Purpose) -> None:
        self.labels = torch.from_numpy(split.labels)
        self._images = as_images(split.images)
        self._origin = split.origin
        made_anew = self._origin is not None
        if isinstance(self._images, SparseImages) and not made_anew and count > 1 and amount != Augmentation():
            raise OptionError(
                "Recordings of address events are not distorted: leave --copies, --augment and --teacher-augment out."
            )
        self._amount = amount
        self._count = count
        self._seed = seed
        self._purpose = purpose

    def __len__(self) -> int:
        return len(self.labels)

    def turn(self, epoch: int) -> int:
        """The copy whose turn it is in an epoch."""
        return epoch % self._count

    def images(self, epoch: int) -> Images:
        """The samples of that copy."""
        copy = self.turn(epoch)
        if not copy:
            return self._images
        random = generator(self._seed, self._purpose, copy)
        if self._origin is not None:
            return _made_again(self._origin, self._amount, random)
        if isinstance(self._images, SparseImages):
            return self._images
        return augment(self._images, self._amount, random)


def _made_again(origin: Origin, amount: Augmentation, random: torch.Generator) -> Images:
    """Events of distorted images or signals."""
    values = torch.from_numpy(origin.values)
    distorted = augment(values, amount, random) if values.dtype == torch.uint8 else distort(values, amount, random)
    return as_images(origin.code(distorted.numpy(), random.initial_seed() % (1 << 32)))
