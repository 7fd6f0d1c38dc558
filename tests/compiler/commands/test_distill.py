"""``snnc distill`` as its user meets it."""

import hashlib
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from snnc.compiler.commands import distill as commands
from snnc.compiler.commands import training
from snnc.compiler.commands.distill import distill
from snnc.compiler.errors import CheckpointError, DataError, InterruptedRun, OptionError
from snnc.distill.data import load

QUICK = ["--architecture", "64-6-10", "--epochs", "3", "--teacher-epochs", "1", "--teacher", "mlp", "--copies", "1"]


def invoke(*arguments):
    return CliRunner().invoke(distill, [*QUICK, *map(str, arguments)])


def test_it_writes_a_student_and_says_how_good_it_is(tmp_path):
    output = tmp_path / "student.pt"
    result = invoke("-o", output, "--seed", 3, "--weight-bits", 3, "--reset", "hard")
    assert result.exception is None
    contents = torch.load(output, weights_only=True)
    assert contents["config"]["seed"] == 3
    assert contents["layers"][0]["projections"][0]["weight_bits"] == 3
    assert contents["layers"][0]["neuron"]["reset"] == "hard"
    assert f"{contents['metrics']['integer_test']:.2%}" in result.output
    assert "one is 0.28 points of validation, 0.28 of test" in result.output
    line = next(line for line in result.output.splitlines() if line.startswith("  teacher "))
    assert f"validation {contents['metrics']['teacher_validation']:.2%} ± " in line
    assert f"test {contents['metrics']['teacher_test']:.2%} ± " in line
    assert [path.name for path in tmp_path.iterdir()] == ["student.pt"]  # the state of the run is gone


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["--weight-bits", 9], OptionError, "weight-bits must be 1 to 8"),
        (["--weight-bits", "4,conv1=2"], OptionError, "'conv1', but 64-6-10 has dense1, readout"),
        (["--budget", 0], OptionError, "--budget must be above 0"),
        (["--labelled", 2], OptionError, "--labelled must be 0.0 to 1.0"),
        (["--images", 5], OptionError, "--images must be 10"),
        (["--augment", "shift=1,spin=2"], OptionError, "'spin=2'"),
        (["--loss-option", "window"], OptionError, "name=value"),
        (["--twin-epochs", 2, "--reset", "hard"], OptionError, "soft reset"),
        (["--architecture", "a-b"], OptionError, "'a-b'"),
        (["--dataset", "mnist", "--architecture", "784-10", "--data", "nowhere"], DataError, "nowhere"),
        (["-o", "no/such/folder/student.pt"], OptionError, "no/such/folder"),
        (["-o", "never-begun.pt", "--resume"], CheckpointError, "never-begun.training.pt"),
    ],
)
def test_mistakes_are_one_error_of_ours(arguments, error, message):
    result = invoke(*arguments)
    assert isinstance(result.exception, error)
    assert message in str(result.exception)


def test_an_interrupted_run_is_kept_and_resumed(tmp_path, monkeypatch):
    output = tmp_path / "student.pt"
    output.write_bytes(b"good")

    class Saver(training.Saver):
        def __call__(self, state):
            super().__call__(state)
            if state.stage == "float":
                raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(commands, "Saver", Saver)
        result = invoke("-o", output)
    assert isinstance(result.exception, InterruptedRun)
    assert str(tmp_path / "student.training.pt") in str(result.exception)
    assert "--resume" in str(result.exception)
    assert output.read_bytes() == b"good"

    assert isinstance(invoke("-o", output).exception, OptionError)  # what was begun is not thrown away in silence
    for change in (("--time-steps", 2), ("--learning-rate", 0.1), ("--dataset", "mnist")):
        refused = invoke("-o", output, "--resume", *change).exception
        assert isinstance(refused, CheckpointError)
        assert change[0].strip("-").replace("dataset", "data set") in str(refused)
    alone = CliRunner().invoke(distill, ["-o", str(output), "--resume"])
    assert alone.exception is None
    assert torch.load(output, weights_only=True)["config"]["architecture"] == "64-6-10"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["student.pt"]


def test_a_run_goes_on_with_its_own_data_only(tmp_path, monkeypatch):
    """Data of one's own that are others when it is resumed, from the path that the state remembers."""
    output, own = tmp_path / "student.pt", tmp_path / "own.npz"
    events = np.random.default_rng(0).integers(0, 2, (40, 3, 4, 1, 1), dtype=np.uint8)
    kept: dict[str, Any] = {
        "x_train": events,
        "y_train": np.arange(40) % 2,
        "x_test": events[:6],
        "y_test": np.arange(6) % 2,
    }
    np.savez(own, **kept)
    arguments = ["--data", own, "--architecture", "4-6R-2", "--encoding", "events", "--time-steps", 3, "--epochs", 3]
    arguments += ["--teacher-epochs", 0, "--name", "mine", "-o", output]

    class Saver(training.Saver):
        def __call__(self, state):
            super().__call__(state)
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(commands, "Saver", Saver)
        # The twin of the defaults, which a recurrent layer cannot have, is left out.
        assert isinstance(CliRunner().invoke(distill, [*map(str, arguments)]).exception, InterruptedRun)
    np.savez(own, **kept | {"x_test": 1 - events[:6]})
    again = ["-o", str(output), "--resume"]
    assert "data = " in str(CliRunner().invoke(distill, again).exception)
    np.savez(own, **kept)
    result = CliRunner().invoke(distill, again)
    assert result.exception is None
    student = torch.load(output, weights_only=True)
    assert student["name"] == "mine"
    assert student["config"]["data"] == load("npz", own).digest()
    assert student["config"]["twin_epochs"] == 0


@pytest.mark.parametrize("neurons", [["--leak-shift", "3"], ["--reset", "hard"]])
def test_neurons_without_a_twin_need_no_option_to_leave_it_out(neurons, tmp_path):
    """Data of one's own have a twin by default, which only IF neurons with a soft reset have; its file names them."""
    own, output = tmp_path / "wrist 2.npz", tmp_path / "student.pt"
    events = np.random.default_rng(0).integers(0, 2, (40, 3, 4), dtype=np.uint8)
    np.savez(own, x_train=events, y_train=np.arange(40) % 2, x_test=events[:6], y_test=np.arange(6) % 2)
    words = ["--data", own, "--architecture", "4-6-2", "--epochs", 3, "--teacher-epochs", 0, "-o", output, *neurons]
    result = CliRunner().invoke(distill, [*map(str, words)])
    assert result.exception is None
    student = torch.load(output, weights_only=True)
    assert student["config"]["twin_epochs"] == 0
    assert student["name"] == "wrist-2-4-6-2"


def test_a_training_that_stood_still_says_so(tmp_path):
    output = tmp_path / "student.pt"
    result = invoke("-o", output, "--learning-rate", 0, "--loss", "cross-entropy", "--teacher-epochs", 0)
    assert result.exception is None
    assert "warning: the network is no better than always answering the most frequent class" in result.output
    assert "warning: no validation sample was ever called" in result.output


def test_an_interruption_before_the_first_epoch_says_so(tmp_path, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "distil_student", interrupt)
    result = invoke("-o", tmp_path / "student.pt")
    assert isinstance(result.exception, InterruptedRun)
    assert "nothing was saved" in str(result.exception)


def test_help_names_every_loss_and_data_set():
    text = CliRunner().invoke(distill, ["--help"]).output
    for word in ("digits", "fashion-mnist", "kdsnn-response", "cross-entropy", "--resume"):
        assert word in text


def test_a_budget_is_a_factor_of_all_epochs_of_the_student(tmp_path):
    output = tmp_path / "student.pt"
    assert invoke("-o", output, "--twin-epochs", 4, "--epochs", 8, "--budget", 0.5).exception is None
    config = torch.load(output, weights_only=True)["config"]
    assert (config["twin_epochs"], config["epochs"], config["teacher_epochs"]) == (2, 4, 1)


def test_a_run_with_a_budget_goes_on_within_it(tmp_path, monkeypatch):
    """As a comparison does that was interrupted: the same options again, and --resume."""
    output = tmp_path / "student.pt"
    options = ["-o", output, "--twin-epochs", 4, "--epochs", 8, "--budget", 0.5]

    class Saver(training.Saver):
        def __call__(self, state):
            super().__call__(state)
            if state.stage == "float":
                raise KeyboardInterrupt

    for again in (["--resume", *options], ["--resume", "--budget", 0.5, "-o", output], ["--resume", "-o", output]):
        with monkeypatch.context() as patch:
            patch.setattr(commands, "Saver", Saver)
            assert isinstance(invoke(*options).exception, InterruptedRun)
        assert CliRunner().invoke(distill, [*map(str, again)]).exception is None
        config = torch.load(output, weights_only=True)["config"]
        assert (config["twin_epochs"], config["epochs"]) == (2, 4)


def test_assistants_stand_between_teacher_and_student(tmp_path):
    output = tmp_path / "student.pt"
    chain = ["--assistant", "64-12-10", "--assistant", "64-8-10", "-o", output]
    assert invoke(*chain).exception is None
    first, second, last = (
        torch.load(tmp_path / f"student{part}.pt", weights_only=True) for part in (".assistant1", ".assistant2", "")
    )
    assert [each["config"]["architecture"] for each in (first, second, last)] == ["64-12-10", "64-8-10", "64-6-10"]
    # The first learns from an ANN, and each of the others from the file of the one before.
    digests = [hashlib.sha256((tmp_path / f"student.assistant{k}.pt").read_bytes()).hexdigest() for k in (1, 2)]
    assert [each["config"]["teacher_from"] for each in (first, second, last)] == ["", *digests]
    assert "teacher_validation" in last["metrics"]
    # What is there is not trained again, and another student is not taken for it.
    written = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.assistant*.pt")}
    assert len(written) == 2
    assert invoke(*chain).exception is None
    assert {path: path.stat().st_mtime_ns for path in written} == written
    refused = invoke("--assistant", "64-9-10", "-o", output)
    assert isinstance(refused.exception, OptionError)
    assert "another student than this assistant" in str(refused.exception)


def test_an_interrupted_assistant_goes_on(tmp_path, monkeypatch):
    output = tmp_path / "student.pt"
    arguments = ["--assistant", "64-8-10", "-o", output]

    class Saver(training.Saver):
        def __call__(self, state):
            super().__call__(state)
            if state.stage == "quantised":
                raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("snnc.compiler.commands.assistants.Saver", Saver)
        assert isinstance(invoke(*arguments).exception, InterruptedRun)
    assert not output.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["student.assistant1.training.pt"]
    assert invoke(*arguments).exception is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["student.assistant1.pt", "student.pt"]
    whole = invoke("--assistant", "64-8-10", "-o", tmp_path / "other.pt")
    assert whole.exception is None
    one, other = (torch.load(tmp_path / f"{name}.assistant1.pt", weights_only=True) for name in ("student", "other"))
    for name, value in one["state"].items():
        assert torch.equal(value, other["state"][name]), name


@pytest.mark.parametrize("option", [["--teacher-only"], ["--start-from", "x.pt"]])
def test_assistants_have_a_student_in_the_end(tmp_path, option):
    refused = invoke("--assistant", "64-8-10", *option, "-o", tmp_path / "student.pt")
    assert isinstance(refused.exception, OptionError)
    assert "leave --teacher-only and --start-from out" in str(refused.exception)
