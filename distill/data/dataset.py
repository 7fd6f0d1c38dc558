"""What a data set is once it is loaded, and how validation samples are held out."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import DataError
from snnc.distill.data.sparse import Chosen, as_sparse, chosen_samples

__all__ = [
    "DATA_VARIABLE",
    "UNLABELLED",
    "Dataset",
    "Labels",
    "Origin",
    "Pixels",
    "Split",
    "check_labels",
    "folders",
    "hold_out",
    "scale_to_8_bits",
    "train_and_validation",
]

DATA_VARIABLE = "SNNC_DATA"
"""Environment variable with the folder of the data sets, where ``--data`` is not given."""

UNLABELLED: Final = -1
"""In the place of a label that is not known, or not asked for."""

_SPLIT_SEED = 20_23
_LARGEST_VALIDATION = 5000

Pixels = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Origin:
    """What events were made of: a distorted copy of them is made of distorted values, coded anew.

    Attributes
    ----------
    values
        Images of 8 bits, ``[N, C, H, W]``, or signals of 16 bits, ``[N, time, channel]``.
    code
        ``(values, seed)`` to events ``[N, T, C, H, W]``; the seed is that of noise, where the code has any.
    """

    values: npt.NDArray[Any]
    code: Callable[[npt.NDArray[Any], int], Pixels]

    def chosen(self, samples: Chosen) -> Origin:
        """Of some of the samples."""
        return Origin(values=self.values[samples], code=self.code)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """One part of a data set.

    Attributes
    ----------
    images
        Pixels of 8 bits, ``[N, C, H, W]``; of event data spikes, 0 or 1, ``[N, T, C, H, W]``, as an array or in the
        place of one (`snnc.distill.data.sparse.SparseEvents`).
    labels
        Class indices, ``[N]``; or of event data tracks, ``[N, T]``, of class indices and `UNLABELLED`.
    origin
        What the events were made of; None where nobody knows, and of images.
    """

    images: Pixels
    labels: Labels
    origin: Origin | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def chosen(self, samples: Chosen) -> Split:
        """Some of its samples."""
        return Split(
            images=chosen_samples(self.images, samples),
            labels=self.labels[samples],
            origin=None if self.origin is None else self.origin.chosen(samples),
        )

    @property
    def sample_labels(self) -> Labels:
        """One label a sample, ``[N]``: the most frequent one of a track, `UNLABELLED` where it has none."""
        if self.labels.ndim == 1:
            return self.labels
        counts = np.stack([(self.labels == label).sum(axis=1) for label in range(max(1, int(self.labels.max()) + 1))])
        return np.where(counts.any(axis=0), counts.argmax(axis=0), UNLABELLED)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dataset:
    """A data set in its three fixed parts.

    Attributes
    ----------
    name
        What it is called on the command line.
    title
        What a report calls it, with what sets it apart from the original; `name` where empty.
    shape
        ``(C, H, W)`` of an image, or of the events of one step.
    time_steps
        Recorded steps of event data; None for images.
    """

    name: str
    title: str = ""
    shape: tuple[int, int, int]
    time_steps: int | None = None
    classes: tuple[str, ...]
    train: Split
    validation: Split
    test: Split

    def digest(self) -> str:
        """SHA-256 of all samples and labels, in hexadecimal: the same data give the same, wherever their files lie."""
        found = hashlib.sha256(repr((self.shape, self.time_steps, self.classes)).encode())
        for split in (self.train, self.validation, self.test):
            found.update(len(split).to_bytes(8, "little"))
            if (sparse := as_sparse(split.images)) is not None:
                sparse.hash_into(found)
            else:
                found.update(np.ascontiguousarray(split.images).data)
            found.update(np.ascontiguousarray(split.labels).data)
        return found.hexdigest()

    @property
    def events(self) -> bool:
        """Whether the samples are spikes over time instead of images."""
        return self.time_steps is not None

    @property
    def tracked(self) -> bool:
        """Whether every step has a label of its own."""
        return self.train.labels.ndim > 1


def folders(name: str, root: str | Path | None) -> tuple[Path, Path]:
    """Where the files of a data set may lie: in a folder called ``name`` of the root, or in the root itself."""
    root = root if root is not None else os.environ.get(DATA_VARIABLE)
    if root is None:
        raise DataError(
            f"The data set {name} has to be on this machine: give its folder with --data, or in the environment "
            f"variable {DATA_VARIABLE}."
        )
    return Path(root) / name, Path(root)


def check_labels(labels: npt.NDArray[np.integer], classes: int, *, path: Path, name: str) -> Labels:
    """Labels ``[N]`` as class indices, none of them beyond the last class; tracks ``[N, T]`` have `UNLABELLED`, too."""
    least, most = labels.min(), labels.max()
    lowest = 0 if labels.ndim == 1 else UNLABELLED
    for wrong in (least, most):
        if not lowest <= wrong < classes:
            besides = "" if lowest == 0 else f", or {UNLABELLED} where a step is not counted"
            raise DataError(
                f"{path} holds the class {wrong}, but {name} has {classes} classes only: labels are 0 to "
                f"{classes - 1}{besides}."
            )
    return labels.astype(np.int64)


def train_and_validation(split: Split) -> tuple[Split, Split]:
    """Hold out every tenth sample for validation, 5000 at most."""
    return hold_out(split, max(1, min(len(split) // 10, _LARGEST_VALIDATION)))


def hold_out(split: Split, count: int) -> tuple[Split, Split]:
    """Split off about ``count`` samples, the same share of every class; both parts keep the order of the file."""
    random = np.random.RandomState(_SPLIT_SEED)
    held = np.zeros(len(split), dtype=bool)
    own = split.sample_labels
    positions = [np.flatnonzero(own == label) for label in range(own.max() + 1)]
    if (unknown := np.flatnonzero(own == UNLABELLED)).size:
        positions.append(unknown)
    # Cumulative rounding: the parts add up to exactly `count`, whatever the sizes of the classes.
    ends = np.rint(np.cumsum([len(p) for p in positions]) * (count / len(split))).astype(int)
    for members, start, end in zip(positions, [0, *ends[:-1]], ends, strict=True):
        held[random.permutation(members)[: end - start]] = True
    return (
        split.chosen(~held),
        split.chosen(held),
    )


def scale_to_8_bits(values: npt.NDArray[np.integer], largest: int) -> Pixels:
    """Integers ``0 .. largest`` to 8 bits: ``p = (v * 255 + largest // 2) // largest`` (semantics section 3)."""
    return ((values.astype(np.int64) * 255 + largest // 2) // largest).astype(np.uint8)
