"""Smart watch recordings as events: seven shoulder exercises of ten people, split by person.

``watch.npz`` holds ``signal`` int16 ``(samples, 6)`` (acceleration and angular rate at 50 Hz), ``offset`` of each
recording in it, ``label``, ``person`` and ``classes``; from seglearn 1.2.5 (D. M. Burns, BSD licence, arXiv
1802.01489).

Every channel is encoded by send-on-delta (`snnc.distill.data.send_on_delta`) over the whole recording, with a quarter
of the standard deviation of the training people's signals as its threshold, and cut into windows of 128 samples that
overlap by half: one sample is one time step.  `watch-fine` encodes every channel six times, with thresholds from a
twentieth to 1.6 of the standard deviation (`FINE`): 13.7 % of its addresses speak in a step.  The test people (8, 9,
10) and the validation person (7) were never heard in training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import DataError
from snnc.distill.data.archives import open_archive
from snnc.distill.data.dataset import Dataset, Origin, Pixels, Split, check_labels, folders
from snnc.distill.data.send_on_delta import Samples, SendOnDelta, encode_windows, thresholds_of

__all__ = ["FINE", "Recording", "load_watch", "watch_recordings"]

_FILE: Final = "watch.npz"
_CHANNELS: Final = 6
_WINDOW: Final = 128
_STRIDE: Final = 64
_AROUND: Final = 64
"""Samples on either side of a window, which a distorted copy of it moves in from."""
_COARSE: Final = (0.25,)
FINE: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Thresholds of `watch-fine`, in standard deviations."""
_TRAINING: Final = (1, 2, 3, 4, 5, 6)
_VALIDATION: Final = (7,)
_NAME_LIMIT: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recording:
    """What one person did: `signal` int16 ``[time, 6]``, one sample of the watch a step; its `label`.

    `events` ``[time, 12]`` of 0 and 1; of `watch-fine` ``[time, 72]``, those of one share of the thresholds after
    another.
    """

    person: int
    label: int
    signal: Samples
    events: npt.NDArray[np.uint8]


def load_watch(name: str, root: str | Path | None, *, shares: Sequence[float] = _COARSE) -> Dataset:
    """The recordings in windows of events ``(128, 12, 1, 1)``, or so many addresses for each share.

    Parameters
    ----------
    shares
        Thresholds, in standard deviations of the training people's signals.
    """
    recordings, classes, thresholds = _recordings(root, shares)

    def split(*people: int) -> Split:
        chosen = [recording for recording in recordings if recording.person in people]
        windows = [_windows(recording.events) for recording in chosen]
        labels = [np.full(len(w), recording.label) for w, recording in zip(windows, chosen, strict=True)]
        signals = [_with_surroundings(recording.signal) for recording in chosen]
        origin = Origin(values=np.concatenate(signals), code=partial(_code, thresholds))
        return Split(
            images=np.concatenate(windows)[..., np.newaxis, np.newaxis], labels=np.concatenate(labels), origin=origin
        )

    return Dataset(
        name=name,
        title="watch, events of 7 exercises, split by person",
        shape=(2 * _CHANNELS * len(shares), 1, 1),
        time_steps=_WINDOW,
        classes=classes,
        train=split(*_TRAINING),
        validation=split(*_VALIDATION),
        test=split(*_others(recordings)),
    )


def watch_recordings(root: str | Path | None = None, *, shares: Sequence[float] = _COARSE) -> tuple[Recording, ...]:
    """The whole recordings of the test people, as the events that the windows of `load_watch` are cut from."""
    recordings, _, _ = _recordings(root, shares)
    return tuple(recording for recording in recordings if recording.person in _others(recordings))


def _others(recordings: Sequence[Recording]) -> tuple[int, ...]:
    """The people who are neither for training nor for validation."""
    return tuple(sorted({recording.person for recording in recordings} - {*_TRAINING, *_VALIDATION}))


def _recordings(
    root: str | Path | None, shares: Sequence[float]
) -> tuple[tuple[Recording, ...], tuple[str, ...], tuple[int, ...]]:
    """All of them, the names of the classes, and the thresholds of all encoders."""
    name = "watch"
    places = folders(name, root)
    path = next((folder / _FILE for folder in places if (folder / _FILE).is_file()), None)
    if path is None:
        raise DataError(
            f"Neither {places[0]} nor {places[1]} holds {_FILE}; fetch it, or name another folder with --data."
        )
    with open_archive(path) as archive:
        signal = archive.signal("signal")
        offset = archive.integers("offset").astype(np.int64)
        person = archive.integers("person").astype(np.int64)
        classes = archive.texts("classes", longest=_NAME_LIMIT)
        stored = archive.integers("label")
    if signal.shape[1] != _CHANNELS:
        raise DataError(f"{path}: signal has {signal.shape[1]} channels, but {name} has {_CHANNELS}; fetch it again.")
    count = len(offset) - 1
    if count < 1 or offset[0] != 0 or offset[-1] != len(signal) or (np.diff(offset) < _WINDOW).any():
        raise DataError(
            f"{path}: offset does not divide {len(signal):,} samples into recordings of at least {_WINDOW}; fetch the "
            "original file."
        )
    if len(person) != count or len(stored) != count:
        raise DataError(f"{path}: person and label must say one number for each of {count} recordings; fetch it again.")
    labels = check_labels(stored, len(classes), path=path, name=name)
    heard = np.isin(person, _TRAINING)
    parts = {"train": heard, "validation": np.isin(person, _VALIDATION)}
    parts["test"] = ~(parts["train"] | parts["validation"])
    for part, members in parts.items():
        if not members.any():
            raise DataError(f"{path} holds no recording of the people of the {part} part; fetch the original file.")
    signals = [signal[start:end] for start, end in pairwise(offset)]
    training = np.concatenate([one for one, is_heard in zip(signals, heard, strict=True) if is_heard])
    thresholds = tuple(threshold for share in shares for threshold in thresholds_of(training, share))
    encoders = SendOnDelta(thresholds=thresholds)
    recordings = tuple(
        Recording(person=int(who), label=int(label), signal=one, events=encoders.encode(_repeated(one, len(shares)))[0])
        for one, who, label in zip(signals, person, labels, strict=True)
    )
    return recordings, classes, thresholds


def _repeated(signal: Samples, times: int) -> Samples:
    """All channels of ``[..., channel]`` so many times, side by side: each for an encoder of its own."""
    return np.concatenate([signal] * times, axis=-1)


def _windows(samples: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Windows ``[N, T, ...]`` of one recording's ``[time, ...]``."""
    starts = range(0, len(samples) - _WINDOW + 1, _STRIDE)
    return np.stack([samples[start : start + _WINDOW] for start in starts])


def _with_surroundings(signal: Samples) -> Samples:
    """The windows of a signal ``[time, channel]`` with what lies around, ``[N, 64 + 128 + 64, channel]``.

    Beyond the recording its first and last samples go on.
    """
    padded = np.pad(signal, ((_AROUND, _AROUND), (0, 0)), mode="edge")
    starts = range(0, len(signal) - _WINDOW + 1, _STRIDE)
    return np.stack([padded[start : start + _WINDOW + 2 * _AROUND] for start in starts])


def _code(thresholds: tuple[int, ...], signals: Samples, seed: int) -> Pixels:
    """Events ``[N, 128, address, 1, 1]`` of windows with their surroundings; there is no noise to draw."""
    times = len(thresholds) // signals.shape[2]
    events = encode_windows(_repeated(signals, times), thresholds)
    return events[:, _AROUND:-_AROUND, :, np.newaxis, np.newaxis]
