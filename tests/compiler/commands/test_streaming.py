"""`snnc compile --stream` and `snnc verify` of what it makes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snnc.compiler import cli
from snnc.compiler.ir.model import model_to_bytes
from tests.networks import build_graph, random_chain
from tests.streams import streaming

STREAM = streaming(random_chain((24, 9, 3), time_steps=6))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A network whose file does not say that it is for streams."""
    import dataclasses

    path = tmp_path / "model.npz"
    path.write_bytes(model_to_bytes(dataclasses.replace(STREAM, stream=False)))
    return path


def failing(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert cli.run(arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.heavy
def test_from_a_network_to_a_verified_stream(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build = tmp_path / "build"
    assert cli.run(["compile", str(model), "--stream", "--lanes", "4,3", "-o", str(build)]) == 0
    np.save(tmp_path / "own.npy", np.random.default_rng(0).integers(0, 2, (200, 24), dtype=np.uint8))
    arguments = ["--samples", "3", "--recording", str(tmp_path / "own.npy"), "--every", "3"]
    assert cli.run(["verify", str(build), *arguments]) == 0
    assert "Equal: a stream of 200 steps, 67 answers, " in capsys.readouterr().out
    result = json.loads((build / "stream" / "result.json").read_text())
    assert (result["steps"], result["answers"], result["source"]) == (200, 67, "own.npy")


def test_a_build_for_samples_has_no_stream(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build = build_graph(random_chain((24, 9, 3), time_steps=6), tmp_path / "build")
    said = failing(["verify", str(build.path), "--stream", "100"], capsys)
    assert "takes samples with an end: compile the network with --stream" in said


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        (None, "There is no file"),
        (np.zeros((9, 23), np.uint8), "has the shape (9, 23)"),
        (np.zeros((0, 24), np.uint8), "has the shape (0, 24)"),
        (np.full((9, 24), np.nan), "holds no bytes"),
        (np.full((9, 24), 3, np.uint8), "reaches 3, but an address has one event in a step"),
        (np.array([{}]), "is no array of events"),
    ],
)
def test_a_recording_that_is_none_is_one_sentence(
    stored: np.ndarray | None, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from snnc.compiler.commands.streaming import read_stream
    from snnc.compiler.errors import DataError

    if stored is not None:
        np.save(tmp_path / "own.npy", stored, allow_pickle=True)
    with pytest.raises(DataError) as raised:
        read_stream(STREAM, tmp_path / "own.npy")
    assert said in str(raised.value)


def address_events(path: Path, **changes: Any) -> Path:
    """Two test recordings of 10 and 5 steps of 100 microseconds, and one for training; 24 addresses as 2 x 3 x 4."""
    stored: dict[str, Any] = {
        "x": np.array([0, 3, 1, 2]),
        "y": np.array([0, 2, 1, 0]),
        "p": np.array([0, 1, 0, 1]),
        "t": np.array([50, 950, 0, 499]),
        "size": np.array([3, 4]),
        "offset": np.array([0, 2, 2, 4]),
        "length": np.array([1000, 300, 500]),
        "part": np.array([2, 0, 2]),
        "label": np.array([0, 1, 2]),
    }
    np.savez(path, **(stored | changes))
    return path


def test_address_events_are_a_recording(tmp_path: Path) -> None:
    from snnc.compiler.commands.streaming import read_stream
    from snnc.compiler.errors import OptionError

    path = address_events(tmp_path / "own.npz")
    events = read_stream(STREAM, path, step=100)
    assert events.shape == (15, 24)
    assert np.argwhere(events).tolist() == [[0, 0], [9, 12 + 2 * 4 + 3], [10, 1 * 4 + 1], [14, 12 + 2]]
    with pytest.raises(OptionError, match="say with --bin how many microseconds"):
        read_stream(STREAM, path)
    twice = address_events(tmp_path / "twice.npz", t=np.array([50, 950, 10, 10]), x=np.array([0, 3, 1, 1]),
                           y=np.array([0, 2, 1, 1]), p=np.array([0, 1, 0, 0]))  # fmt: skip
    assert read_stream(STREAM, twice, step=100, merge=True).sum() == 3


def test_a_file_of_samples_is_a_recording(tmp_path: Path) -> None:
    from snnc.compiler.commands.streaming import read_stream
    from snnc.compiler.errors import DataError, OptionError

    events = np.random.default_rng(0).integers(0, 2, (6, 7, 24), dtype=np.uint8)
    labels = np.arange(6) % 2
    np.savez(tmp_path / "own.npz", x_train=events, y_train=labels, x_test=events[:3], y_test=labels[:3])
    np.testing.assert_array_equal(read_stream(STREAM, tmp_path / "own.npz"), events[:3].reshape(21, 24))
    with pytest.raises(OptionError, match="has steps already"):
        read_stream(STREAM, tmp_path / "own.npz", step=10)
    with pytest.raises(DataError, match=r"holds events of 24 x 1 x 1 addresses, but .* takes 5 x 1 x 1"):
        read_stream(streaming(random_chain((5, 9, 3), time_steps=6)), tmp_path / "own.npz")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--bin", "100"], "give --recording, too"),
        (["--recording", "own.npz"], "say with --bin how many microseconds"),
        (["--recording", "none.npz"], "none.npz"),
    ],
)
def test_verify_says_what_a_recording_lacks(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    build = build_graph(STREAM, tmp_path / "build")
    address_events(tmp_path / "own.npz")
    monkeypatch.chdir(tmp_path)
    assert cli.run(["verify", str(build.path), "--samples", "1", *words]) in (1, 2)
    assert said in " ".join(capsys.readouterr().err.split())


def test_engines_that_want_all_steps_at_once_are_refused(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = failing(["compile", str(model), "--stream", "--engines", "gather", "--dry-run"], capsys)
    assert "--engines gather takes all steps of a word at once, and a stream has no last one" in said


def test_images_are_no_stream(capsys: pytest.CaptureFixture[str]) -> None:
    said = failing(["compile", "--random", "24-9-3", "--encoding", "direct", "--stream", "--dry-run"], capsys)
    assert "takes images (direct encoding), which are samples by themselves" in said


def test_a_network_that_cannot_be_bounded_is_refused_by_its_layer(capsys: pytest.CaptureFixture[str]) -> None:
    said = failing(["compile", "--random", "24-9-3", "--stream", "--dry-run"], capsys)
    assert "Layer 'hidden0' has no widths for a stream without an end" in said
    assert "--leak-shift" in said
