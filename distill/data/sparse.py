"""Samples of events that are kept as lists of spikes, and become arrays of 0 and 1 a few at a time.

A recording of a camera of 240 x 180 pixels and two polarities would take 86 kB a step as an array; its spikes take
four bytes each.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

__all__ = ["Chosen", "SparseEvents", "SparseSteps", "as_sparse", "chosen_samples"]

Chosen: TypeAlias = slice | npt.NDArray[np.integer] | npt.NDArray[np.bool_]
"""Which samples: a slice, their numbers, or a mask."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SparseSteps:
    """Steps one after another, and the spikes of each.

    Attributes
    ----------
    address
        Of every spike, ascending within its step, ``[spike]``.
    start
        Where the spikes of a step begin, and in the end how many there are, ``[step + 1]``.
    addresses
        How many there are.
    """

    address: npt.NDArray[np.uint32]
    start: npt.NDArray[np.int64]
    addresses: int

    def __len__(self) -> int:
        return len(self.start) - 1

    def __getitem__(self, steps: slice) -> npt.NDArray[np.uint8]:
        """``[time, address]``, 1 where an address speaks."""
        begin, end, stride = steps.indices(len(self))
        assert stride == 1, "steps are taken as they follow one another"
        found = np.zeros((max(0, end - begin), self.addresses), dtype=np.uint8)
        if begin < end:
            own = self.start[begin : end + 1]
            found[np.repeat(np.arange(end - begin), np.diff(own)), self.address[own[0] : own[-1]]] = 1
        return found

    def within(self, begin: int, end: int) -> SparseSteps:
        """Some of them, without a copy of their spikes."""
        return SparseSteps(address=self.address, start=self.start[begin : end + 1], addresses=self.addresses)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SparseEvents:
    """Samples ``[N, T, C, H, W]``, as much like an array of them as a training and a model need.

    Attributes
    ----------
    steps
        Of all recordings.
    begin, end
        First step of each sample, and the step behind its last: where that is early, silence follows, ``[N]``.
    time_steps
        ``T``.
    sample_shape
        ``(C, H, W)``.
    """

    steps: SparseSteps
    begin: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]
    time_steps: int
    sample_shape: tuple[int, int, int]

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self), self.time_steps, *self.sample_shape)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def dtype(self) -> np.dtype[np.uint8]:
        return np.dtype(np.uint8)

    def __len__(self) -> int:
        return len(self.begin)

    def __getitem__(self, samples: Chosen) -> npt.NDArray[np.uint8]:
        """These samples as an array ``[n, T, C, H, W]``."""
        begin, end = self.begin[samples], self.end[samples]
        found = np.zeros((len(begin), self.time_steps, math.prod(self.sample_shape)), dtype=np.uint8)
        for own, first, last in zip(found, begin, end, strict=True):
            heard = self.steps[int(first) : int(last)]
            own[: len(heard)] = heard
        return found.reshape(len(begin), self.time_steps, *self.sample_shape)

    def chosen(self, samples: Chosen) -> SparseEvents:
        """These samples, still as lists."""
        return SparseEvents(
            steps=self.steps,
            begin=self.begin[samples],
            end=self.end[samples],
            time_steps=self.time_steps,
            sample_shape=self.sample_shape,
        )

    def as_images(self) -> npt.NDArray[np.uint8]:
        """Itself, in the place of an array: who takes some samples of one, by a slice or numbers, gets an array.

        Whoever needs more than that asks `as_sparse` first.
        """
        return cast("npt.NDArray[np.uint8]", self)

    def hash_into(self, digest: Any) -> None:
        """All that the samples are, sample by sample."""
        digest.update(repr(self.shape).encode())
        for first, last in zip(self.begin.tolist(), self.end.tolist(), strict=True):
            own = self.steps.start[first : last + 1]
            digest.update(np.diff(own).astype("<i8").tobytes())
            digest.update(self.steps.address[own[0] : own[-1]].astype("<u4").tobytes())

    def fingerprint(self) -> str:
        """SHA-256 of them, in hexadecimal."""
        found = hashlib.sha256()
        self.hash_into(found)
        return found.hexdigest()


def as_sparse(images: object) -> SparseEvents | None:
    """The lists behind what is called an array of samples; None where it is one."""
    return images if isinstance(images, SparseEvents) else None


def chosen_samples(images: npt.NDArray[np.uint8], samples: Chosen) -> npt.NDArray[np.uint8]:
    """Some of the samples, in the form that they have."""
    sparse = as_sparse(images)
    return images[samples] if sparse is None else sparse.chosen(samples).as_images()
