"""Bring your own data: an ``.npz`` file with `x_train`, `y_train`, `x_test`, `y_test` and, if wanted, more.

`x_validation` and `y_validation` are the samples that choices are made on; without them a tenth of the training
samples is held out, 5000 at most, and whatever is wrong with the labels of those is wrong with the validation, too.

``x_*`` are unsigned bytes: images ``(N, C, H, W)``, or events ``(N, T, C, H, W)`` or ``(N, T, C)``, 1 where an address
has an event in one of ``T`` steps and 0 elsewhere.  An address either speaks in a step or it does not, so a count above
1 is refused.  ``y_*`` are integers ``(N,)`` from 0 on, or of events ``(N, T)``, one for each step and -1 where a step
is not counted; ``classes`` are the names of the classes, in that order.
numpy.savez_compressed writes such a file.

Recordings of events in steps (`snnc.distill.data.binned`) are read as well.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import DataError
from snnc.distill.data.address_events import COLUMNS
from snnc.distill.data.archives import Archive, open_archive
from snnc.distill.data.binned import is_binned, read_binned
from snnc.distill.data.dataset import Dataset, Pixels, Split, check_labels, folders, train_and_validation

__all__ = ["load_npz", "load_spoken_digits"]

_CLASSES_LIMIT: Final = 1000
_NAME_LIMIT: Final = 64
_SPOKEN_DIGITS: Final = "spoken_digits_logmel.npz"


def load_npz(name: str, root: str | Path | None) -> Dataset:
    """The data set in the ``.npz`` file that ``root`` is."""
    if root is None or not Path(root).is_file():
        given = "nothing was given" if root is None else f"{root} is none"
        raise DataError(f"The data set {name} is a file of yours, but {given}; name the .npz file with --data.")
    return _load(Path(root), name, Path(root).stem)


def load_spoken_digits(name: str, root: str | Path | None) -> Dataset:
    """3000 spoken digits of six speakers as log-mel maps (Free Spoken Digit Dataset, CC BY-SA 4.0)."""
    places = folders(name, root)
    for folder in places:
        if (folder / _SPOKEN_DIGITS).is_file():
            break
    else:
        raise DataError(
            f"Neither {places[0]} nor {places[1]} holds {_SPOKEN_DIGITS} of {name}; fetch it, or name another folder "
            "with --data."
        )
    dataset = _load(folder / _SPOKEN_DIGITS, name, "spoken digits, log-mel")
    if dataset.shape != (1, 64, 32) or dataset.events or len(dataset.classes) != 10:
        raise DataError(
            f"{folder / _SPOKEN_DIGITS} holds samples of {dataset.shape} in {len(dataset.classes)} classes, but {name} "
            "are (1, 64, 32) in 10; fetch the original file."
        )
    return dataset


def _load(path: Path, name: str, title: str) -> Dataset:
    with open_archive(path) as archive:
        if is_binned(archive):
            return read_binned(archive).dataset(name, path)
        if "x_train" not in archive and all(column in archive for column in COLUMNS):
            raise DataError(
                f"{path} holds address events; say what a step and a sample are: snnc events '{path}' --bin "
                "MICROSECONDS --window MICROSECONDS -o FILE.npz."
            )
        x_train, y_train = _samples(archive, "train")
        given = "x_validation" in archive or "y_validation" in archive
        x_validation, y_validation = _samples(archive, "validation") if given else (x_train[:0], y_train[:0])
        x_test, y_test = _samples(archive, "test")
        names = archive.texts("classes", longest=_NAME_LIMIT) if "classes" in archive else None
    for part, labels in (("validation", y_validation), ("test", y_test)):
        if labels.ndim != y_train.ndim:
            raise DataError(
                f"{path}: y_{part} has labels of the shape {labels.shape[1:]} for each sample, y_train of "
                f"{y_train.shape[1:]}; label samples, or steps, in all parts."
            )
    for part, images in (("validation", x_validation), ("test", x_test)):
        if images.shape[1:] != x_train.shape[1:]:
            raise DataError(
                f"{path}: samples of x_{part} have the shape {images.shape[1:]}, those of x_train "
                f"{x_train.shape[1:]}; they must be equal."
            )
    if not given and len(x_train) < 2:
        raise DataError(f"{path}: x_train holds one sample, but one for training and one for validation are needed.")
    # Without names there are as many classes as the training labels say, and a stray label must not make millions.
    if y_train.ndim > 1 and int(y_train.max()) < 0:
        raise DataError(f"{path}: no step of y_train has a label; give some, from 0 on.")
    count = len(names) if names is not None else min(int(y_train.max()) + 1, _CLASSES_LIMIT)
    if not 2 <= count <= _CLASSES_LIMIT:
        raise DataError(f"{path} has {count} classes, but 2 to {_CLASSES_LIMIT} are allowed.")
    events = x_train.ndim == 5

    def split(images: Pixels, labels: npt.NDArray[np.integer]) -> Split:
        checked = check_labels(labels, count, path=path, name=name)
        return Split(images=images, labels=checked)

    train = split(x_train, y_train)
    train, validation = (train, split(x_validation, y_validation)) if given else train_and_validation(train)
    channels, height, width = x_train.shape[-3:]
    return Dataset(
        name=name,
        title=title,
        shape=(channels, height, width),
        time_steps=x_train.shape[1] if events else None,
        classes=names if names is not None else tuple(map(str, range(count))),
        train=train,
        validation=validation,
        test=split(x_test, y_test),
    )


def _samples(archive: Archive, part: str) -> tuple[Pixels, npt.NDArray[np.integer]]:
    """Images or events of one part, and their labels, not yet checked against the classes."""
    images, labels = archive.pixels(f"x_{part}", (3, 4, 5)), archive.integers(f"y_{part}", (1, 2))
    if images.ndim == 3:
        images = images[..., np.newaxis, np.newaxis]
    if images.ndim == 5 and (most := int(images.max())) > 1:
        raise DataError(
            f"{archive.path}: x_{part} counts up to {most} events of an address in a step, but an address gives 0 or "
            "1; use shorter steps, or store numpy.minimum(x, 1). (Images are (N, C, H, W).)"
        )
    if len(images) != len(labels):
        raise DataError(
            f"{archive.path}: x_{part} holds {len(images)} samples, but y_{part} {len(labels)} labels; "
            "they must be equal."
        )
    if labels.ndim > 1 and (images.ndim < 5 or labels.shape[1] != images.shape[1]):
        steps = f"{images.shape[1]} steps" if images.ndim == 5 else "no steps, they are images"
        raise DataError(
            f"{archive.path}: y_{part} holds {labels.shape[1]} labels for each sample, but those of x_{part} have "
            f"{steps}; give one label a sample, or of events one a step."
        )
    return images, labels
