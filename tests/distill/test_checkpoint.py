"""Files: what is written is what docs/checkpoint.md says, and a good file is never lost to a bad one."""

import dataclasses
import errno
import os
import pickle

import pytest
import torch

from snnc.compiler.contract import SEMANTICS_VERSION
from snnc.compiler.errors import CheckpointError, TrainingError
from snnc.distill.checkpoint import (
    TrainingState,
    begun_config,
    check_same,
    load_state,
    read_checkpoint,
    save_state,
    student_checkpoint,
    training_file,
    write_checkpoint,
)
from snnc.distill.config import DEFAULTS, plain, restored
from snnc.distill.data import load
from snnc.distill.students import Phase, Student

CONFIG = dataclasses.replace(DEFAULTS["digits"], architecture="64-7-10")


@pytest.fixture(scope="module")
def contents():
    torch.manual_seed(0)
    student = Student(CONFIG.student)
    for phase in (Phase.TWIN, Phase.FLOAT, Phase.QUANTISED, Phase.FOLDED):
        student.enter(phase)
    return student_checkpoint(student, CONFIG, load("digits"))


def test_round_trip_through_weights_only(contents, tmp_path):
    path = tmp_path / "student.pt"
    write_checkpoint(path, contents)
    again = torch.load(path, weights_only=True)
    assert again.keys() == contents.keys()
    for key, tensor in contents["state"].items():
        assert torch.equal(again["state"][key], tensor)
    for key in contents.keys() - {"state"}:
        assert again[key] == contents[key]
    assert read_checkpoint(path).keys() == contents.keys()
    assert [p.name for p in tmp_path.iterdir()] == ["student.pt"]


def test_layout_is_the_documented_one(contents):
    assert contents["format"] == "snnc-student"
    assert (contents["version"], contents["contract"]) == (3, SEMANTICS_VERSION)
    assert contents["name"] == "digits-64-7-10"
    assert contents["input"] == {"encoding": "direct", "shape": [1, 8, 8], "bits": 4}
    assert contents["time_steps"] == 4
    hidden, readout = contents["layers"]
    assert hidden == {
        "name": "dense1",
        "shape": [7, 1, 1],
        "fraction_bits": 0,
        "neuron": {"kind": "if", "reset": "soft", "initial": "half", "leak_shift": None},
        "projections": [{"kind": "dense", "source": "input", "delay": 0, "weight_bits": 4, "pool": 1}],
    }
    assert readout["name"] == "readout"
    assert readout["neuron"] == {"kind": "readout"}
    shapes = {key: list(tensor.shape) for key, tensor in contents["state"].items()}
    assert shapes == {
        "dense1.0.weight": [7, 64],
        "dense1.step": [7],
        "dense1.norm.gain": [7],
        "dense1.norm.offset": [7],
        "dense1.norm.mean": [7],
        "dense1.norm.variance": [7],
        "dense1.norm.epsilon": [1],
        "dense1.threshold": [7],
        "readout.0.weight": [10, 7],
        "readout.step": [1],
        "readout.bias": [10],
    }
    assert all(t.is_contiguous() and t.dtype in (torch.float32, torch.float64) for t in contents["state"].values())


def test_weights_are_whole_steps(contents):
    for name in ("dense1", "readout"):
        ratio = contents["state"][f"{name}.0.weight"].double() / contents["state"][f"{name}.step"].double()[:, None]
        torch.testing.assert_close(ratio, ratio.round(), atol=1e-6, rtol=0)
        assert ratio.abs().max() <= 7 + 1e-6


def test_the_same_contents_give_the_same_bytes(contents, tmp_path):
    for name in ("one.pt", "another-name.pt"):
        write_checkpoint(tmp_path / name, contents)
    assert (tmp_path / "one.pt").read_bytes() == (tmp_path / "another-name.pt").read_bytes()


def test_a_full_disk_leaves_the_good_file(contents, tmp_path, monkeypatch):
    path = tmp_path / "student.pt"
    path.write_bytes(b"good")

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TrainingError, match="No space left"):
        write_checkpoint(path, contents)
    assert path.read_bytes() == b"good"
    assert [p.name for p in tmp_path.iterdir()] == ["student.pt"]


class Bomb:
    def __reduce__(self):
        return print, ("executed",)


@pytest.mark.parametrize("make", ["missing", "truncated", "foreign", "code", "list", "version"])
def test_bad_files_are_refused_by_name(make, contents, tmp_path, capsys):
    path = tmp_path / "student.pt"
    match make:
        case "truncated":
            write_checkpoint(path, contents)
            path.write_bytes(path.read_bytes()[:-500])
        case "foreign":
            path.write_bytes(b"\x7fELF" + bytes(100))
        case "code":
            path.write_bytes(pickle.dumps(Bomb(), protocol=2))
        case "list":
            torch.save([1, 2], path)
        case "version":
            write_checkpoint(path, contents | {"version": 7})
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path)
    assert str(path) in str(caught.value)
    assert "executed" not in capsys.readouterr().out


def test_a_run_resumes_with_its_own_options_only(tmp_path):
    path = training_file(tmp_path / "student.pt")
    assert path.name == "student.training.pt"
    save_state(path, TrainingState(config=plain(CONFIG), stage="float", epoch=3))
    state = load_state(path)
    assert state.epoch == 3
    assert plain(begun_config(path, state)) == plain(CONFIG)
    check_same(path, state, CONFIG)
    for change, message in (
        ({"time_steps": 2}, "time-steps = 4, but now it is 2"),
        ({"learning_rate": 1e-5}, "learning-rate = 0.005, but now it is 1e-05"),
        ({"data": "another"}, "data = , but now it is another"),
    ):
        with pytest.raises(CheckpointError, match=message):
            check_same(path, state, dataclasses.replace(CONFIG, **change))


def test_options_of_another_version_are_no_run_to_go_on_with(tmp_path):
    state = TrainingState(config=plain(CONFIG) | {"spin": 1})
    with pytest.raises(CheckpointError, match="does not have"):
        begun_config(tmp_path / "student.training.pt", state)


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_plain_configuration_is_restored(name):
    values = plain(DEFAULTS[name])
    assert plain(restored(values)) == values


def test_a_student_is_no_training_run(contents, tmp_path):
    path = tmp_path / "student.training.pt"
    write_checkpoint(path, contents)
    with pytest.raises(CheckpointError, match="not the state of a training run"):
        load_state(path)
    with pytest.raises(CheckpointError, match="no training run at"):
        load_state(tmp_path / "none.pt")
