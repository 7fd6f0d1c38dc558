"""Data sets that the product makes events of: the watch, split by person, and MNIST in three saccades."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest

from snnc.compiler.errors import DataError
from snnc.distill.data import load
from snnc.distill.data.saccades import FIELD, TIME_STEPS, see
from snnc.distill.data.send_on_delta import SendOnDelta, thresholds_of
from snnc.distill.data.watch import watch_recordings


def recordings(**changes: Any) -> dict[str, Any]:
    """Ten people, two recordings each, of two classes; person p's first takes 128 + p samples."""
    random = np.random.default_rng(0)
    lengths = np.array([128 + person if turn == 0 else 200 for person in range(1, 11) for turn in (0, 1)])
    whole = {
        "signal": random.integers(-2000, 2000, (lengths.sum(), 6), dtype=np.int16),
        "offset": np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32),
        "person": np.repeat(np.arange(1, 11), 2),
        "label": np.tile([0, 1], 10),
        "classes": np.array(["A", "B"]),
    }
    return whole | changes


def test_the_watch_is_split_by_person(tmp_path):
    stored = recordings()
    np.savez(tmp_path / "watch.npz", **stored)
    watch = load("watch", tmp_path)
    assert (watch.shape, watch.time_steps, watch.classes) == ((12, 1, 1), 128, ("A", "B"))
    # Of each person a recording of one window and one of two (200 samples: 0 .. 127 and 64 .. 191).
    assert [len(split) for split in (watch.train, watch.validation, watch.test)] == [18, 3, 9]
    assert watch.train.labels.tolist() == [0, 1, 1] * 6
    signal, offset = stored["signal"], stored["offset"]
    encoder = SendOnDelta(thresholds=thresholds_of(signal[: offset[12]], 0.25))
    events, _ = encoder.encode(signal[offset[15] : offset[16]])  # person 8's second
    np.testing.assert_array_equal(watch.test.images[2, :, :, 0, 0], events[64:192])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"signal": np.zeros((3330, 5), np.int16)}, "5 channels"),
        ({"signal": np.zeros((3330, 6), np.int32)}, "integers of at most 2 bytes"),
        ({"offset": np.array([0, 100, 200])}, "does not divide"),
        ({"person": np.ones(3, int)}, "one number for each of 20"),
        ({"person": np.ones(20, int)}, "validation part"),
        ({"label": np.full(20, 2)}, "class 2"),
    ],
)
def test_a_watch_file_that_is_wrong_is_refused(tmp_path, changes, message):
    np.savez(tmp_path / "watch.npz", **recordings(**changes))
    with pytest.raises(DataError, match=message):
        load("watch", tmp_path)


def test_a_watch_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(DataError, match=r"holds watch\.npz"):
        load("watch", tmp_path)


def test_a_bar_that_the_camera_passes_is_seen_at_its_edges():
    image = np.zeros((3, 1, 28, 28), np.uint8)
    image[:, :, :, 12:16] = 255
    events = see(image, seed=0)
    assert events.shape == (3, TIME_STEPS, 2, FIELD, FIELD)
    assert events.max() == 1
    # In the middle rows of the second saccade the camera moves right and the bar left: bright before dark.
    middle = events[0, 10:20, :, 14:20].sum(axis=(0, 2)).astype(float)
    rising, falling = (np.average(np.arange(FIELD), weights=columns) for columns in middle)
    assert 2 < falling - rising < 6
    # Without contrast there is noise alone, in a pixel of a thousand.
    dark = see(np.zeros((20, 1, 28, 28), np.uint8), seed=0)
    assert 0.0008 < dark.mean() < 0.0012


def test_a_seed_says_what_the_camera_sees():
    image = np.tile(np.arange(28, dtype=np.uint8) * 9, (4, 1, 28, 1))
    assert np.array_equal(see(image, seed=1), see(image, seed=1))
    assert not np.array_equal(see(image, seed=1), see(image, seed=2))
    found = hashlib.sha256(see(image, seed=1).tobytes()).hexdigest()
    assert found.startswith("ba7e5e9beb83")  # the same on every machine


def test_whole_recordings_are_those_that_the_windows_are_cut_from(tmp_path):
    np.savez(tmp_path / "watch.npz", **recordings())
    whole = watch_recordings(tmp_path)
    assert [(one.person, one.label, len(one.events)) for one in whole[:2]] == [(8, 0, 136), (8, 1, 200)]
    assert len(whole) == 6
    watch = load("watch", tmp_path)
    np.testing.assert_array_equal(watch.test.images[2, :, :, 0, 0], whole[1].events[64:192])
