"""MNIST seen by a simulated event camera that moves over it in three saccades.

Every digit stands still in a field of 34 x 34 pixels while the camera looks along a triangle, one side a saccade (as
N-MNIST was recorded: Orchard et al., Frontiers in Neuroscience 9, 2015; these events are simulated).  A pixel sends an
event where its brightness has risen (polarity 0) or fallen (polarity 1) by `_CONTRAST` since its last event, at most
one a time bin; brightness between pixels is interpolated in whole numbers of sixteenths, so that the events are the
same on every machine.  From a seed come the place of each digit, up to a pixel off the middle, and noise: a pixel in a
thousand sends what it has not seen.

The data set is every third of MNIST's training, validation and test images, so that it has digits of all writers (MNIST
has them writer by writer) and loads in seconds; its events are lists, which take 9 kB a digit where an array takes 69.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from snnc.distill.data.dataset import Dataset, Origin, Pixels, Split
from snnc.distill.data.idx import load_idx
from snnc.distill.data.sparse import SparseEvents, SparseSteps

__all__ = ["FIELD", "TIME_STEPS", "load_saccades", "see"]

FIELD: Final = 34
TIME_STEPS: Final = 30
"""Time bins, ten a saccade."""

_CORNERS: Final = ((32, -32), (-32, 0), (32, 32), (32, -32))
"""Row and column of the camera at the ends of its saccades, in sixteenths of a pixel."""
_UNIT: Final = 16
_MARGIN: Final = 3
"""Pixels around the field that the camera's movement and the place of a digit reach into."""
_CONTRAST: Final = 40
_NOISE: Final = 0.001
_SEED: Final = 34_34
_EACH: Final = 3
"""Of so many digits one is seen."""
_CHUNK: Final = 500
"""Digits that are seen at a time: 60 MB of working memory."""


def load_saccades(name: str, root: str | Path | None) -> Dataset:
    """Events ``(30, 2, 34, 34)`` of MNIST's digits, whose files lie where `mnist` finds them."""
    mnist = load_idx("mnist", root, title="MNIST", classes=tuple(map(str, range(10))))
    parts = [
        Split(
            images=see(split.images[::_EACH], seed=_SEED + part).as_images(),
            labels=split.labels[::_EACH],
            origin=Origin(values=split.images[::_EACH], code=_see_again) if part == 0 else None,
        )
        for part, split in enumerate((mnist.train, mnist.validation, mnist.test))
    ]
    return Dataset(
        name=name,
        title="MNIST in three saccades, simulated events",
        shape=(2, FIELD, FIELD),
        time_steps=TIME_STEPS,
        classes=mnist.classes,
        train=parts[0],
        validation=parts[1],
        test=parts[2],
    )


def see(images: Pixels, *, seed: int) -> SparseEvents:
    """Events ``[N, T, 2, 34, 34]``, 0 or 1, of still images ``[N, 1, 28, 28]``."""
    random = np.random.RandomState(seed)
    addresses: list[npt.NDArray[np.uint32]] = []
    counts: list[npt.NDArray[np.int64]] = []
    for start in range(0, len(images), _CHUNK):
        events = _watched(images[start : start + _CHUNK], random).reshape(-1, 2 * FIELD * FIELD)
        addresses.append(np.nonzero(events)[1].astype(np.uint32))
        counts.append(np.count_nonzero(events, axis=1))
    begin = np.arange(len(images), dtype=np.int64) * TIME_STEPS
    return SparseEvents(
        steps=SparseSteps(
            address=np.concatenate(addresses) if addresses else np.zeros(0, np.uint32),
            start=np.concatenate([[0], *counts]).cumsum().astype(np.int64),
            addresses=2 * FIELD * FIELD,
        ),
        begin=begin,
        end=begin + TIME_STEPS,
        time_steps=TIME_STEPS,
        sample_shape=(2, FIELD, FIELD),
    )


def _watched(images: Pixels, random: np.random.RandomState) -> Pixels:
    """Events ``[n, T, 2, 34, 34]`` of a few images."""
    events = np.zeros((len(images), TIME_STEPS, 2, FIELD, FIELD), dtype=np.uint8)
    scene = _placed(images[:, 0], random)
    told = _seen(scene, *_CORNERS[0])
    for step in range(TIME_STEPS):
        now = _seen(scene, *_gaze(step + 1))
        for polarity, change in enumerate((now - told, told - now)):
            events[:, step, polarity] = change >= _CONTRAST
        told = np.where(events[:, step].any(axis=1), now, told)
        _add_noise(events[:, step], random)
    return events


def _see_again(images: Pixels, seed: int) -> Pixels:
    return see(images, seed=seed).as_images()


def _add_noise(events: Pixels, random: np.random.RandomState) -> None:
    """Events out of nothing, as likely at every pixel and polarity of one time bin ``[N, 2, 34, 34]``."""
    count = random.binomial(events.size, _NOISE)
    places = np.unravel_index(random.randint(0, events.size, count), events.shape)
    events[places] = 1


def _gaze(bins: int) -> tuple[int, int]:
    """Where the camera looks after so many time bins."""
    each = TIME_STEPS // (len(_CORNERS) - 1)
    saccade, part = divmod(bins, each)
    here, there = _CORNERS[saccade], _CORNERS[min(saccade + 1, len(_CORNERS) - 1)]
    row, column = (a + (b - a) * part // each for a, b in zip(here, there, strict=True))
    return row, column


def _placed(images: Pixels, random: np.random.RandomState) -> npt.NDArray[np.int32]:
    """Each image in its scene, ``[N, 40, 40]``."""
    size = FIELD + 2 * _MARGIN
    scene = np.zeros((len(images), size, size), dtype=np.int32)
    middle = (size - images.shape[1]) // 2
    for one, image, (down, right) in zip(scene, images, random.randint(-1, 2, (len(images), 2)), strict=True):
        one[middle + down :, middle + right :][: image.shape[0], : image.shape[1]] = image
    return scene


def _seen(scene: npt.NDArray[np.int32], row: int, column: int) -> npt.NDArray[np.int32]:
    """What the field of 34 x 34 pixels sees, looking ``(row, column)`` sixteenths off the middle."""
    (top, down), (left, right) = divmod(row, _UNIT), divmod(column, _UNIT)
    window = scene[:, _MARGIN + top :, _MARGIN + left :][:, : FIELD + 1, : FIELD + 1]
    rows = window[:, :FIELD] * (_UNIT - down) + window[:, 1:] * down
    return (rows[:, :, :FIELD] * (_UNIT - right) + rows[:, :, 1:] * right) // _UNIT**2
