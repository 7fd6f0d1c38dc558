"""MNIST and its successors in the idx format, read with every size checked before memory is taken.

An idx file is big-endian: two zero bytes, a type code (``0x08``: unsigned byte), the number of dimensions, one 32-bit
length per dimension, then the bytes (http://yann.lecun.com/exdb/mnist/).  It may be gzipped.  The expected shape is
known beforehand, so a file that lies about its size, or a small ``.gz`` that inflates without end, costs no more
memory than the true file would.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import DataError
from snnc.distill.data.dataset import Dataset, Split, check_labels, folders, train_and_validation

__all__ = ["find_idx", "load_idx", "read_idx"]

_UNSIGNED_BYTE = 0x08


def load_idx(name: str, root: str | Path | None, *, title: str, classes: tuple[str, ...]) -> Dataset:
    """A data set of 60,000 training and 10,000 test images, 28x28, in the four files of MNIST's names."""
    counts = {"train": 60_000, "t10k": 10_000}
    stems = [f"{part}-{kind}" for part in counts for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")]
    places = folders(name, root)
    for folder in places:
        paths = [find_idx(folder, stem) for stem in stems]
        if all(paths):
            break
    else:
        raise DataError(
            f"Neither {places[0]} nor {places[1]} holds the four files of {name}: {', '.join(stems)} "
            "(with or without .gz); fetch them, or name another folder with --data."
        )

    parts = {}
    for (part, count), images, labels in zip(counts.items(), paths[0::2], paths[1::2], strict=True):
        assert images is not None
        assert labels is not None
        targets = check_labels(read_idx(labels, (count,)), len(classes), path=labels, name=name)
        parts[part] = Split(images=read_idx(images, (count, 28, 28))[:, None], labels=targets)
    train, validation = train_and_validation(parts["train"])
    return Dataset(
        name=name,
        title=title,
        shape=(1, 28, 28),
        classes=classes,
        train=train,
        validation=validation,
        test=parts["t10k"],
    )


def find_idx(folder: Path, stem: str) -> Path | None:
    """The file ``stem`` of ``folder``, plain or gzipped, under either of the two spellings that are about.

    Returns None where there is none.
    """
    for name in (stem, stem.replace("-idx", ".idx", 1)):
        for suffix in ("", ".gz"):
            path = folder / (name + suffix)
            if path.is_file():
                return path
    return None


def read_idx(path: Path, shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """Read the unsigned bytes of an idx file that must have exactly the given shape.

    Parameters
    ----------
    path
        The file; gzipped if its name ends in ``.gz``.
    shape
        What the file must hold, e.g. ``(60000, 28, 28)`` for images and ``(60000,)`` for labels.
    """
    try:
        with cast(BinaryIO, gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb") as file:
            return _read(file, path, shape)
    except (OSError, EOFError, zlib.error) as error:  # gzip.BadGzipFile is an OSError
        raise DataError(f"{path} cannot be read ({error}); fetch the file again.") from error


def _read(file: BinaryIO, path: Path, shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    header = file.read(4 + 4 * len(shape))
    magic = bytes((0, 0, _UNSIGNED_BYTE, len(shape)))
    if header[:4] != magic:
        raise DataError(
            f"{path} does not start like an idx file of {len(shape)} dimensions: its first bytes are "
            f"{header[:4].hex() or 'missing'}, not {magic.hex()}; fetch the original file."
        )
    if len(header) < 4 + 4 * len(shape):
        raise DataError(f"{path} ends inside its header; fetch the file again.")
    lengths = struct.unpack(f">{len(shape)}I", header[4:])
    if lengths != shape:
        raise DataError(f"{path} holds an array of shape {lengths}, but {shape} is expected; fetch the original file.")
    size = math.prod(shape)
    payload = file.read(size)
    if len(payload) != size:
        raise DataError(f"{path} ends after {len(payload)} of {size} bytes of data; fetch the file again.")
    if file.read(1):
        raise DataError(f"{path} goes on after its {size} bytes of data; fetch the original file.")
    return np.frombuffer(payload, dtype=np.uint8).reshape(shape)
