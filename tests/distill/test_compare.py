"""``snnc compare``, with a child in the place of ``snnc distill`` that answers at once, fails or never ends."""

from __future__ import annotations

import errno
import fcntl
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from snnc.compiler import cli
from snnc.compiler.commands.compare import compare_command
from snnc.compiler.commands.distill import distill
from snnc.compiler.errors import BuildError, OptionError, TrainingError
from snnc.distill import checkpoint
from snnc.distill.compare import processes
from snnc.distill.compare.options import check_arguments
from snnc.distill.compare.plan import Candidate, Comparison, Run, Task, parse_method, parse_seeds, tasks_of
from snnc.distill.compare.processes import State, read_attempts, run_tasks

CHILD = """
import json, os, pathlib, shutil, signal, sys, time
prepared, arguments = pathlib.Path(sys.argv[1]), sys.argv[2:]
value = dict(zip(arguments, arguments[1:]))
output, seed = pathlib.Path(value["-o"]), value["--seed"]
state = output.with_name(output.stem + ".training.pt")
label = "teacher" if "--teacher-only" in arguments else value["--loss"]
with (prepared / "calls").open("a") as calls:
    calls.write(json.dumps(arguments) + "\\n")
(output.parent / "gpu").write_text(os.environ.get("CUDA_VISIBLE_DEVICES", ""))
if "--teacher-from" in arguments:
    assert pathlib.Path(value["--teacher-from"]).read_text() == "teacher"
behaviours = json.loads((prepared / "behaviours").read_text())
match behaviours.get(f"{label} {seed}", behaviours.get(label)):
    case "fail":
        print("snnc: error: The loss became nan; use a smaller rate.")
        sys.exit(1)
    case "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    case "silent":
        sys.exit(0)
    case "hang":
        signal.signal(signal.SIGTERM, lambda *_: [(output.parent / "in peace").touch(), sys.exit(1)])
        state.write_text("half")
        print("epoch 1")
        sys.stdout.flush()
        (output.parent / "pid").write_text(str(os.getpid()))
        time.sleep(60)
    case "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        (output.parent / "pid").write_text(str(os.getpid()))
        time.sleep(60)
if label == "teacher":
    output.write_text("teacher")
else:
    part = output.with_name("part")
    shutil.copy(prepared / f"{label}-{seed}.pt", part)
    part.rename(output)
state.unlink(missing_ok=True)
"""

ACCURACIES = {
    "cross-entropy": (0.90, 0.92, 0.91, 0.93),
    "kdsnn-response": (0.93, 0.94, 0.94, 0.96),
    "tser": (0.90, 0.93, 0.90, 0.93),
}


class Child:
    """The prepared answers of the child, how it is to behave, and how it was called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "child.py").write_text(CHILD)
        self.behave()
        for loss, accuracies in ACCURACIES.items():
            for seed, accuracy in enumerate(accuracies):
                metrics = {"integer_validation": accuracy, "integer_test": accuracy - 0.01, "spikes_per_sample": 40.0}
                contents = {"format": checkpoint._FORMAT, "version": checkpoint._VERSION, "metrics": metrics}
                checkpoint.write_checkpoint(folder / f"{loss}-{seed}.pt", {**contents, "config": {"epochs": 5}})

    @property
    def command(self) -> tuple[str, ...]:
        return sys.executable, "-I", "-S", str(self.folder / "child.py"), str(self.folder)

    def behave(self, **behaviours: str) -> None:
        """By the loss or the loss and the seed: ``fail``, ``crash``, ``silent``, ``hang`` or ``stubborn``."""
        renamed = {name.replace("_", "-").replace("--", " "): how for name, how in behaviours.items()}
        (self.folder / "behaviours").write_text(json.dumps(renamed))

    def calls(self) -> list[list[str]]:
        """The command lines since the last time that somebody asked."""
        path = self.folder / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return [json.loads(line) for line in lines]


@pytest.fixture
def child(tmp_path, monkeypatch) -> Child:
    folder = tmp_path / "child"
    folder.mkdir()
    child = Child(folder)
    monkeypatch.setattr(processes, "_LAUNCH", child.command)
    monkeypatch.setattr(processes, "_POLL", 0.005)
    return child


def compare(output: Path, *arguments: object, methods=("kdsnn-response",), seeds: object = 2):
    given = ["-o", output, "--jobs", 2, "--seeds", seeds, *(word for name in methods for word in ("--method", name))]
    return CliRunner().invoke(compare_command, [*map(str, given), *map(str, arguments)])


def results(output: Path) -> dict:
    return json.loads((output / "results.json").read_text())


def option(call: list[str], name: str) -> str:
    return call[len(call) - call[::-1].index(name)]


def test_every_run_has_the_same_options_but_for_method_student_and_seed(child, tmp_path):
    shared = ["--architecture", "64-8-10", "--architecture", "64-9-10", "--epochs", 5, "--weight-bits", "3"]
    result = compare(tmp_path / "o", *shared, methods=("tser:temperature=4,entropy=0.1", "kdsnn-response"))
    assert result.exception is None
    calls = [call for call in child.calls() if "--teacher-only" not in call]
    assert {(option(call, "--loss"), option(call, "--architecture"), option(call, "--seed")) for call in calls} == set(
        itertools.product(ACCURACIES, ("64-8-10", "64-9-10"), "01")
    )
    assert len(calls) == 12
    for call in calls:
        assert [option(call, name) for name in ("--epochs", "--weight-bits", "--threads")] == ["5", "3", "1"]
        own = option(call, "--loss") == "tser"
        assert ("--temperature" in call) == ("--loss-option" in call) == own
        if own:
            assert (option(call, "--temperature"), option(call, "--loss-option")) == ("4", "entropy=0.1")


def test_a_new_option_of_distill_is_one_of_a_comparison():
    per_run = {"architecture", "loss", "loss_options", "seed", "output", "resume", "assistants", "teacher_only"}
    assert {parameter.name for parameter in distill.params} - per_run <= {
        parameter.name for parameter in compare_command.params
    }


def test_options_come_from_a_file_and_the_command_line_has_precedence(child, tmp_path):
    config = tmp_path / "c.toml"
    config.write_text('epochs = 7\nweight-bits = "3"\nmethod = "kdsnn-response"\narchitecture = ["64-8-10"]\n')
    assert compare(tmp_path / "o", "--config", config, "--epochs", 6, methods=()).exception is None
    (call, *_) = [call for call in child.calls() if "--loss" in call]
    assert [option(call, name) for name in ("--epochs", "--weight-bits", "--architecture")] == ["6", "3", "64-8-10"]

    config.write_text("epoch = 7\n")
    assert "'epoch'" in str(compare(tmp_path / "p", "--config", config).exception)


def test_the_results_say_everything_about_a_run(child, tmp_path):
    output = tmp_path / "o"
    assert compare(output, methods=("kdsnn-response", "tser:alpha=0.5"), seeds=4).exception is None
    contents = results(output)
    (run,) = [run for run in contents["runs"] if run["method"] == "tser" and run["seed"] == 1]
    assert run["options"] == {"alpha": "0.5"}
    assert run["metrics"]["integer_validation"] == 0.93
    assert (output / run["folder"] / "student.pt").exists()
    assert len(run["sha256"]) == 64
    assert run["images_per_second"] == pytest.approx(5 * 1077 / run["seconds"])
    verdicts = {row["method"]: row["verdict"] for row in contents["summary"]}
    assert verdicts == {"cross-entropy": None, "kdsnn-response": "helped", "tser": "no clear gain"}
    assert contents["summary"][1]["spikes_per_sample"] == 40.0
    table = (output / "table.md").read_text()
    assert (
        "| `kdsnn-response` | 4 | 94.25 ± 1.26 (± 2.44) | +2.75 [+1.95, +3.55] (4) | helped | 93.25 ± 1.26 (± 2.62) |"
        in table
    )
    assert "one of 360 validation images is 0.28 points" in table
    assert (output / "gains.png").read_bytes().startswith(b"\x89PNG")


def test_finished_runs_are_not_repeated_and_more_may_be_added(child, tmp_path):
    output = tmp_path / "o"
    compare(output)
    child.calls()
    assert compare(output).exception is None
    assert child.calls() == []
    assert compare(output, methods=("tser",), seeds=3).exception is None
    made = [(option(call, "--loss"), option(call, "--seed")) for call in child.calls() if "--loss" in call]
    assert sorted(made) == [("cross-entropy", "2"), ("tser", "0"), ("tser", "1"), ("tser", "2")]
    states = {(run["method"], run["seed"]): run["state"] for run in results(output)["runs"]}
    assert states.pop(("kdsnn-response", 2)) == "missing"  # asked for with two seeds only
    assert set(states.values()) == {"done"}


def test_a_changed_configuration_is_refused(child, tmp_path):
    compare(tmp_path / "o", "--epochs", 5)
    child.calls()
    error = compare(tmp_path / "o", "--epochs", 6).exception
    assert isinstance(error, OptionError)
    assert "with --epochs 5, but now it is with --epochs 6" in str(error)
    assert "without --epochs" in str(compare(tmp_path / "o").exception)
    assert child.calls() == []


def test_a_changed_file_is_a_changed_configuration(child, tmp_path):
    teacher = tmp_path / "t.pt"
    teacher.write_text("teacher")
    assert compare(tmp_path / "o", "--teacher-from", teacher).exception is None
    assert not any("--teacher-only" in call for call in child.calls())
    teacher.write_text("another")
    assert "another file for --teacher-from" in str(compare(tmp_path / "o", "--teacher-from", teacher).exception)


def test_weights_of_classes_in_a_file_are_part_of_what_is_compared(child, tmp_path):
    weights = tmp_path / "w.json"
    weights.write_text(json.dumps([1] * 10))
    assert compare(tmp_path / "o", "--class-weights", weights).exception is None
    assert compare(tmp_path / "o", "--class-weights", weights).exception is None
    assert compare(tmp_path / "v", "--vary", f"class-weights=balanced,{weights}").exception is None
    weights.write_text(json.dumps([2] + [1] * 9))
    assert "another file for --class-weights" in str(compare(tmp_path / "o", "--class-weights", weights).exception)
    varied = compare(tmp_path / "v", "--vary", f"class-weights=balanced,{weights}").exception
    assert "another file for --class-weights " in str(varied)
    missing = compare(tmp_path / "n", "--class-weights", tmp_path / "none.json").exception
    assert "none.json' of --class-weights cannot be read" in str(missing)


def test_a_teacher_is_trained_once_for_all_methods_that_listen(child, tmp_path):
    methods = ("kdsnn-response", "tser", "tser:teacher=cnn")
    compare(tmp_path / "o", "--architecture", "64-8-10", "--architecture", "64-9-10", methods=methods)
    calls = child.calls()
    trained = [(option(call, "-o"), option(call, "--seed")) for call in calls if "--teacher-only" in call]
    assert len(trained) == len(set(trained)) == 4  # two kinds, two seeds
    heard = {(option(call, "--teacher-from"), option(call, "--seed")) for call in calls if "--teacher-from" in call}
    assert heard == set(trained)
    students = [call for call in calls if "--teacher-only" not in call]
    assert len(students) == 16
    assert all(("--teacher-from" in call) == (option(call, "--loss") != "cross-entropy") for call in students)

    (call, *_) = [call for call in calls if "teacher=cnn" in option(call, "-o")]
    assert option(call, "--teacher") == "cnn"


def test_data_of_ones_own_reach_every_run_and_are_named_in_the_table(child, tmp_path):
    """With a teacher, which is trained on the same file."""
    own, labels = tmp_path / "wrist.npz", np.arange(40) % 2
    events = np.random.default_rng(0).integers(0, 2, (40, 3, 4), dtype=np.uint8)
    np.savez(own, x_train=events, y_train=labels, x_test=events[:6], y_test=labels[:6])
    assert compare(tmp_path / "o", "--data", own, "--architecture", "4-6R-2").exception is None
    calls = child.calls()
    assert len(calls) == 6
    for call in calls:
        assert (option(call, "--dataset"), option(call, "--data")) == ("npz", str(own))
        assert "--teacher-only" in call or option(call, "--architecture") == "4-6R-2"
    table = (tmp_path / "o" / "table.md").read_text()
    assert "--dataset npz" in table
    assert "(wrist)" in table


def test_labels_of_steps_are_compared_without_an_ann(child, tmp_path):
    own, labels = tmp_path / "wrist.npz", np.arange(120).reshape(40, 3) % 2
    events = np.random.default_rng(0).integers(0, 2, (40, 3, 4), dtype=np.uint8)
    np.savez(own, x_train=events, y_train=labels, x_test=events[:6], y_test=labels[:6])
    words = ("--data", own, "--every", 3, "--stage-teacher", "previous")
    assert compare(tmp_path / "o", *words).exception is None
    for call in child.calls():
        assert "--teacher-only" not in call
        assert (option(call, "--teacher-epochs"), option(call, "--every")) == ("0", "3")
    refused = compare(tmp_path / "p", *words, methods=("ckdsnn",)).exception
    assert isinstance(refused, OptionError)
    assert "ckdsnn looks at whole samples" in str(refused)
    assert not (tmp_path / "p").exists()


def test_an_option_called_teacher_may_be_a_methods_own():
    runs = [Run(architecture="64-10", method=parse_method("twkd:teacher=0.5"), seed=0)]
    comparison = Comparison(
        shared={}, files={}, methods=(), architectures=(), seeds=(), train_images=1, validation_images=1, test_images=1
    )
    (task,) = tasks_of(runs, comparison, Path("o")).values()
    assert task.after is not None
    assert "0.5" not in task.after.arguments
    assert option(list(task.arguments), "--loss-option") == "teacher=0.5"
    for one in (task, task.after):
        check_arguments(one.arguments[1:], of=one.name)  # as snnc distill reads them


def test_without_teacher_epochs_there_is_no_teacher(child, tmp_path):
    compare(tmp_path / "o", "--teacher-epochs", 0, "--stage-teacher", "previous")
    assert not any({"--teacher-only", "--teacher-from"} & set(call) for call in child.calls())


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ("fail", "The loss became nan; use a smaller rate."),
        ("crash", "ended by SIGSEGV"),
        ("silent", "ended without writing student.pt"),
    ],
)
def test_a_run_that_fails_is_reported_and_the_others_go_on(how, sentence, child, tmp_path):
    child.behave(kdsnn_response__1=how)
    result = compare(tmp_path / "o", seeds=3)
    assert isinstance(result.exception, TrainingError)
    assert sentence in str(result.exception)
    assert "64-32-10 kdsnn-response seed 1" in str(result.exception)
    contents = results(tmp_path / "o")
    (failed,) = [run for run in contents["runs"] if run["state"] != "done"]
    assert (failed["seed"], failed["state"]) == (1, "failed")
    assert sentence in failed["problem"]
    assert contents["summary"][1]["gain"]["count"] == 2  # seeds 0 and 2: pairs only
    assert sentence in (tmp_path / "o" / "table.md").read_text()

    child.behave()
    child.calls()
    assert compare(tmp_path / "o", seeds=3).exception is None
    assert [option(call, "--seed") for call in child.calls()] == ["1"]


def test_students_of_a_teacher_that_failed_are_not_trained(child, tmp_path):
    child.behave(teacher__1="fail")
    result = compare(tmp_path / "o")
    assert isinstance(result.exception, TrainingError)
    ran = [(option(call, "--loss"), option(call, "--seed")) for call in child.calls() if "--loss" in call]
    assert sorted(ran) == [("cross-entropy", "0"), ("cross-entropy", "1"), ("kdsnn-response", "0")]
    assert "The loss became nan" in str(result.exception)


def test_shards_are_a_partition(child, tmp_path):
    made = []
    for index in range(3):
        assert compare(tmp_path / "o", "--shard", f"{index}/3", seeds=4, methods=("tser",)).exception is None
        made.append([(option(c, "--loss"), option(c, "--seed")) for c in child.calls() if "--loss" in c])
        assert not (tmp_path / "o" / "results.json").exists()
    together = list(itertools.chain(*made))
    assert sorted(together) == sorted(itertools.product(("cross-entropy", "tser"), "0123"))
    assert all(made)
    collected = CliRunner().invoke(compare_command, ["--collect", "-o", str(tmp_path / "o")])
    assert collected.exception is None
    assert {run["state"] for run in results(tmp_path / "o")["runs"]} == {"done"}


def test_what_is_not_there_yet_is_collected_as_missing(child, tmp_path):
    compare(tmp_path / "o", "--shard", "0/4")
    CliRunner().invoke(compare_command, ["--collect", "-o", str(tmp_path / "o")])
    contents = results(tmp_path / "o")
    assert sorted(run["state"] for run in contents["runs"]) == ["done", "missing", "missing", "missing"]
    assert contents["summary"][1]["verdict"] == "too few runs"
    assert not (tmp_path / "o" / "gains.png").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--method", "no-such"], "no method called 'no-such'"),
        (["--method", "tser:entropy"], "name=value"),
        (["--method", "tser:epochs=9"], "cannot be given 'epochs'"),
        (["--method", "tser:alpha=much"], "'much' is not a valid float"),
        (["--method", "tser:entropy=-1"], "'entropy' must be"),
        (["--method", "cross-entropy:alpha=1"], "baseline"),
        ([], "nothing to compare"),
        (["--method", "tser", "--seeds", "1"], "2 to 1000"),
        (["--method", "tser", "--seeds", "1,1"], "different"),
        (["--method", "tser", "--seeds", "x"], "'x'"),
        (["--method", "tser", "--shard", "2/2"], "0 to COUNT - 1"),
        (["--method", "tser", "--teacher-from", "nowhere.pt"], "nowhere.pt"),
        (["--method", "tser", "--config", "nowhere.toml"], "nowhere.toml"),
        (["--collect"], "no comparison"),
    ],
)
def test_mistakes_are_one_error_before_anything_runs(arguments, message, child, tmp_path):
    result = CliRunner().invoke(compare_command, [*arguments, "-o", str(tmp_path / "o")])
    assert isinstance(result.exception, OptionError)
    assert message in str(result.exception)
    assert child.calls() == []


@pytest.mark.parametrize(("text", "seeds"), [("3", (0, 1, 2)), ("5-7", (5, 6, 7)), ("1,4,7-8", (1, 4, 7, 8))])
def test_seeds(text, seeds):
    assert parse_seeds(text) == seeds


def test_methods_come_back_from_their_labels():
    method = parse_method("tser:temperature=4,alpha=0.5")
    assert method == Candidate(loss="tser", settings=(("alpha", "0.5"), ("temperature", "4")))
    assert parse_method(method.label) == method


def test_a_folder_that_cannot_be_made_is_one_error(child, tmp_path):
    (tmp_path / "file").touch()
    assert isinstance(compare(tmp_path / "file" / "o").exception, OptionError)


def test_a_full_disk_stops_everything_with_one_error(child, tmp_path, monkeypatch):
    tasks = [task(tmp_path, 0), task(tmp_path, 1)]
    child.behave(cross_entropy__1="hang")

    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    def fill(jobs):
        if hanging := pids(tmp_path):  # it may be there and not be written yet
            monkeypatch.setattr("tempfile.mkstemp", full)
            os.kill(hanging[0], signal.SIGTERM)

    with pytest.raises(BuildError, match="No space left on device"):
        run_tasks(tasks, jobs=2, on_change=fill)


def task(folder: Path, seed: int, after: Task | None = None) -> Task:
    arguments = ("distill", "--loss", "cross-entropy", "--seed", str(seed))
    return Task(name=f"seed {seed}", output=folder / str(seed) / "student.pt", arguments=arguments, after=after)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def pids(folder: Path) -> list[int]:
    return [int(text) for path in folder.glob("**/pid") if (text := path.read_text())]


@pytest.mark.parametrize("how", ["hang", "stubborn"])
def test_an_interrupt_ends_all_processes(how, child, tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "_GRACE", 0.3)
    child.behave(cross_entropy=how)

    def interrupt(jobs):
        if len(pids(tmp_path)) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_tasks([task(tmp_path, 0), task(tmp_path, 1), task(tmp_path, 2)], jobs=2, on_change=interrupt)
    assert not any(map(alive, pids(tmp_path)))
    assert (tmp_path / "0" / "in peace").exists() == (how == "hang")
    assert [attempt["outcome"] for attempt in read_attempts(tmp_path / "0")] == ["interrupted"]
    assert read_attempts(tmp_path / "2") == []


def test_ctrl_c_leaves_a_folder_to_go_on_with(child, tmp_path):
    """All of it, with a terminal's SIGINT: nothing survives, and the states of the runs are picked up."""
    output = tmp_path / "o"
    child.behave(kdsnn_response="hang")
    # A shell starts what goes to the background deaf to SIGINT, and the tests may run there.
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    code += f"from snnc.distill.compare import processes as p; p._LAUNCH = {child.command!r}; "
    code += "from snnc.compiler.cli import main; main()"
    arguments = ["compare", "--method", "kdsnn-response", "--seeds", "2", "--jobs", "2", "-o", str(output)]
    process = subprocess.Popen([sys.executable, "-c", code, *arguments], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 300
    while len(pids(output)) < 2:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    errors = process.communicate(timeout=120)[1]
    assert process.returncode == 130
    assert "interrupted with 2 of 4 runs done; nothing is lost" in errors
    assert "Traceback" not in errors
    assert not any(map(alive, pids(output)))

    child.calls()
    child.behave()
    assert compare(output).exception is None
    calls = child.calls()
    assert [(option(call, "--loss"), "--resume" in call) for call in calls] == [("kdsnn-response", True)] * 2
    runs = {(run["method"], run["seed"]): run for run in results(output)["runs"]}
    folder = output / runs["kdsnn-response", 0]["folder"]
    first, second = read_attempts(folder)
    assert (first["outcome"], second["outcome"]) == ("interrupted", "done")
    assert runs["kdsnn-response", 0]["seconds"] == pytest.approx(first["seconds"] + second["seconds"])


def test_what_another_process_works_on_is_waited_for(child, tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "_ELSEWHERE", 0.01)
    (tmp_path / "0").mkdir()
    lock = (tmp_path / "0" / ".lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    first = task(tmp_path, 0)
    states = []

    def watch(jobs):
        states.append({job.task.name: job.state for job in jobs})
        if len(states) == 20:
            first.output.write_text("by somebody else")
            lock.close()

    run_tasks([first, task(tmp_path, 1, after=first)], jobs=2, on_change=watch)
    assert states[10] == {"seed 0": State.ELSEWHERE, "seed 1": State.WAITING}
    assert [option(call, "--seed") for call in child.calls()] == ["1"]
    assert first.output.read_text() == "by somebody else"


def test_a_process_keeps_its_claim_when_the_comparison_is_killed(child, tmp_path):
    child.behave(cross_entropy="hang")
    code = "import sys, pathlib; from snnc.distill.compare import processes as p; "
    code += f"p._LAUNCH = {child.command!r}; from tests.distill import test_compare as t; "
    code += "p.run_tasks([t.task(pathlib.Path(sys.argv[1]), 0)], jobs=1, on_change=lambda jobs: None)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])}
    killed = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], env=environment)
    while not pids(tmp_path):
        assert killed.poll() is None
        time.sleep(0.02)
    killed.kill()
    killed.wait()
    (pid,) = pids(tmp_path)
    lock = (tmp_path / "0" / ".lock").open("w")
    try:
        assert alive(pid)
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.kill(pid, signal.SIGKILL)
    fcntl.flock(lock, fcntl.LOCK_EX)  # free as soon as it is dead
    lock.close()
    child.behave()
    run_tasks([task(tmp_path, 0)], jobs=1, on_change=lambda jobs: None)
    assert [attempt["outcome"] for attempt in read_attempts(tmp_path / "0")] == [None, "done"]


def test_processes_are_spread_over_gpus(child, tmp_path):
    gpus, seen = ("2", "5"), []

    def watch(jobs):
        seen.append([job.gpu for job in jobs if job.state is State.RUNNING])

    run_tasks([task(tmp_path, seed) for seed in range(4)], jobs=2, gpus=gpus, on_change=watch)
    assert all(len(set(running)) == len(running) <= 2 for running in seen)
    assert {(tmp_path / str(seed) / "gpu").read_text() for seed in range(4)} == {"2", "5"}


def test_the_command_is_in_the_table(capsys):
    assert cli.run(["compare", "--help"]) == 0
    assert "--shard" in capsys.readouterr().out


def test_real_students_of_the_digits(tmp_path):
    teacher = tmp_path / "teacher.pt"
    options = ["--teacher-only", "--teacher-epochs", 1, "--teacher", "mlp", "-o", teacher]
    assert CliRunner().invoke(distill, list(map(str, options))).exception is None
    budget = ["--architecture", "64-6-10", "--epochs", 3, "--copies", 1, "--teacher-from", teacher]
    result = compare(tmp_path / "o", *budget)
    assert result.exception is None, result.output
    runs = results(tmp_path / "o")["runs"]
    assert [(run["method"], run["seed"], run["state"]) for run in runs] == [
        ("cross-entropy", 0, "done"),
        ("kdsnn-response", 0, "done"),
        ("cross-entropy", 1, "done"),
        ("kdsnn-response", 1, "done"),
    ]
    assert all(0 < run["metrics"]["integer_validation"] < 1 for run in runs)
    assert all(row["spikes_per_sample"] > 0 for row in results(tmp_path / "o")["summary"])
    assert ["teacher_validation" in run["metrics"] for run in runs] == [False, True, False, True]


def test_a_validation_set_that_is_too_small_is_told_before_anything_is_trained(child, tmp_path):
    child.behave(teacher="fail", cross_entropy="fail")
    result = compare(tmp_path / "o")
    assert isinstance(result.exception, TrainingError)
    assert (
        "digits has 360 validation images: one is 0.28 points, and an accuracy of 90% is known to ± 3.1"
        in result.output
    )


def test_methods_are_compared_at_every_value_of_what_is_varied(child, tmp_path):
    output = tmp_path / "o"
    vary = ["--vary", "labelled=0.1,1", "--vary", "weight-bits=2,4"]
    assert compare(output, *vary, methods=("kdsnn-response",)).exception is None
    calls = child.calls()
    students = [call for call in calls if "--teacher-only" not in call]
    assert {
        tuple(option(call, name) for name in ("--loss", "--labelled", "--weight-bits", "--seed")) for call in students
    } == set(itertools.product(("cross-entropy", "kdsnn-response"), ("0.1", "1"), "24", "01"))
    teachers = [call for call in calls if "--teacher-only" in call]
    # A teacher knows the labels that its students know; their bits are nothing to it.
    assert sorted((option(call, "--labelled"), option(call, "--seed")) for call in teachers) == [
        *(("0.1", "0"), ("0.1", "1"), ("1", "0"), ("1", "1"))
    ]
    assert not any("--weight-bits" in call for call in teachers)
    for call in students:
        if "--teacher-from" in call:
            assert f"labelled={option(call, '--labelled')}/seed-" in option(call, "--teacher-from")

    contents = results(output)
    assert len(contents["runs"]) == 16
    assert [row["setting"] for row in contents["summary"][::2]] == [
        {"labelled": labelled, "weight-bits": bits} for labelled in ("0.1", "1") for bits in "24"
    ]
    assert all(row["gain"]["count"] == 2 for row in contents["summary"][1::2])  # within each setting
    assert "## 64-32-10, labelled 0.1, weight-bits 2" in (output / "table.md").read_text()
    assert (output / "accuracy.png").read_bytes().startswith(b"\x89PNG")

    assert compare(output, "--vary", "labelled=0.5", "--vary", "weight-bits=2,4").exception is None  # more values
    assert len([call for call in child.calls() if "--teacher-only" not in call]) == 8
    assert len(results(output)["runs"]) == 24
    assert "varying labelled and weight-bits, but now it is varying nothing" in str(compare(output).exception)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--vary", "labelled"], "NAME=value,value"),
        (["--vary", "labelled=0.1,0.1"], "each value once"),
        (["--vary", "labelled=0.1,"], "each value once"),
        (["--vary", "labelled=much"], "'much' is not a valid float"),
        (["--vary", "no-such=1"], "cannot vary 'no-such'"),
        (["--vary", "seed=1,2"], "cannot vary 'seed'"),
        (["--vary", "data=a,b"], "cannot vary 'data'"),
        (["--vary", "teacher-from=a,b"], "cannot vary 'teacher-from'"),
        (["--vary", "labelled=0.1", "--vary", "labelled=1"], "say it once"),
        (["--vary", "labelled=0.1", "--labelled", "1"], "say it once"),
    ],
)
def test_what_cannot_be_varied_is_refused(child, tmp_path, arguments, message):
    error = compare(tmp_path / "o", *arguments).exception
    assert isinstance(error, OptionError)
    assert message in str(error)
    assert child.calls() == []


def test_baselines_of_another_comparison_are_taken_over_where_they_are_the_same(child, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    assert compare(first, "--epochs", 5, "--alpha", 0.5).exception is None
    child.calls()
    other_teacher = ["--epochs", 5, "--alpha", 0.9, "--teacher-epochs", 2, "--teacher", "vgg"]
    arguments = [*other_teacher, "--baseline-from", first]
    result = compare(second, *arguments, methods=("tser",), seeds=3)
    assert result.exception is None
    assert "2 baselines are taken" in result.output
    made = [(option(call, "--loss"), option(call, "--seed")) for call in child.calls() if "--loss" in call]
    assert sorted(made) == [("cross-entropy", "2"), ("tser", "0"), ("tser", "1"), ("tser", "2")]
    runs = {(run["method"], run["seed"]): run for run in results(second)["runs"]}
    before = {(run["method"], run["seed"]): run for run in results(first)["runs"]}
    for seed in (0, 1):
        for fact in ("sha256", "seconds", "metrics"):
            assert runs["cross-entropy", seed][fact] == before["cross-entropy", seed][fact]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", 6], "no baseline with the students, seeds and options"),
        (["--epochs", 5, "--architecture", "64-9-10"], "no baseline"),
        (["--epochs", 5, "--vary", "weight-bits=2,3"], "no baseline"),
        (["--epochs", 5, "--dataset", "npz", "--data", "mine.npz", "--architecture", "64-32-10"], "other data"),
    ],
)
def test_other_baselines_are_refused(child, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    images, labels = np.zeros((40, 1, 8, 8), np.uint8), np.arange(40) % 10
    np.savez("mine.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    assert compare(tmp_path / "first", "--epochs", 5).exception is None
    child.calls()
    error = compare(tmp_path / "second", *arguments, "--baseline-from", tmp_path / "first").exception
    assert isinstance(error, OptionError)
    assert message in str(error)
    assert child.calls() == []


def test_baselines_of_another_version_are_refused(child, tmp_path):
    first = tmp_path / "first"
    assert compare(first, "--epochs", 5).exception is None
    contents = json.loads((first / "compare.json").read_text())
    contents["versions"]["torch"] = "1.0"
    (first / "compare.json").write_text(json.dumps(contents))
    error = compare(tmp_path / "second", "--epochs", 5, "--baseline-from", first).exception
    assert "other versions" in str(error)


def test_without_labels_only_those_take_part_that_need_none_and_the_labelled_baseline_judges(child, tmp_path):
    output = tmp_path / "o"
    methods = ("kdsnn-response", "kdsnn-response:alpha=0", "ckdsnn-samd")
    compare(output, "--vary", "labelled=0,0.5,1", "--teacher-epochs", 0, methods=methods, seeds=2)
    rows = {(row["setting"]["labelled"], row["method"], *row["options"]): row for row in results(output)["summary"]}
    assert [name for labelled, *name in rows if labelled == "0"] == [["kdsnn-response"]]
    assert len(rows) == 1 + 2 * 4
    for labelled in ("0", "1"):
        assert rows[labelled, "kdsnn-response"]["gain"]["mean"] == pytest.approx(0.025)
    table = (output / "table.md").read_text()
    assert "gains are over the one with the most labels" in table
