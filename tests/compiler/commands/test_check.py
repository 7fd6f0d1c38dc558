"""`snnc check`: what it prints and its exit status."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from snnc.compiler.cli import run
from tests.foreign import integers, written

nir = pytest.importorskip("nir")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    g, ones = np.random.default_rng(0), np.ones(4)
    return written(
        tmp_path / "net.nir",
        {
            "input": nir.Input({"input": np.array([5])}),
            "fc\x1b[2J": nir.Linear(integers(g, 4, 5)),
            "lif": nir.LIF(tau=4 * ones, r=4 * ones, v_leak=0 * ones, v_threshold=ones, v_reset=0 * ones),
            "output": nir.Output({"output": np.array([4])}),
        },
        [("input", "fc\x1b[2J"), ("fc\x1b[2J", "lif"), ("lif", "output")],
    )


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        (["--dt", "1"], 0, "LIF, leak 1 - 2^-2, hard reset, fires at > 1."),
        (["--dt", "1", "--reset", "late"], 0, "subtracted in the next step"),
        (["--dt", "0.8"], 1, "1 - 2^-2 = 0.75 of the membrane instead of 0.8: 0.05 off"),
        (["--dt", "0.8", "--exact"], 2, "Train with 0.75"),
        (["--dt", "8"], 2, "a step leaves -1 of the membrane"),
    ],
)
def test_exit_status_and_sentence(
    file: Path, options: list[str], status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["check", str(file), *options]) == status
    text = capsys.readouterr().out
    assert said in text
    assert "(--comparison)" in text
    assert "\x1b" not in text


def test_json_says_the_same(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", str(file), "--dt", "1", "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["verdict"] == "exact"
    assert [node["verdict"] for node in value["nodes"]] == ["exact"] * 4
    assert {item["option"] for item in value["assumptions"]} >= {"dt", "reset", "encoding"}


def test_what_cannot_be_read_counts_as_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "net.nir"
    path.write_bytes(b"nothing")
    assert run(["check", str(path)]) == 2
    assert "cannot be read as HDF5" in capsys.readouterr().err
    assert run(["check", str(path), "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["verdict"] == "refused"
    assert run(["check", str(tmp_path / "net.tflite")]) == 2


def test_a_missing_option_is_no_verdict(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", str(file)]) == 1
    assert "--dt" in capsys.readouterr().err


def test_compile_reads_it_and_seals_what_was_assumed(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "build"
    options = ["--dt", "1", "--reset", "late", "--time-steps", "7", "--weight-bits", "4"]
    assert run(["compile", str(file), *options, "-o", str(folder)]) == 0
    source = json.loads((folder / "manifest.json").read_text())["source"]
    assert "(dt 1.0, reset late, comparison >" in source
    assert "time_steps 7" in source
    with np.load(folder / "model.npz") as model:
        assert len(model.files) > 3
    assert run(["compile", str(file), "--encoding", "direct", "--dry-run", "--dt", "1"]) == 0
    capsys.readouterr()
    assert run(["compile", "--random", "8-4-2", "--reset", "late", "-o", str(folder)]) == 2
    assert "--reset belongs to .nir and .onnx files" in capsys.readouterr().err


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    g = np.random.default_rng(1)
    images, labels = g.integers(0, 256, (80, 5, 1, 1), dtype=np.uint8), np.arange(80) % 4
    path = tmp_path / "samples.npz"
    np.savez(path, x_train=images, y_train=labels, x_test=images, y_test=labels, classes=np.array(list("abcd")))
    return path


def test_both_networks_on_samples(file: Path, samples: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--dt", "1", "--samples", str(samples), "--fraction-bits", "12", "--weight-bits", "4"]
    assert run(["check", str(file), *options, "--count", "60"]) == 0
    text = capsys.readouterr().out
    assert "On 60 samples, 10 steps: 100.00% get the same class" in text
    assert "lif: 0.000% of 2,400 spikes and silences differ" in text
    # A leak that has no shift is refitted, and here is what that does.
    assert run(["check", str(file), *options, "--dt", "0.6", "--json"]) == 1
    value = json.loads(capsys.readouterr().out)["samples"]
    (layer,) = value["layers"]
    assert value["samples"] == 80
    assert layer["differing"] == round(sum(layer["over_time"]) * 80 * 4)
    assert 0 < layer["differing"] < layer["compared"] == 80 * 10 * 4
    assert max(layer["over_time"][5:]) > layer["over_time"][0]
    assert len(value["classes_over_time"]) == 10
    assert all(0.9 <= share <= 1 for share in value["classes_over_time"])


def test_too_few_classes_that_agree_are_no_success(
    file: Path, samples: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # One bit of weight: every node is exact, and the network another one.
    options = ["--dt", "1", "--samples", str(samples), "--weight-bits", "1"]
    assert run(["check", str(file), *options]) == 1
    assert run(["check", str(file), *options, "--agreement", "10"]) == 0
    capsys.readouterr()


def test_samples_of_our_own_files(repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    student = repository / "examples" / "students" / "digits-64-32-10-int4.pt"
    assert run(["check", str(student), "--samples", "digits", "--agreement", "90"]) == 0
    assert "of 25,600 spikes and silences differ" in capsys.readouterr().out
    sealed = tmp_path / "model.npz"
    assert run(["export", str(student), str(sealed)]) == 0
    assert run(["check", str(sealed), "--samples", "digits"]) == 1
    assert "holds integers alone" in capsys.readouterr().err
    assert run(["check", str(student), "--samples", "mnist", "--data", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("snnc: error: ")
