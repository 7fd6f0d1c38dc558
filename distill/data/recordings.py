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

from snnc.compiler.errors import DataError
from snnc.distill.data.archives import open_archive
from snnc.distill.data.binned import read_binned
from snnc.distill.data.dataset import Dataset, Labels
from snnc.distill.data.sparse import SparseSteps, as_sparse
from snnc.distill.data.watch import FINE, watch_recordings
from snnc.distill.data.watch import Recording as _OfWatch

__all__ = ["RECORDINGS", "Recording", "recordings_of"]


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
            whole = read_binned(archive).recordings(_TEST)
        return [Recording(name=name, events=steps, labels=track) for name, steps, track in whole]
    if dataset.time_steps is None:
        raise DataError(f"'{dataset.name}' holds images, which are no streams; choose events with --dataset or --data.")
    steps, split = dataset.time_steps, dataset.test
    tracks = split.labels if dataset.tracked else np.repeat(split.labels[:, np.newaxis], steps, axis=1)
    return [
        Recording(name=f"sample {number}", events=events.reshape(steps, -1), labels=track)
        for number, (events, track) in enumerate(zip(split.images, tracks, strict=True))
    ]
