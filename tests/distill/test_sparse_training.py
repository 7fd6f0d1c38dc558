"""A training on lists of spikes is the training on the arrays that they stand for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from snnc.compiler import cli
from snnc.distill.batches import SparseImages, as_images
from snnc.distill.data import load
from tests.distill.test_address_events import columns, save

BIN = 100


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """The same samples as lists and as arrays; what is seen of a class are its columns."""
    stored = columns(count=90, recordings=48)
    label = np.repeat(stored["label"], np.diff(stored["offset"]))
    stored["x"] = (stored["x"] // 2 * 2 + label).astype(np.uint16)
    raw, sparse, dense = (tmp_path / name for name in ("raw.npz", "own.npz", "arrays.npz"))
    save(raw, stored)
    options = ["--bin", str(BIN), "--window", str(5 * BIN), "--merge"]
    assert cli.run(["events", str(raw), *options, "-o", str(sparse)]) == 0
    mine = load("npz", sparse)
    arrays: dict[str, Any] = {"classes": np.array(mine.classes)}
    for name, split in (("train", mine.train), ("validation", mine.validation), ("test", mine.test)):
        arrays |= {f"x_{name}": split.images[:], f"y_{name}": split.labels}
    save(dense, arrays)
    return sparse, dense


@pytest.mark.parametrize(
    "options",
    [
        ["--loss", "kdsnn-response", "--teacher", "mlp", "--teacher-epochs", "2", "--twin-epochs", "1"],
        ["--loss", "twkd", "--every", "2", "--teacher-epochs", "0", "--stage-teacher", "previous", "--labelled", "0.5"],
    ],
)
def test_lists_train_as_the_arrays_that_they_are(options: list[str], two: tuple[Path, Path], tmp_path: Path) -> None:
    found = []
    for number, path in enumerate(two):
        output = tmp_path / f"{number}.pt"
        words = ["--architecture", "2x3x4-4c3-2", "--epochs", "3", "--batch-size", "8", *options]
        assert cli.run(["distill", "--data", str(path), *words, "-o", str(output)]) == 0
        found.append(torch.load(output, weights_only=True))
    sparse, dense = found
    assert sparse["metrics"] == dense["metrics"]
    assert {key: value.tolist() for key, value in sparse["state"].items()} == {
        key: value.tolist() for key, value in dense["state"].items()
    }


def test_batches_are_tensors(two: tuple[Path, Path]) -> None:
    sparse, dense = (load("npz", path).train.images for path in two)
    lists, tensor = as_images(sparse), as_images(dense)
    assert isinstance(lists, SparseImages)
    assert isinstance(tensor, torch.Tensor)
    order = torch.tensor([3, 0, 5])
    assert torch.equal(lists[order], tensor[order])
    assert torch.equal(torch.cat(list(lists.split(7))), tensor)


def test_large_samples_are_expanded_a_few_at_a_time(two: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    lists, tensor = (as_images(load("npz", path).train.images) for path in two)
    values = tensor[torch.tensor([0])].numel()
    assert [len(part) for part in lists.split(16)] == [16, 8]
    monkeypatch.setattr("snnc.distill.batches._VALUES", 5 * values + 1)
    parts = list(lists.split(16))
    assert [len(part) for part in parts] == [5, 5, 5, 5, 4]
    assert torch.equal(torch.cat(parts), torch.cat(list(tensor.split(16))))


def test_the_whole_way(two: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sparse, dense = two
    student = tmp_path / "own.pt"
    words = ["--architecture", "2x3x4-4c3-2", "--leak-shift", "2", "--epochs", "3", "--teacher-epochs", "0"]
    assert cli.run(["distill", "--data", str(sparse), *words, "-o", str(student)]) == 0
    capsys.readouterr()
    for options in ([], ["--every", "2"], ["--every", "5", "--stream"]):
        assert cli.run(["evaluate", str(student), "--data", str(sparse), *options, "-o", str(tmp_path / "o")]) == 0
        out = capsys.readouterr().out
        if "--stream" not in options:
            assert cli.run(["evaluate", str(student), "--data", str(dense), *options, "-o", str(tmp_path / "o")]) == 0
            assert out.splitlines()[1:] == capsys.readouterr().out.splitlines()[1:]
    assert (
        cli.run(["distill", "--data", str(sparse), *words, "--copies", "2", "--augment", "shift=1", "-o", str(student)])
        == 1
    )
    assert "not distorted" in capsys.readouterr().err


def test_nothing_is_written_of_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = save(tmp_path / "raw.npz", columns(several=True))
    options = ["--bin", "100", "--window", "500"]
    for output, words in ((tmp_path / "a.npz", options), (tmp_path / "a.dat", [*options, "--merge"])):
        assert cli.run(["events", str(raw), *words, "-o", str(output)]) == 1
        assert len(capsys.readouterr().err.splitlines()) == 1
        assert not output.exists()
    assert cli.run(["events", str(tmp_path / "none.npz"), *options, "-o", str(tmp_path / "a.npz")]) == 1
    assert "none.npz cannot be read" in capsys.readouterr().err
