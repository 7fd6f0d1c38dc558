"""Spoken digits as events: one frame of log-mel bands a time step.

The maps of `spoken-digits`, 64 frames of 32 bands, in another code: every band has three addresses, and each of them
speaks in every frame in which its band is as loud as its level.  A level is a comparison with a constant, so that a
chip with a filter bank gives the same events; 22 % of the addresses speak in a frame.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from snnc.distill.data.dataset import Dataset, Origin, Pixels, Split
from snnc.distill.data.npz import load_spoken_digits

__all__ = ["LEVELS", "hear", "load_spoken_events"]

LEVELS: Final = (96, 128, 160)
"""Of a band's 8 bits."""


def load_spoken_events(name: str, root: str | Path | None) -> Dataset:
    """Events ``(64, 3, 32, 1)`` of the file that `spoken-digits` has."""
    maps = load_spoken_digits("spoken-digits", root)

    def split(part: Split) -> Split:
        return replace(part, images=hear(part.images), origin=Origin(values=part.images, code=_hear_again))

    _, frames, bands = maps.shape
    return replace(
        maps,
        name=name,
        title="spoken digits, events of log-mel bands",
        shape=(len(LEVELS), bands, 1),
        time_steps=frames,
        train=split(maps.train),
        validation=replace(maps.validation, images=hear(maps.validation.images)),
        test=replace(maps.test, images=hear(maps.test.images)),
    )


def hear(maps: Pixels) -> Pixels:
    """Events ``[N, T, level, band, 1]``, 0 or 1, of log-mel maps ``[N, 1, T, band]``."""
    levels = np.array(LEVELS, dtype=np.uint8)[:, np.newaxis]
    events: Pixels = (maps[:, 0, :, np.newaxis] >= levels).astype(np.uint8)[..., np.newaxis]
    return events


def _hear_again(maps: Pixels, seed: int) -> Pixels:
    """There is no noise to draw."""
    return hear(maps)
