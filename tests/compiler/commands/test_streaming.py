"""`snnc compile --stream` and `snnc verify` of what it makes."""

from __future__ import annotations

import json
from pathlib import Path

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
