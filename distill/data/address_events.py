"""Address events: recordings as lists of what an event sensor tells, and the steps that they are put into.

An ``.npz`` file holds columns, one row an event, all recordings one after another:

==================  ==========================================================================================
``x``, ``y``        integers: column and row of the pixel
``p``               integers: polarity, from 0 on
``t``               integers: microseconds since the recording began, never running backwards within it
``size``            ``(height, width)``, or ``(polarities, height, width)``; two polarities where it is not said
``offset``          ``(R + 1)``: recording ``r`` is the events ``offset[r]`` to ``offset[r + 1]``; one without it
``length``          ``(R)``: microseconds that each recording takes; without it, to its last event
``part``            ``(R)``: 0 for training, 1 for validation, 2 for test
``label``           ``(R)``: of recordings; or with ``label_t`` of stretches of time, -1 where nothing is counted
``label_t``         ``(M)``: microseconds from which each label holds, ascending within a recording
``label_offset``    ``(R + 1)``: the labels of recording ``r``, as ``offset``; not needed for one recording
``classes``         names
==================  ==========================================================================================

Columns are read in pieces: what is in memory are the spikes of the steps.  Step ``n`` of a recording has the events of
``n * bin <= t < (n + 1) * bin``, and the label that holds when it begins.  An address speaks once in a step, or it does
not (``docs/semantics.md`` section 3): several events of one are refused, or on request counted as one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import DataError
from snnc.distill.data.archives import Archive, open_archive
from snnc.distill.data.binned import BinnedEvents
from snnc.distill.data.dataset import UNLABELLED
from snnc.distill.data.sparse import SparseSteps

__all__ = ["COLUMNS", "Binning", "bin_events"]

COLUMNS: Final = ("x", "y", "p", "t")

_PIECE: Final = 1 << 18
"""Events that are read at once."""

_STEPS_LIMIT: Final = 1 << 27
"""Of all recordings together: a time that is wrong must not take all memory."""
_ADDRESS_LIMIT: Final = 1 << 24
_RECORDINGS_LIMIT: Final = 1 << 20
_NAME_LIMIT: Final = 64
_CLASSES_LIMIT: Final = 1000
_SECOND: Final = 1e6

_Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Binning:
    """How events become steps.

    Attributes
    ----------
    bin
        Microseconds of a step.
    window
        Microseconds of a sample: a whole number of steps.
    merge
        Let several events of one address in a step be one; else they are refused.
    """

    bin: int
    window: int
    merge: bool = False

    def __post_init__(self) -> None:
        if self.bin < 1 or self.window < self.bin or self.window % self.bin:
            raise DataError(
                f"A window of {self.window} microseconds is no whole number of steps of {self.bin}; choose --window as "
                "a multiple of --bin."
            )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Layout:
    """What a file says beside its events."""

    path: Path
    size: tuple[int, int, int]
    offset: _Integers
    length: _Integers | None
    part: npt.NDArray[np.uint8]
    label: _Integers
    label_t: _Integers | None
    label_offset: _Integers
    classes: tuple[str, ...] | None


def bin_events(
    path: Path, binning: Binning, *, progress: Callable[[int, int], None] = lambda done, of: None
) -> BinnedEvents:
    """The recordings of a file in steps.

    Parameters
    ----------
    progress
        Called with the events that were read, and how many there are.

    Raises
    ------
    DataError
        The file is no such file, or what it says cannot be: addresses outside, times that run backwards, labels of the
        wrong length, several events of an address in a step.
    """
    with open_archive(path) as archive:
        count = archive.rows("t")
        layout = _layout(archive, count)
        builder = _Builder(layout, binning)
        done = 0
        for columns in archive.columns(COLUMNS, _PIECE):
            builder.take(*columns)
            done += len(columns[0])
            progress(done, count)
        steps, lengths = builder.finish()
    return BinnedEvents(
        steps=steps,
        recording=np.concatenate([[0], np.cumsum(lengths)]),
        part=layout.part,
        labels=_labels(layout, binning, lengths),
        tracked=layout.label_t is not None,
        window=binning.window // binning.bin,
        bin=binning.bin,
        shape=layout.size,
        classes=layout.classes,
    )


def _layout(archive: Archive, events: int) -> _Layout:
    path = archive.path
    size = archive.integers("size").tolist()
    if len(size) == 2:
        size = [2, *size]
    if len(size) != 3 or min(size) < 1 or math.prod(size) > _ADDRESS_LIMIT:
        raise DataError(f"{path}: size is {size}, but a height and a width, or polarities before them, are expected.")
    offset = archive.integers("offset").astype(np.int64) if "offset" in archive else np.array([0, events])
    count = len(offset) - 1
    if not 1 <= count <= _RECORDINGS_LIMIT or offset[0] != 0 or offset[-1] != events or (np.diff(offset) < 0).any():
        raise DataError(f"{path}: offset does not divide {events:,} events into recordings; write it again.")
    length = archive.integers("length").astype(np.int64) if "length" in archive else None
    if length is not None and (len(length) != count or length.min() < 1):
        raise DataError(f"{path}: length must say the microseconds of each of {count} recordings, all above 0.")
    part = archive.integers("part")
    if len(part) != count or not 0 <= part.min() <= part.max() <= 2:
        raise DataError(f"{path}: part must be 0, 1 or 2 (training, validation, test) for each of {count} recordings.")
    label = archive.integers("label").astype(np.int64)
    label_t = archive.integers("label_t").astype(np.int64) if "label_t" in archive else None
    ends = np.arange(count + 1)
    if label_t is not None:
        ends = (
            archive.integers("label_offset").astype(np.int64)
            if "label_offset" in archive
            else np.array([0, len(label)])
        )
    if len(ends) != count + 1 or ends[0] != 0 or ends[-1] != len(label) or (np.diff(ends) < 0).any():
        raise DataError(
            f"{path} holds {len(label)} labels for {count} recordings; give one for each, or label_t, the microseconds "
            "from which each of them holds, and label_offset."
        )
    if label_t is not None:
        if len(label_t) != len(label):
            raise DataError(
                f"{path} holds {len(label)} labels, but {len(label_t)} times in label_t; give one for each."
            )
        backwards = np.diff(label_t) < 0
        backwards[ends[1:-1][(ends[1:-1] > 0) & (ends[1:-1] < len(label))] - 1] = False
        if backwards.any() or label_t.min() < 0:
            raise DataError(f"{path}: label_t runs backwards, or begins below 0; sort it within each recording.")
    if label.min() < (UNLABELLED if label_t is not None else 0):
        raise DataError(
            f"{path} holds the class {label.min()}; labels are from 0 on (-1, not counted, with label_t only)."
        )
    classes = archive.texts("classes", longest=_NAME_LIMIT) if "classes" in archive else None
    most = len(classes) if classes is not None else _CLASSES_LIMIT
    if label.max() >= most:
        raise DataError(f"{path} holds the class {label.max()}, but there are {most} classes only.")
    return _Layout(
        path=path,
        size=(size[0], size[1], size[2]),
        offset=offset,
        length=length,
        part=part.astype(np.uint8),
        label=label,
        label_t=label_t,
        label_offset=ends,
        classes=classes,
    )


def _labels(layout: _Layout, binning: Binning, lengths: _Integers) -> _Integers:
    """Of recordings, ``[R]``, or of all their steps."""
    if layout.label_t is None:
        return layout.label
    tracks = []
    for (begin, end), steps in zip(pairwise(layout.label_offset), lengths, strict=True):
        place = np.searchsorted(layout.label_t[begin:end], binning.bin * np.arange(steps), side="right") - 1
        own = np.append(layout.label[begin:end], UNLABELLED)  # before the first: place -1
        tracks.append(own[place])
    return np.concatenate(tracks)


@dataclass(slots=True, kw_only=True, eq=False)
class _Open:
    """The recording that is being read: its last step may not be whole yet."""

    keys: _Integers = field(default_factory=lambda: np.empty(0, np.int64))
    last: int = 0
    steps: list[_Integers] = field(default_factory=list)


class _Builder:
    """Puts events into steps, piece by piece."""

    def __init__(self, layout: _Layout, binning: Binning) -> None:
        self._layout, self._binning = layout, binning
        self._addresses = math.prod(layout.size)
        self._recording = 0
        self._done = 0
        self._open = _Open()
        self._spikes: list[npt.NDArray[np.uint32]] = []
        self._counts: list[_Integers] = []
        self._total = 0

    def take(self, x: _Integers, y: _Integers, p: _Integers, t: _Integers) -> None:
        """The next events."""
        self._check_addresses(x, y, p)
        _, height, width = self._layout.size
        address = (p * height + y) * width + x
        taken = 0
        while taken < len(t):
            end = int(self._layout.offset[self._recording + 1])
            if self._done == end:
                self._close()
                continue
            size = min(len(t) - taken, end - self._done)
            self._add(address[taken : taken + size], t[taken : taken + size])
            taken += size
            self._done += size

    def finish(self) -> tuple[SparseSteps, _Integers]:
        """All steps, and how many each recording has."""
        while self._recording < len(self._layout.offset) - 1:
            self._close()
        counts = np.concatenate(self._counts)
        steps = SparseSteps(
            address=np.concatenate([np.empty(0, np.uint32), *self._spikes]),
            start=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            addresses=self._addresses,
        )
        return steps, np.array([len(one) for one in self._counts], dtype=np.int64)

    def _add(self, address: _Integers, t: _Integers) -> None:
        last, path = self._open.last, self._layout.path
        wrong = np.flatnonzero(np.diff(t, prepend=last) < 0)
        if len(wrong):
            place = int(wrong[0])
            before = last if place == 0 else int(t[place - 1])
            raise DataError(
                f"{path}: the time of event {self._done + place:,} is {t[place]} microseconds, before the {before} "
                f"of the one ahead of it in recording {self._recording}; sort events by time, from 0 on."
            )
        length = None if self._layout.length is None else int(self._layout.length[self._recording])
        if length is not None and int(t[-1]) >= length:
            raise DataError(
                f"{path}: recording {self._recording} has an event after {t[-1]} microseconds, but takes {length}."
            )
        self._open.last = int(t[-1])
        self._check_steps(int(t[-1]) // self._binning.bin + 1)
        keys = np.concatenate([self._open.keys, t // self._binning.bin * self._addresses + address])
        begun = self._open.last // self._binning.bin * self._addresses
        self._settle(keys[keys < begun])
        self._open.keys = keys[keys >= begun]

    def _settle(self, keys: _Integers) -> None:
        """Spikes of steps that are whole."""
        spikes, times = np.unique(keys, return_counts=True)
        if not self._binning.merge and len(times) and (most := int(times.max())) > 1:
            step, address = divmod(int(spikes[times.argmax()]), self._addresses)
            _, height, width = self._layout.size
            rest, x = divmod(address, width)
            p, y = divmod(rest, height)
            raise DataError(
                f"{self._layout.path}: address x {x}, y {y}, p {p} has {most} events in the step at "
                f"{step * self._binning.bin / _SECOND:g} s of recording {self._recording}, but has one in a step, or "
                "none: choose a smaller --bin, or count them as one with --merge."
            )
        self._spikes.append((spikes % self._addresses).astype(np.uint32))
        self._open.steps.append(spikes // self._addresses)

    def _close(self) -> None:
        """The recording that is being read is over."""
        self._settle(self._open.keys)
        length = None if self._layout.length is None else int(self._layout.length[self._recording])
        steps = -(-length // self._binning.bin) if length is not None else self._open.last // self._binning.bin + 1
        self._check_steps(steps)
        self._counts.append(np.bincount(np.concatenate(self._open.steps), minlength=steps))
        self._total += steps
        self._recording += 1
        self._open = _Open()

    def _check_steps(self, steps: int) -> None:
        if self._total + steps > _STEPS_LIMIT:
            raise DataError(
                f"{self._layout.path} takes more than {_STEPS_LIMIT:,} steps of {self._binning.bin} microseconds; "
                "choose a larger --bin."
            )

    def _check_addresses(self, x: _Integers, y: _Integers, p: _Integers) -> None:
        for name, values, most in zip("pyx", (p, y, x), self._layout.size, strict=True):
            wrong = np.flatnonzero((values < 0) | (values >= most))
            if len(wrong):
                place = int(wrong[0])
                raise DataError(
                    f"{self._layout.path}: event {self._done + place:,} has {name} = {values[place]}, but by size it "
                    f"is 0 to {most - 1}."
                )
