"""Data sets that the product makes events of: the watch, split by person, and MNIST in three saccades."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
import torch

from snnc.compiler.errors import DataError
from snnc.distill.augment import Augmentation
from snnc.distill.batches import Copies, Purpose, SparseImages
from snnc.distill.data import Dataset, Split, load
from snnc.distill.data.recordings import recordings_of
from snnc.distill.data.saccades import FIELD, TIME_STEPS, see
from snnc.distill.data.send_on_delta import SendOnDelta, encode_windows, thresholds_of
from snnc.distill.data.spoken_events import LEVELS, hear
from snnc.distill.data.watch import FINE, watch_recordings


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
    events = see(image, seed=0)[:]
    assert events.shape == (3, TIME_STEPS, 2, FIELD, FIELD)
    assert events.max() == 1
    # In the middle rows of the second saccade the camera moves right and the bar left: bright before dark.
    middle = events[0, 10:20, :, 14:20].sum(axis=(0, 2)).astype(float)
    rising, falling = (np.average(np.arange(FIELD), weights=columns) for columns in middle)
    assert 2 < falling - rising < 6
    # Without contrast there is noise alone, in a pixel of a thousand.
    dark = see(np.zeros((20, 1, 28, 28), np.uint8), seed=0)[:]
    assert 0.0008 < dark.mean() < 0.0012


def test_a_seed_says_what_the_camera_sees():
    image = np.tile(np.arange(28, dtype=np.uint8) * 9, (4, 1, 28, 1))
    assert see(image, seed=1).fingerprint() == see(image, seed=1).fingerprint()
    assert see(image, seed=1).fingerprint() != see(image, seed=2).fingerprint()
    found = hashlib.sha256(see(image, seed=1)[:].tobytes()).hexdigest()
    assert found.startswith("ba7e5e9beb83")  # the same on every machine


def test_the_camera_sees_every_third_digit_and_distorted_ones_anew(monkeypatch):
    random = np.random.default_rng(0)
    digits = random.integers(0, 256, (7, 1, 28, 28), dtype=np.uint8)
    split = Split(images=digits, labels=np.arange(7))
    whole = Dataset(name="m", shape=(1, 28, 28), classes=("0",) * 10, train=split, validation=split, test=split)
    monkeypatch.setattr("snnc.distill.data.saccades.load_idx", lambda *_, **__: whole)
    found = load("saccade-mnist")
    assert found.train.labels.tolist() == found.test.labels.tolist() == [0, 3, 6]
    first = see(digits[::3], seed=34_34)[:]
    np.testing.assert_array_equal(found.train.images[:], first)
    assert found.test.origin is None

    copies = Copies(found.train, Augmentation(shift=2), count=2, seed=0, purpose=Purpose.STUDENT_IMAGES)
    batch = torch.arange(3)
    np.testing.assert_array_equal(copies.images(0)[batch].numpy(), first)
    distorted = copies.images(1)
    assert isinstance(distorted, SparseImages)
    assert distorted.shape == first.shape
    assert not np.array_equal(distorted[batch].numpy(), first)
    np.testing.assert_array_equal(distorted[batch].numpy(), copies.images(3)[batch].numpy())


def test_whole_recordings_are_those_that_the_windows_are_cut_from(tmp_path):
    np.savez(tmp_path / "watch.npz", **recordings())
    whole = watch_recordings(tmp_path)
    assert [(one.person, one.label, len(one.events)) for one in whole[:2]] == [(8, 0, 136), (8, 1, 200)]
    assert len(whole) == 6
    watch = load("watch", tmp_path)
    np.testing.assert_array_equal(watch.test.images[2, :, :, 0, 0], whole[1].events[64:192])


def test_finer_encoders_stand_beside_each_other(tmp_path):
    np.savez(tmp_path / "watch.npz", **(stored := recordings()))
    fine = load("watch-fine", tmp_path)
    assert fine.shape == (72, 1, 1)
    signal, offset = stored["signal"], stored["offset"]
    for number, share in enumerate(FINE):
        encoder = SendOnDelta(thresholds=thresholds_of(signal[: offset[12]], share))
        events, _ = encoder.encode(signal[offset[15] : offset[16]])
        np.testing.assert_array_equal(fine.test.images[2, :, 12 * number :][:, :12, 0, 0], events[64:192])
    whole = recordings_of(fine, tmp_path)
    np.testing.assert_array_equal(fine.test.images[2, :, :, 0, 0], whole[1].events[64:192])


def test_many_windows_are_encoded_as_each_of_them():
    random = np.random.default_rng(2)
    windows = random.integers(-(2**15), 2**15, (5, 50, 3)).astype(np.int16) // random.integers(1, 40, (5, 1, 1))
    thresholds = (1, 900, 20_000)
    events = encode_windows(windows.astype(np.int16), thresholds)
    assert 0.1 < events.mean() < 0.5
    for one, window in zip(events, windows, strict=True):
        np.testing.assert_array_equal(one, SendOnDelta(thresholds=thresholds).encode(window.astype(np.int16))[0])


def test_what_a_window_of_the_watch_was_made_of_gives_its_events(tmp_path):
    np.savez(tmp_path / "watch.npz", **recordings())
    for name in ("watch", "watch-fine"):
        train = load(name, tmp_path).train
        assert train.origin is not None
        again = train.origin.code(train.origin.values, 0)
        # Where a recording begins they are the same; else an encoder began 64 samples before, not with the recording.
        starts = [0, 1]
        np.testing.assert_array_equal(again[starts], train.images[starts])
        assert (again != train.images).mean() < 0.01
        chosen = train.chosen(np.array([3, 1]))
        assert chosen.origin is not None
        np.testing.assert_array_equal(chosen.origin.values, train.origin.values[[3, 1]])


def test_a_band_speaks_at_every_level_that_it_reaches():
    maps = np.zeros((2, 1, 64, 32), np.uint8)
    maps[1, 0, 5, 7] = LEVELS[1]
    events = hear(maps)
    assert events.shape == (2, 64, len(LEVELS), 32, 1)
    assert np.argwhere(events).tolist() == [[1, 5, 0, 7, 0], [1, 5, 1, 7, 0]]


def test_spoken_events_are_spoken_digits_in_another_code(tmp_path):
    random = np.random.default_rng(0)
    np.savez(
        tmp_path / "spoken_digits_logmel.npz",
        x_train=random.integers(0, 256, (40, 1, 64, 32), dtype=np.uint8),
        y_train=np.arange(40) % 10,
        x_test=random.integers(0, 256, (10, 1, 64, 32), dtype=np.uint8),
        y_test=np.arange(10),
        classes=np.array(list("0123456789")),
    )
    images, events = load("spoken-digits", tmp_path), load("spoken-events", tmp_path)
    assert (events.shape, events.time_steps, events.classes) == ((3, 32, 1), 64, images.classes)
    for part in ("train", "validation", "test"):
        np.testing.assert_array_equal(getattr(events, part).images, hear(getattr(images, part).images))
        np.testing.assert_array_equal(getattr(events, part).labels, getattr(images, part).labels)
    assert events.train.origin is not None
    np.testing.assert_array_equal(events.train.origin.values, images.train.images)
