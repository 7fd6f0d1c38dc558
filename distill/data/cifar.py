"""CIFAR-10 in its standard binary version, or as the JPEG images of a smaller archive.

The binary version is six files of 10,000 records each: one byte for the class, then 1024 bytes of red, green and blue,
row by row (https://www.cs.toronto.edu/~kriz/cifar.html).  The archive ``cifar10_jpegq75.npz`` holds every image as a
JPEG of quality 75 behind a common header; that is lossy, and the title of the data set says so.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Final

import numpy as np

from snnc.compiler.errors import DataError
from snnc.distill.data.archives import open_archive
from snnc.distill.data.dataset import Dataset, Pixels, Split, check_labels, folders, train_and_validation

__all__ = ["load_cifar10"]

_CLASSES: Final = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_SHAPE: Final = (3, 32, 32)
_PIXELS: Final = 3 * 32 * 32
_TRAIN, _TEST = 50_000, 10_000
_BINARY: Final = "cifar-10-batches-bin"
_BATCHES: Final = (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin")
_RECORDS: Final = 10_000
_JPEG: Final = "cifar10_jpegq75.npz"
_JPEG_LIMIT: Final = 1 << 16
"""Bytes of one image; the largest of the archive takes about 2000."""


def load_cifar10(name: str, root: str | Path | None) -> Dataset:
    """The 60,000 images, from the binary version if it is there."""
    places = folders(name, root)
    for folder in (place / inner for place in places for inner in (_BINARY, ".")):
        if all((folder / batch).is_file() for batch in _BATCHES):
            return _load_binary(name, folder)
    for folder in places:
        if (folder / _JPEG).is_file():
            return _load_jpeg(name, folder / _JPEG)
    raise DataError(
        f"Neither {places[0]} nor {places[1]} holds CIFAR-10: the files {', '.join(_BATCHES)} (also in a folder "
        f"{_BINARY}), or {_JPEG}; fetch them, or name another folder with --data."
    )


def _load_binary(name: str, folder: Path) -> Dataset:
    parts = []
    for batch in _BATCHES:
        path = folder / batch
        size = _RECORDS * (1 + _PIXELS)
        try:
            with path.open("rb") as file:
                stored = file.read(size + 1)
        except OSError as error:
            raise DataError(f"{path} cannot be read ({error}); fetch the file again.") from error
        if len(stored) != size:
            length = f"{len(stored):,} bytes long" if len(stored) < size else "longer"
            raise DataError(f"{path} must be {size:,} bytes long, but it is {length}; fetch the original file.")
        records = np.frombuffer(stored, dtype=np.uint8).reshape(_RECORDS, 1 + _PIXELS)
        labels = check_labels(records[:, 0], len(_CLASSES), path=path, name=name)
        parts.append(Split(images=records[:, 1:].reshape(_RECORDS, *_SHAPE), labels=labels))
    whole = Split(
        images=np.concatenate([part.images for part in parts[:-1]]),
        labels=np.concatenate([part.labels for part in parts[:-1]]),
    )
    # A copy: the view's rows are not contiguous, and it would keep the whole file in memory.
    return _dataset(name, "CIFAR-10", whole, Split(images=parts[-1].images.copy(), labels=parts[-1].labels))


def _load_jpeg(name: str, path: Path) -> Dataset:
    with open_archive(path) as archive:
        header, data = archive.pixels("header").tobytes(), archive.pixels("data").tobytes()
        offsets = archive.integers("offsets").astype(np.int64)
        labels = [archive.integers(f"y_{part}") for part in ("train", "test")]
    count = _TRAIN + _TEST
    lengths = np.diff(offsets)
    divided = len(offsets) == count + 1 and offsets[0] == 0 and offsets[-1] == len(data)
    if not divided or lengths.min() < 0 or lengths.max() > _JPEG_LIMIT:
        raise DataError(f"{path}: offsets do not divide data into {count:,} images; fetch the original file.")
    if [len(part) for part in labels] != [_TRAIN, _TEST]:
        raise DataError(f"{path}: y_train and y_test must hold {_TRAIN:,} and {_TEST:,} labels; fetch it again.")
    targets = [check_labels(part, len(_CLASSES), path=path, name=name) for part in labels]
    images = np.empty((count, *_SHAPE), dtype=np.uint8)
    for index, (start, end) in enumerate(zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)):
        images[index] = _decode(header + data[start:end], f"{path}: image {index}")
    return _dataset(
        name,
        "CIFAR-10, JPEG q75",
        Split(images=images[:_TRAIN], labels=targets[0]),
        Split(images=images[_TRAIN:], labels=targets[1]),
    )


def _decode(contents: bytes, where: str) -> Pixels:
    """A 32x32 colour JPEG to ``[3, 32, 32]``; size and mode are known from its header, before it is decoded."""
    from PIL import Image  # not needed by the binary version

    try:
        with Image.open(io.BytesIO(contents), formats=("JPEG",)) as image:
            if image.size != _SHAPE[:0:-1] or image.mode != "RGB":
                raise DataError(f"{where} is {image.size} {image.mode}, but (32, 32) RGB is expected; fetch it again.")
            return np.asarray(image).transpose(2, 0, 1)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{where} cannot be decoded ({error}); fetch the file again.") from error


def _dataset(name: str, title: str, whole: Split, test: Split) -> Dataset:
    train, validation = train_and_validation(whole)
    return Dataset(
        name=name, title=title, shape=_SHAPE, classes=_CLASSES, train=train, validation=validation, test=test
    )
