"""What a data set is once it is loaded, and how validation samples are held out."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import DataError

__all__ = [
    "DATA_VARIABLE",
    "Dataset",
    "Labels",
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

_SPLIT_SEED = 20_23
_LARGEST_VALIDATION = 5000

Pixels = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """One part of a data set.

    Attributes
    ----------
    images
        Pixels of 8 bits, ``[N, C, H, W]``; of event data spikes, 0 or 1, ``[N, T, C, H, W]``.
    labels
        Class indices, ``[N]``.
    """

    images: Pixels
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)


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
            found.update(np.ascontiguousarray(split.images).data)
            found.update(np.ascontiguousarray(split.labels).data)
        return found.hexdigest()

    @property
    def events(self) -> bool:
        """Whether the samples are spikes over time instead of images."""
        return self.time_steps is not None


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
    """Labels ``[N]`` as class indices, none of them beyond the last class."""
    least, most = labels.min(), labels.max()
    for wrong in (least, most):
        if not 0 <= wrong < classes:
            raise DataError(
                f"{path} holds the class {wrong}, but {name} has {classes} classes only: labels are 0 to {classes - 1}."
            )
    return labels.astype(np.int64)


def train_and_validation(split: Split) -> tuple[Split, Split]:
    """Hold out every tenth sample for validation, 5000 at most."""
    return hold_out(split, max(1, min(len(split) // 10, _LARGEST_VALIDATION)))


def hold_out(split: Split, count: int) -> tuple[Split, Split]:
    """Split off about ``count`` samples, the same share of every class; both parts keep the order of the file."""
    random = np.random.RandomState(_SPLIT_SEED)
    held = np.zeros(len(split), dtype=bool)
    positions = [np.flatnonzero(split.labels == label) for label in range(split.labels.max() + 1)]
    # Cumulative rounding: the parts add up to exactly `count`, whatever the sizes of the classes.
    ends = np.rint(np.cumsum([len(p) for p in positions]) * (count / len(split))).astype(int)
    for members, start, end in zip(positions, [0, *ends[:-1]], ends, strict=True):
        held[random.permutation(members)[: end - start]] = True
    return (
        Split(images=split.images[~held], labels=split.labels[~held]),
        Split(images=split.images[held], labels=split.labels[held]),
    )


def scale_to_8_bits(values: npt.NDArray[np.integer], largest: int) -> Pixels:
    """Integers ``0 .. largest`` to 8 bits: ``p = (v * 255 + largest // 2) // largest`` (semantics section 3)."""
    return ((values.astype(np.int64) * 255 + largest // 2) // largest).astype(np.uint8)
