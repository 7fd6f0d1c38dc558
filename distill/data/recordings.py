"""Whole recordings, which a network hears as streams: of events, with a label for every step.

A data set that was cut into windows has longer recordings than its samples; of another one each sample of events is a
recording.  A source of longer ones is a line in `RECORDINGS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import DataError, OptionError
from snnc.distill.data.address_events import COLUMNS, Binning, bin_events
from snnc.distill.data.archives import open_archive
from snnc.distill.data.binned import BinnedEvents, read_binned
from snnc.distill.data.dataset import Dataset, Labels
from snnc.distill.data.npz import load_npz
from snnc.distill.data.sparse import SparseSteps, as_sparse
from snnc.distill.data.watch import FINE, watch_recordings
from snnc.distill.data.watch import Recording as _OfWatch

__all__ = ["RECORDINGS", "Recording", "recorded", "recordings_of"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recording:
    """One recording.

    Attributes
    ----------
    name
        For people.
    events
        ``[time, address]`` of 0 and 1, or whatever gives such an array for a slice of time.
    labels
        One for each step, ``[time]``; `snnc.distill.data.dataset.UNLABELLED` where it is not counted.
    """

    name: str
    events: npt.NDArray[np.uint8] | SparseSteps
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)


_TEST: Final = 2


def _watch(watched: Callable[[str | Path | None], Sequence[_OfWatch]], root: str | Path | None) -> Sequence[Recording]:
    return [
        Recording(
            name=f"person {found.person}", events=found.events, labels=np.full(len(found.events), found.label, np.int64)
        )
        for found in watched(root)
    ]


RECORDINGS: Mapping[str, Callable[[str | Path | None], Sequence[Recording]]] = {
    "watch": partial(_watch, watch_recordings),
    "watch-fine": partial(_watch, partial(watch_recordings, shares=FINE)),
}
"""Of the test part of data sets that were cut into windows, by their names."""


def recordings_of(dataset: Dataset, root: str | Path | None) -> Sequence[Recording]:
    """The test part as recordings.

    Parameters
    ----------
    root
        Where it was loaded from.

    Raises
    ------
    DataError
        They are images.
    """
    if dataset.name in RECORDINGS:
        return RECORDINGS[dataset.name](root)
    if as_sparse(dataset.test.images) is not None:
        assert root is not None
        with open_archive(Path(root)) as archive:
            return _tests(read_binned(archive))
    if dataset.time_steps is None:
        raise DataError(f"'{dataset.name}' holds images, which are no streams; choose events with --dataset or --data.")
    steps, split = dataset.time_steps, dataset.test
    tracks = split.labels if dataset.tracked else np.repeat(split.labels[:, np.newaxis], steps, axis=1)
    return [
        Recording(name=f"sample {number}", events=events.reshape(steps, -1), labels=track)
        for number, (events, track) in enumerate(zip(split.images, tracks, strict=True))
    ]


def recorded(
    path: Path, *, step: int | None = None, merge: bool = False
) -> tuple[tuple[int, int, int], Sequence[Recording]]:
    """Shape of the events ``(C, H, W)``, and the test part's recordings, of an ``.npz`` file of events of one's own.

    Parameters
    ----------
    path
        A file for ``--data``, or address events (`snnc.distill.data.address_events`).
    step
        Microseconds of a step of address events; None for a file that has steps.
    merge
        Let several of those events at one address in a step be one; else they are refused.

    Raises
    ------
    DataError
        It holds something else, or no recording of the test part.
    OptionError
        `step` is missing, or about nothing.
    """
    with open_archive(path) as archive:
        addresses = "x_train" not in archive and all(column in archive for column in COLUMNS)
    if not addresses:
        if step is not None or merge:
            raise OptionError(f"'{path}' has steps already: --bin and --merge are of address events; leave them out.")
        dataset = load_npz("npz", path)
        return dataset.shape, recordings_of(dataset, path)
    if step is None:
        raise OptionError(f"'{path}' holds address events: say with --bin how many microseconds a step takes.")
    binned = bin_events(path, Binning(bin=step, window=step, merge=merge))
    if not (found := _tests(binned)):
        raise DataError(f"'{path}' holds no recording of the test part (2 in part); give it one.")
    return binned.shape, found


def _tests(binned: BinnedEvents) -> Sequence[Recording]:
    return [Recording(name=name, events=steps, labels=track) for name, steps, track in binned.recordings(_TEST)]
