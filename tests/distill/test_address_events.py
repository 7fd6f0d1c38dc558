"""Address events in steps: against arrays that are filled event by event, and every way in which a file is wrong."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snnc.compiler.errors import DataError
from snnc.distill.data import address_events, load
from snnc.distill.data.address_events import Binning, bin_events
from snnc.distill.data.archives import open_archive
from snnc.distill.data.binned import read_binned
from snnc.distill.data.recordings import recordings_of
from snnc.distill.data.sparse import as_sparse

SIZE = (3, 4)
BIN, WINDOW = 100, 500
STEPS = WINDOW // BIN


def columns(
    seed: int = 0, *, count: int = 400, recordings: int = 6, several: bool = False, **changes: Any
) -> dict[str, Any]:
    """Recordings of 3 x 4 pixels and two polarities; no address speaks twice in a step, unless `several`."""
    random = np.random.default_rng(seed)
    parts: list[np.ndarray] = []
    for _ in range(recordings):
        rows = np.column_stack(
            [random.integers(0, most, count) for most in (SIZE[1], SIZE[0], 2, int(random.integers(3, 16)) * BIN)]
        )
        rows = rows[np.argsort(rows[:, 3], kind="stable")]
        if not several:
            keys = np.column_stack([rows[:, :3], rows[:, 3] // BIN])
            rows = rows[np.sort(np.unique(keys, axis=0, return_index=True)[1])]
        parts.append(rows)
    whole = np.concatenate(parts)
    stored: dict[str, Any] = {
        "x": whole[:, 0].astype(np.uint16),
        "y": whole[:, 1].astype(np.uint16),
        "p": whole[:, 2].astype(np.uint8),
        "t": whole[:, 3].astype(np.int64),
        "size": np.array(SIZE),
        "offset": np.cumsum([0, *map(len, parts)]),
        "part": np.arange(recordings) % 3,
        "label": np.arange(recordings) % 2,
        "classes": np.array(["still", "moving"]),
    }
    return {name: values for name, values in (stored | changes).items() if values is not None}


def save(path: Path, stored: dict[str, Any]) -> Path:
    np.savez_compressed(path, **stored)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.npz"


def filled(stored: dict[str, Any], recording: int) -> np.ndarray:
    """``[time, C, H, W]``, one event at a time."""
    begin, end = stored["offset"][recording : recording + 2]
    times = stored["t"][begin:end] // BIN
    found = np.zeros((int(times[-1]) + 1, 2, *SIZE), np.uint8)
    for x, y, p, step in zip(
        stored["x"][begin:end], stored["y"][begin:end], stored["p"][begin:end], times, strict=True
    ):
        found[step, p, y, x] = 1
    return found


@pytest.mark.parametrize("piece", [1, 7, 1 << 18])
@pytest.mark.parametrize("seed", range(3))
def test_steps_are_those_of_arrays(seed: int, piece: int, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address_events, "_PIECE", piece)
    stored = columns(seed, count=60)
    seen: list[tuple[int, int]] = []
    found = bin_events(save(path, stored), Binning(bin=BIN, window=WINDOW), progress=lambda *done: seen.append(done))
    assert seen[-1] == (len(stored["t"]), len(stored["t"]))
    for recording in range(6):
        wanted = filled(stored, recording)
        begin, end = found.recording[recording : recording + 2]
        np.testing.assert_array_equal(found.steps[int(begin) : int(end)].reshape(-1, 2, *SIZE), wanted)
    assert len(found.steps.address) == len(stored["t"])  # each is told once
    for begin, end in pairwise(found.steps.start):
        assert (np.diff(found.steps.address[begin:end].astype(int)) > 0).all()


def test_the_file_comes_back_and_is_a_data_set(path: Path, tmp_path: Path) -> None:
    stored = columns()
    binned = bin_events(save(path, stored), Binning(bin=BIN, window=WINDOW))
    steps = tmp_path / "steps.npz"
    steps.write_bytes(binned.to_bytes())
    mine = load("npz", steps)
    assert (mine.name, mine.title, mine.shape, mine.time_steps) == ("npz", "steps", (2, *SIZE), STEPS)
    assert mine.classes == ("still", "moving")
    assert not mine.tracked
    wanted = []
    for recording in (0, 3):
        whole = filled(stored, recording)
        count = max(1, len(whole) // STEPS)
        padded = np.concatenate([whole, np.zeros((STEPS, *whole.shape[1:]), np.uint8)])
        wanted += [padded[STEPS * n : STEPS * (n + 1)] for n in range(count)]
    np.testing.assert_array_equal(mine.train.images[:], wanted)
    np.testing.assert_array_equal(mine.train.images[np.array([1, 0])], [wanted[1], wanted[0]])
    sparse = as_sparse(mine.train.chosen(np.array([1])).images)
    assert sparse is not None
    np.testing.assert_array_equal(sparse[:], [wanted[1]])
    assert len(mine.train.labels) == len(wanted)
    assert mine.digest() == load("npz", steps).digest()
    other = bin_events(save(path, columns(1)), Binning(bin=BIN, window=WINDOW))
    steps.write_bytes(other.to_bytes())
    assert mine.digest() != load("npz", steps).digest()


def test_a_short_recording_is_followed_by_silence_and_not_by_the_next(path: Path) -> None:
    t, zero = np.array([0, 250, 10, 30, 20, 40, 60]), np.zeros(7, np.int64)
    stored = {"x": zero, "y": zero, "p": zero, "t": t, "size": np.array([1, 1, 1]), "offset": np.array([0, 2, 4, 7])}
    stored |= {"part": np.array([0, 1, 2]), "label": np.array([0, 1, 1])}
    mine = bin_events(save(path, stored), Binning(bin=100, window=500, merge=True)).dataset("npz", path)
    assert mine.train.images[:].ravel().tolist() == [1, 0, 1, 0, 0]
    assert mine.validation.images[:].ravel().tolist() == [1, 0, 0, 0, 0]


def test_the_silence_behind_a_short_recording_is_not_counted(path: Path) -> None:
    zero = np.zeros(3, np.int64)
    stored: dict[str, Any] = {
        "x": zero,
        "y": zero,
        "p": zero,
        "t": np.array([250, 20, 40]),
        "size": np.array([1, 1, 1]),
    }
    stored |= {"offset": np.arange(4), "part": np.arange(3), "label": np.array([1, 0, 0]), "label_t": zero}
    stored |= {"label_offset": np.arange(4)}
    mine = bin_events(save(path, stored), Binning(bin=100, window=500)).dataset("npz", path)
    assert mine.train.labels.tolist() == [[1, 1, 1, -1, -1]]
    assert mine.test.labels.tolist() == [[0, -1, -1, -1, -1]]


def test_labels_of_stretches_of_time_become_labels_of_steps(path: Path, tmp_path: Path) -> None:
    stretches: dict[str, Any] = {"label": np.array([1, 0, -1, 1, 0, 1]), "label_t": np.array([0, 150, 400, 200, 0, 0])}
    stored = columns(recordings=4, length=np.array([700, 600, 500, 500]), part=np.array([0, 0, 1, 2]), **stretches)
    keep = np.ones(len(stored["t"]), bool)
    for recording, length in enumerate(stored["length"]):
        begin, end = stored["offset"][recording : recording + 2]
        keep[begin:end] = stored["t"][begin:end] < length
    offset = np.concatenate(
        [[0], np.cumsum([keep[a:b].sum() for a, b in zip(stored["offset"], stored["offset"][1:], strict=False)])]
    )
    stored |= {name: stored[name][keep] for name in "xypt"}
    stored |= {"offset": offset, "label_offset": np.array([0, 3, 4, 5, 6])}
    binned = bin_events(save(path, stored), Binning(bin=BIN, window=WINDOW))
    assert np.diff(binned.recording).tolist() == [7, 6, 5, 5]
    steps = tmp_path / "steps.npz"
    steps.write_bytes(binned.to_bytes())
    mine = load("npz", steps)
    assert mine.tracked
    # Step 1 begins at 100, when 1 still holds; step 2 at 200. Before the first label nothing is counted.
    assert mine.train.labels.tolist() == [[1, 1, 0, 0, -1], [-1, -1, 1, 1, 1]]
    (whole,) = recordings_of(mine, steps)
    assert (len(whole), whole.labels.tolist()) == (5, [1] * 5)
    np.testing.assert_array_equal(np.asarray(whole.events[0:5]), mine.test.images[:].reshape(5, -1))


@pytest.mark.parametrize("piece", [1, 1 << 18])
def test_several_events_of_an_address_are_one_on_request_alone(
    piece: int, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(address_events, "_PIECE", piece)
    stored = columns(several=True)
    with pytest.raises(
        DataError, match=r"has \d+ events in the step at .* s of recording \d, .*smaller --bin, .*--merge"
    ):
        bin_events(save(path, stored), Binning(bin=BIN, window=WINDOW))
    merged = bin_events(path, Binning(bin=BIN, window=WINDOW, merge=True))
    np.testing.assert_array_equal(merged.steps[0 : int(merged.recording[1])].reshape(-1, 2, *SIZE), filled(stored, 0))


def swapped(values: np.ndarray) -> np.ndarray:
    """The times of two events in the wrong order."""
    place = int(np.flatnonzero(np.diff(values[:100]) > 0)[3])
    changed = values.copy()
    changed[[place, place + 1]] = values[[place + 1, place]]
    return changed


GOOD = columns()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"t": swapped(GOOD["t"])},
            r"the time of event \d+ is \d+ microseconds, before the \d+ of the one ahead of it",
        ),
        ({"t": GOOD["t"] - 1000}, r"the time of event 0 is -\d+ microseconds, before the 0"),
        ({"x": GOOD["x"] + 1}, r"event \d+ has x = 4, but by size it is 0 to 3"),
        ({"y": GOOD["y"].astype(int) - 1}, r"event \d+ has y = -1, but by size it is 0 to 2"),
        ({"p": GOOD["p"] * 2}, r"event \d+ has p = 2, but by size it is 0 to 1"),
        ({"t": np.where(GOOD["t"] < 0, 0, np.nan)}, "t holds '<f8' .floats."),
        ({"x": GOOD["x"].astype(float)}, "x holds '<f8'"),
        ({"x": GOOD["x"][:-1]}, r"x holds [\d,]+ rows, but t [\d,]+; they must be equal"),
        ({"p": None}, "holds no array called p"),
        ({"size": None}, "holds no array called size"),
        ({"size": np.array([3])}, r"size is \[3\], but a height and a width"),
        ({"size": np.array([0, 4])}, "size is"),
        ({"size": np.array([2, 1 << 20, 1 << 20])}, "size is"),
        ({"offset": GOOD["offset"] + 1}, "offset does not divide"),
        ({"offset": GOOD["offset"][:-1]}, "offset does not divide"),
        ({"part": np.array([0, 1, 2, 3, 0, 1])}, "part must be 0, 1 or 2"),
        ({"part": np.zeros(5, int)}, "part must be 0, 1 or 2"),
        ({"label": np.zeros(5, int)}, "holds 5 labels for 6 recordings; give one for each, or label_t"),
        ({"label": np.arange(6) - 1}, "holds the class -1; labels are from 0 on"),
        ({"label": np.arange(6)}, "holds the class 5, but there are 2 classes only"),
        ({"label_t": np.zeros(6, int)}, "holds 6 labels for 6 recordings; .* label_offset"),
        (
            {
                "label_t": np.array([0, 5, 3, 0, 0, 0, 0, 0]),
                "label": np.zeros(8, int),
                "label_offset": np.array([0, 3, 4, 5, 6, 7, 8]),
            },
            "label_t runs backwards",
        ),
        ({"label_t": np.zeros(5, int), "label_offset": np.arange(7)}, "holds 6 labels, but 5 times in label_t"),
        ({"length": np.full(6, 300)}, r"recording \d has an event after \d+ microseconds, but takes 300"),
        ({"length": np.zeros(6, int)}, "length must say the microseconds"),
        (
            {"t": GOOD["t"] + (np.arange(len(GOOD["t"])) == len(GOOD["t"]) - 1) * 10**15},
            "more than 134,217,728 steps of 100",
        ),
        ({"t": GOOD["t"].astype(np.uint64) + np.uint64(2**63)}, r"t holds \d+, more than 2\^63 - 1"),
    ],
)
def test_what_cannot_be_is_one_sentence(changes: dict[str, Any], message: str, path: Path) -> None:
    with pytest.raises(DataError, match=message) as caught:
        bin_events(save(path, columns(**changes)), Binning(bin=BIN, window=WINDOW))
    assert "\n" not in str(caught.value)


def test_steps_and_windows_that_do_not_go_together_are_refused() -> None:
    for step, window in ((100, 150), (100, 50), (0, 100)):
        with pytest.raises(DataError, match="no whole number of steps"):
            Binning(bin=step, window=window)


def test_a_part_without_a_recording_is_named(path: Path) -> None:
    binned = bin_events(save(path, columns(part=np.array([0, 0, 0, 2, 2, 2]))), Binning(bin=BIN, window=WINDOW))
    with pytest.raises(DataError, match=r"no recording of the validation part \(1 in part\)"):
        binned.dataset("npz", path)


def test_events_that_are_not_in_steps_yet_say_how(path: Path) -> None:
    with pytest.raises(DataError, match=r"snnc events .* --bin MICROSECONDS --window MICROSECONDS"):
        load("npz", save(path, columns()))


@pytest.mark.parametrize(
    "changes",
    [
        {"address": np.full(10, 99, np.uint32)},
        {"start": np.array([0, 3, 1, 10])},
        {"recording": np.array([0, 9])},
        {"window": np.array([0])},
        {"shape": np.array([1, 2])},
        {"label": np.array([0, 1])},
        {"part": np.array([5])},
    ],
)
def test_steps_that_were_edited_are_refused(changes: dict[str, Any], path: Path) -> None:
    good: dict[str, Any] = {
        "address": np.arange(10, dtype=np.uint32) % 4,
        "start": np.array([0, 3, 5, 10]),
        "recording": np.array([0, 3]),
        "part": np.array([0]),
        "label": np.array([0]),
        "tracks": np.array([0]),
        "window": np.array([3]),
        "bin": np.array([100]),
        "shape": np.array([1, 2, 2]),
    }
    with open_archive(save(path, good)) as archive:
        read_binned(archive)
    with (
        open_archive(save(path, good | changes)) as archive,
        pytest.raises(DataError, match="not what snnc events writes"),
    ):
        read_binned(archive)


def test_a_long_recording_is_never_expanded(path: Path) -> None:
    """100,000 steps of 65,536 addresses would take 6.6 GB as an array."""
    random = np.random.default_rng(0)
    count = 200_000
    stored: dict[str, Any] = {
        "x": random.integers(0, 256, count).astype(np.uint16),
        "y": random.integers(0, 128, count).astype(np.uint16),
        "p": random.integers(0, 2, count).astype(np.uint8),
        "t": np.sort(random.integers(0, 10**8, count)),
        "size": np.array([128, 256]),
        "offset": np.array([0, 100_000, 150_000, count]),
        "part": np.arange(3),
        "label": np.arange(3) % 2,
    }
    begins = stored["offset"][:-1]
    stored["t"] = stored["t"] - np.repeat(stored["t"][begins], np.diff(stored["offset"]))
    save(path, stored)
    tracemalloc.start()
    binned = bin_events(path, Binning(bin=1000, window=100_000, merge=True))
    mine = binned.dataset("npz", path)
    few = mine.train.images[:2]
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert few.shape == (2, 100, 2, 128, 256)
    assert len(binned.steps) > 95_000
    assert most < 64 * 2**20
