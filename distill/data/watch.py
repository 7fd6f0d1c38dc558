"""Smart watch recordings as events: seven shoulder exercises of ten people, split by person.

``watch.npz`` holds ``signal`` int16 ``(samples, 6)`` (acceleration and angular rate at 50 Hz), ``offset`` of each
recording in it, ``label``, ``person`` and ``classes``; from seglearn 1.2.5 (D. M. Burns, BSD licence, arXiv
1802.01489).

Every channel is encoded by send-on-delta (`snnc.distill.data.send_on_delta`) over the whole recording, with a quarter
of the standard deviation of the training people's signals as its threshold, and cut into windows of 128 samples that
overlap by half: one sample is one time step.  The test people (8, 9, 10) and the validation person (7) were never
heard in training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import DataError
from snnc.distill.data.archives import open_archive
from snnc.distill.data.dataset import Dataset, Split, check_labels, folders
from snnc.distill.data.send_on_delta import SendOnDelta, thresholds_of

__all__ = ["Recording", "load_watch", "watch_recordings"]

_FILE: Final = "watch.npz"
_CHANNELS: Final = 6
_WINDOW: Final = 128
_STRIDE: Final = 64
_SHARE: Final = 0.25
_TRAINING: Final = (1, 2, 3, 4, 5, 6)
_VALIDATION: Final = (7,)
_NAME_LIMIT: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recording:
    """What one person did: `events` ``[time, 12]`` of 0 and 1, one sample of the watch a step; its `label`."""

    person: int
    label: int
    events: npt.NDArray[np.uint8]


def load_watch(name: str, root: str | Path | None) -> Dataset:
    """The recordings in windows of events ``(128, 12, 1, 1)``."""
    recordings, classes = _recordings(name, root)

    def split(*people: int) -> Split:
        chosen = [recording for recording in recordings if recording.person in people]
        windows = [_windows(recording.events) for recording in chosen]
        labels = [np.full(len(w), recording.label) for w, recording in zip(windows, chosen, strict=True)]
        return Split(images=np.concatenate(windows), labels=np.concatenate(labels))

    return Dataset(
        name=name,
        title="watch, events of 7 exercises, split by person",
        shape=(2 * _CHANNELS, 1, 1),
        time_steps=_WINDOW,
        classes=classes,
        train=split(*_TRAINING),
        validation=split(*_VALIDATION),
        test=split(*_others(recordings)),
    )


def watch_recordings(root: str | Path | None = None) -> tuple[Recording, ...]:
    """The whole recordings of the test people, as the events that the windows of `load_watch` are cut from."""
    recordings, _ = _recordings("watch", root)
    return tuple(recording for recording in recordings if recording.person in _others(recordings))


def _others(recordings: Sequence[Recording]) -> tuple[int, ...]:
    """The people who are neither for training nor for validation."""
    return tuple(sorted({recording.person for recording in recordings} - {*_TRAINING, *_VALIDATION}))


def _recordings(name: str, root: str | Path | None) -> tuple[tuple[Recording, ...], tuple[str, ...]]:
    """All of them, and the names of the classes."""
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
    encoders = SendOnDelta(thresholds=thresholds_of(training, _SHARE))
    recordings = tuple(
        Recording(person=int(who), label=int(label), events=encoders.encode(one)[0])
        for one, who, label in zip(signals, person, labels, strict=True)
    )
    return recordings, classes


def _windows(events: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Windows ``[N, T, 2 channel, 1, 1]`` of one recording's events ``[time, 2 channel]``."""
    starts = range(0, len(events) - _WINDOW + 1, _STRIDE)
    return np.stack([events[start : start + _WINDOW] for start in starts])[..., None, None]
