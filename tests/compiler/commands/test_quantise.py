"""`snnc quantise` and `Network.quantise`: what they say, write and refuse."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import snnc
from snnc.compiler.cli import run
from snnc.compiler.errors import DataError, OptionError
from snnc.compiler.ir.model import load_model, model_hash
from snnc.distill.data import load


@pytest.fixture
def student(repository: Path) -> Path:
    return repository / "examples" / "students" / "digits-64-32-10-int4.pt"


def test_three_bits(student: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = tmp_path / "new.npz"
    assert run(["quantise", str(student), "--samples", "200", "--weight-bits", "3", "-o", str(new)]) == 0
    said = capsys.readouterr().out
    found = re.search(r"([\d.]+)% in floats, ([\d.]+)% by plain rounding, ([\d.]+)% calibrated", said)
    assert found is not None
    floats, plain, calibrated = map(float, found.groups())
    assert plain < calibrated <= floats + 1
    assert "calibrated on 200 samples" in said
    assert "The doctor, plain rounding: " in said
    graph = load_model(new)
    assert {item.bits for item in graph.projections if hasattr(item, "bits")} == {3}
    assert model_hash(graph)[:16] in said
    # Python gives the same.
    network = snnc.load(student).quantise(load("digits").train.images, weight_bits=3, samples=200)
    assert network.hash == model_hash(graph)
    assert network.trained is not None
    assert (network.run(load("digits").test.images, record=False).classes == load("digits").test.labels).mean() > 0.9


def test_what_it_refuses(student: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sealed = tmp_path / "model.npz"
    snnc.load(student).export(sealed)
    assert run(["quantise", str(sealed), "-o", str(tmp_path / "new.npz")]) == 1
    assert "of integers already" in capsys.readouterr().err
    assert run(["quantise", str(student), "-o", str(tmp_path / "new.pt")]) == 1
    assert "no format that is written" in capsys.readouterr().err
    assert not (tmp_path / "new.npz").exists()
    with pytest.raises(OptionError, match="of integers already"):
        snnc.load(sealed).quantise(load("digits").train.images)
    with pytest.raises(DataError, match="64 samples and 3 labels"):
        snnc.load(student).quantise(load("digits").train.images[:64], np.arange(3), epochs=1)


@pytest.mark.heavy
def test_it_trains_further_by_itself(student: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = tmp_path / "new.npz"
    options = ["--samples", "200", "--weight-bits", "2", "--finetune", "3", "-o", str(new)]
    assert run(["quantise", str(student), *options]) == 0
    assert "% fine-tuned" in capsys.readouterr().out
    network = snnc.load(student).quantise(load("digits").train.images, weight_bits=2, samples=200, epochs=2)
    assert (network.run(load("digits").test.images, record=False).classes == load("digits").test.labels).mean() > 0.85
