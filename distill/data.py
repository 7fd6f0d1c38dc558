"""Data sets with a fixed split into train, validation and test.

===============  ======  ==========  ======  =========================================================
name             train   validation  test    where it comes from
===============  ======  ==========  ======  =========================================================
`digits`         1077    360         360     scikit-learn's bundled 8x8 digits, nothing to download
`mnist`          55,000  5,000       10,000  the four idx files; the test images in their own order
`fashion-mnist`  55,000  5,000       10,000  the same
===============  ======  ==========  ======  =========================================================

The validation samples (and the test samples of `digits`, which has no test set of its own) are drawn per class with a
fixed seed that is *not* the training seed: every student of a data set has seen the same samples.  ``RandomState`` is
used because NumPy promises that its streams never change (NEP 19).

This module needs NumPy only, so that what merely reads test images does not wait for torch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import DataError, OptionError
from snnc.distill.idx import find_idx, read_idx

__all__ = ["DATASETS", "DATA_VARIABLE", "Dataset", "Split", "load", "quantise_pixels", "scale_to_8_bits"]

DATA_VARIABLE = "SNNC_DATA"
"""Environment variable with the folder of the data sets, where ``--data`` is not given."""

_SPLIT_SEED = 20_23

Pixels = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """One part of a data set.

    Attributes
    ----------
    images
        Pixels of 8 bits, ``[N, C, H, W]``.
    labels
        Class indices, ``[N]``.
    """

    images: Pixels
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dataset:
    """A data set in its three fixed parts; ``shape`` is ``(C, H, W)``."""

    name: str
    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    train: Split
    validation: Split
    test: Split


def load(name: str, root: str | Path | None = None) -> Dataset:
    """Load a data set by its name, one of `DATASETS`.

    Parameters
    ----------
    name
        ``"digits"``, ``"mnist"`` or ``"fashion-mnist"``.
    root
        Folder with the files, either directly or in a folder called ``name``; by default that of the environment
        variable ``SNNC_DATA``.  `digits` needs none.
    """
    try:
        loader = DATASETS[name]
    except KeyError:
        raise OptionError(f"There is no data set called {name!r}; choose one of {', '.join(DATASETS)}.") from None
    return loader(name, root)


def scale_to_8_bits(values: npt.NDArray[np.integer], largest: int) -> Pixels:
    """Integers ``0 .. largest`` to 8 bits: ``p = (v * 255 + largest // 2) // largest`` (semantics section 3)."""
    return ((values.astype(np.int64) * 255 + largest // 2) // largest).astype(np.uint8)


def quantise_pixels(pixels: Pixels, bits: int) -> Pixels:
    """8-bit pixels to ``bits`` bits: ``x = (p * (2**bits - 1) + 127) // 255`` (semantics section 3)."""
    return ((pixels.astype(np.uint32) * (2**bits - 1) + 127) // 255).astype(np.uint8)


def _load_digits(name: str, root: str | Path | None) -> Dataset:
    from sklearn.datasets import load_digits  # slow to import: other data sets need not wait for it

    bunch = load_digits()
    whole = Split(
        images=scale_to_8_bits(bunch.images.astype(np.int64), 16)[:, None],
        labels=bunch.target.astype(np.int64),
    )
    rest, test = _hold_out(whole, 360)
    train, validation = _hold_out(rest, 360)
    return Dataset(
        name=name,
        shape=(1, 8, 8),
        classes=tuple(map(str, range(10))),
        train=train,
        validation=validation,
        test=test,
    )


def _load_idx(name: str, root: str | Path | None, classes: tuple[str, ...]) -> Dataset:
    root = root if root is not None else os.environ.get(DATA_VARIABLE)
    if root is None:
        raise DataError(
            f"The data set {name} has to be on this machine: give its folder with --data, or in the environment "
            f"variable {DATA_VARIABLE}."
        )
    counts = {"train": 60_000, "t10k": 10_000}
    stems = [f"{part}-{kind}" for part in counts for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")]
    folders = [Path(root) / name, Path(root)]
    for folder in folders:
        paths = [find_idx(folder, stem) for stem in stems]
        if all(paths):
            break
    else:
        raise DataError(
            f"Neither {folders[0]} nor {folders[1]} holds the four files of {name}: {', '.join(stems)} "
            "(with or without .gz); fetch them, or name another folder with --data."
        )

    parts = {}
    for (part, count), images, labels in zip(counts.items(), paths[0::2], paths[1::2], strict=True):
        assert images is not None
        assert labels is not None
        targets = read_idx(labels, (count,)).astype(np.int64)
        if targets.max() >= len(classes):
            raise DataError(f"{labels} holds the class {targets.max()}, but {name} has {len(classes)} classes only.")
        parts[part] = Split(images=read_idx(images, (count, 28, 28))[:, None], labels=targets)
    train, validation = _hold_out(parts["train"], 5000)
    return Dataset(
        name=name, shape=(1, 28, 28), classes=classes, train=train, validation=validation, test=parts["t10k"]
    )


def _hold_out(split: Split, count: int) -> tuple[Split, Split]:
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


_DIGITS = tuple(map(str, range(10)))
_CLOTHES = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")

DATASETS: Mapping[str, Callable[[str, str | Path | None], Dataset]] = {
    "digits": _load_digits,
    "mnist": lambda name, root: _load_idx(name, root, _DIGITS),
    "fashion-mnist": lambda name, root: _load_idx(name, root, _CLOTHES),
}
