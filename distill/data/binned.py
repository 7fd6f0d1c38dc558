"""Events in steps, as a file that every command takes by ``--data FILE.npz`` alone: ``snnc events`` writes it.

Recordings lie one after another.  ``address`` are those of all spikes, ascending within a step; ``start``
``(steps + 1)`` says where the spikes of each step begin; ``recording`` ``(R + 1)`` at which step each recording does;
``part`` ``(R)`` what it is for (0, 1, 2: training, validation, test).  ``label`` is that of each recording, ``(R)``, or
with ``tracks`` = 1 of each step.  ``window`` are the steps of a sample, ``bin`` the microseconds of a step, ``shape``
polarities, height, width.

A recording is cut into as many windows as it holds; what is left over is in no sample.  One that is shorter than a
window is a sample with silence behind it.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import DataError
from snnc.distill.data.archives import Archive
from snnc.distill.data.dataset import UNLABELLED, Dataset, Split, check_labels
from snnc.distill.data.sparse import SparseEvents, SparseSteps

__all__ = ["BinnedEvents", "is_binned", "read_binned"]

_PARTS: Final = ("training", "validation", "test")
_ARRAYS: Final = ("address", "start", "recording", "part", "label", "tracks", "window", "bin", "shape")
_NAME_LIMIT: Final = 64
_ADDRESS_LIMIT: Final = 1 << 24
_STEPS_OF_A_SAMPLE: Final = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BinnedEvents:
    """Recordings of events in steps.

    Attributes
    ----------
    steps
        Of all recordings, one after another.
    recording
        Where each of them begins, and in the end how many steps there are, ``[R + 1]``.
    part
        What each is for, ``[R]``: 0 training, 1 validation, 2 test.
    labels
        Of recordings, ``[R]``, or of all steps; -1 where a step is not counted.
    tracked
        Whether they are of steps.
    window
        Steps of a sample.
    bin
        Microseconds of a step.
    shape
        ``(C, H, W)``.
    classes
        Their names; None for numbers.
    """

    steps: SparseSteps
    recording: npt.NDArray[np.int64]
    part: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    tracked: bool
    window: int
    bin: int
    shape: tuple[int, int, int]
    classes: tuple[str, ...] | None

    def dataset(self, name: str, path: Path) -> Dataset:
        """The windows of the three parts.

        Raises
        ------
        DataError
            A part has none.
        """
        classes = self.classes or tuple(map(str, range(max(2, int(self.labels.max()) + 1))))
        checked = self.labels.reshape(-1, 1) if self.tracked else self.labels
        labels = check_labels(checked, len(classes), path=path, name=name).reshape(-1)
        return Dataset(
            name=name,
            title=path.stem,
            shape=self.shape,
            time_steps=self.window,
            classes=classes,
            train=self._split(0, labels, path),
            validation=self._split(1, labels, path),
            test=self._split(2, labels, path),
        )

    def recordings(self, part: int) -> Sequence[tuple[str, SparseSteps, npt.NDArray[np.int64]]]:
        """Name, steps and a label for each step of whole recordings."""
        found = []
        for number in np.flatnonzero(self.part == part).tolist():
            begin, end = int(self.recording[number]), int(self.recording[number + 1])
            track = self.labels[begin:end] if self.tracked else np.full(end - begin, self.labels[number])
            found.append((f"recording {number}", self.steps.within(begin, end), track))
        return found

    def _split(self, part: int, labels: npt.NDArray[np.int64], path: Path) -> Split:
        chosen = np.flatnonzero(self.part == part)
        if not len(chosen):
            raise DataError(f"{path} holds no recording of the {_PARTS[part]} part ({part} in part); give it some.")
        begins, ends, own = [], [], []
        for number in chosen.tolist():
            first, last = int(self.recording[number]), int(self.recording[number + 1])
            count = max(1, (last - first) // self.window)
            begin = first + self.window * np.arange(count)
            begins.append(begin)
            ends.append(np.minimum(begin + self.window, last))
            own.append(np.full(count, number))
        begin, end, of = np.concatenate(begins), np.concatenate(ends), np.concatenate(own)
        images = SparseEvents(
            steps=self.steps, begin=begin, end=end, time_steps=self.window, sample_shape=self.shape
        ).as_images()
        if not self.tracked:
            return Split(images=images, labels=labels[of])
        place = begin[:, np.newaxis] + np.arange(self.window)
        return Split(
            images=images,
            labels=np.where(place < end[:, np.newaxis], labels[np.minimum(place, len(labels) - 1)], UNLABELLED),
        )

    def to_bytes(self) -> bytes:
        """The file."""
        arrays: dict[str, Any] = {
            "address": self.steps.address,
            "start": self.steps.start,
            "recording": self.recording.astype(np.int64),
            "part": self.part,
            "label": self.labels,
            "tracks": np.array([self.tracked], dtype=np.uint8),
            "window": np.array([self.window]),
            "bin": np.array([self.bin]),
            "shape": np.array(self.shape),
        }
        if self.classes is not None:
            arrays["classes"] = np.array(self.classes)
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        return buffer.getvalue()


def is_binned(archive: Archive) -> bool:
    """Whether a file holds events in steps."""
    return "address" in archive and "start" in archive


def read_binned(archive: Archive) -> BinnedEvents:
    """The recordings of a file, whose every number is checked.

    Raises
    ------
    DataError
        It holds something else.
    """
    path = archive.path
    address, start, recording, part, label, tracks, window, microseconds, shape = (
        archive.integers(name) for name in _ARRAYS
    )
    count, steps = len(part), len(start) - 1
    size = shape.tolist()
    sound = (
        len(size) == 3
        and min(size) >= 1
        and math.prod(size) <= _ADDRESS_LIMIT
        and int(address.max()) < math.prod(size)
        and int(address.min()) >= 0
        and _ascends(start, len(address))
        and _ascends(recording, steps)
        and len(recording) == count + 1
        and 0 <= int(part.min()) <= int(part.max()) <= 2
        and len(tracks) == len(window) == len(microseconds) == 1
        and len(label) == (steps if tracks[0] else count)
        and 1 <= int(window[0]) <= _STEPS_OF_A_SAMPLE
        and int(microseconds[0]) >= 1
    )
    if not sound:
        raise DataError(f"{path} is not what snnc events writes; write it again.")
    return BinnedEvents(
        steps=SparseSteps(
            address=address.astype(np.uint32), start=start.astype(np.int64), addresses=int(np.prod(size))
        ),
        recording=recording.astype(np.int64),
        part=part.astype(np.uint8),
        labels=label.astype(np.int64),
        tracked=bool(tracks[0]),
        window=int(window[0]),
        bin=int(microseconds[0]),
        shape=(size[0], size[1], size[2]),
        classes=archive.texts("classes", longest=_NAME_LIMIT) if "classes" in archive else None,
    )


def _ascends(places: npt.NDArray[np.integer], last: int) -> bool:
    """Whether they go from 0 to `last`."""
    return bool(places[0] == 0 and places[-1] == last and (places[1:] >= places[:-1]).all())
