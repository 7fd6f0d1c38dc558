"""The command line: exit statuses, one sentence per error, and imports kept late."""

from __future__ import annotations

import ast
import gc
import importlib
import json
import os
import pickle
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner

from snnc.compiler import __version__, cli
from snnc.compiler.build.folder import open_build
from snnc.compiler.cli import COMMANDS
from snnc.compiler.errors import ToolError
from snnc.compiler.pipeline import PASS_NAMES
from snnc.compiler.targets import load_target
from snnc.sim.evaluation.subject import open_subject
from snnc.sim.models import golden
from tests.compiler.networks import changed, checkpoint, deep_checkpoint


def snnc(*arguments: str | Path, cwd: Path | None = None, environment=None) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    code = "from snnc.compiler.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture
def fake_rtl(monkeypatch):
    """Verilog without Yosys: for tests of everything around it."""
    files = {"rtl/core.v": "module snnc_core; endmodule\n"}
    monkeypatch.setattr("snnc.compiler.backend.emit_verilog", lambda plan: files)


def run(capsys, *arguments: str | Path) -> tuple[int, str, str]:
    """The command in this process: status, output, errors."""
    status = cli.run([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.fixture
def student(tmp_path) -> Path:
    return save(checkpoint(), tmp_path / "student.pt")


def save(plain, path: Path) -> Path:
    torch = pytest.importorskip("torch")
    state = {key: torch.from_numpy(value) for key, value in plain["state"].items()}
    torch.save(plain | {"state": state}, path)
    return path


def test_every_command_exists_and_explains_itself():
    for name, place in COMMANDS.items():
        module, _, command = place.partition(":")
        found = getattr(importlib.import_module(module), command)
        assert isinstance(found, click.Command)
        assert name in cli._SUMMARIES
        result = CliRunner().invoke(found, ["--help"])
        assert result.exit_code == 0
        assert found.help


def test_version_and_help(capsys):
    assert run(capsys, "--version")[:2] == (0, f"snnc, version {__version__}\n")
    status, out, _ = run(capsys, "--help")
    assert status == 0
    assert all(name in out for name in COMMANDS)


def test_help_imports_no_command():
    code = "import sys; from snnc.compiler import cli; cli.run(['--help']); print(*sys.modules, file=sys.stderr)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr.split()
    assert not {"torch", "numpy", "amaranth", "rich"} & set(modules)


def test_compiling_imports_nothing_heavy(student, tmp_path):
    code = (
        "import sys; from snnc.compiler import cli\n"
        f"assert cli.run(['compile', {str(student)!r}, '-o', {str(tmp_path / 'b')!r}]) == 0\n"
        "heavy = {'torch', 'matplotlib', 'sklearn', 'scipy', 'onnx', 'cocotb'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_whole_build(student, tmp_path):
    result = snnc("compile", student, "-o", tmp_path / "build", "--device", "hx8k")
    assert (result.returncode, result.stderr) == (0, "")
    build = open_build(tmp_path / "build")
    assert build.plan.device == "hx8k"
    assert {path.name for path in build.verilog} == {"core.v", "shell.v", "primitives.v"}
    core = (build.path / "rtl/core.v").read_text()
    assert "module snnc_core" in core
    for name in build.manifest["files"]:
        if name.startswith("images/"):
            assert f'"{name}"' in core
    report = json.loads((build.path / "report.json").read_text())
    text = (build.path / "report.md").read_text()
    assert report["network"]["hash"] == build.model_hash
    assert build.model_hash in text
    for engine in build.plan.engines:
        assert f"| {engine.name} |" in text
        assert f"{engine.population.after_reset.low} .. {engine.population.after_reset.high}" in text
    for file in (build.path / "tb").glob("*.py"):
        ast.parse(file.read_text())


@pytest.mark.usefixtures("fake_rtl")
def test_options_reach_the_plan(student, tmp_path, capsys):
    folder = tmp_path / "build"
    options = ("--time-steps", "7", "--lanes", "2,3", "--weight-bits", "3", "--device", "hx1k")
    assert run(capsys, "compile", student, "-o", folder, *options)[0] == 0
    plan = open_build(folder).plan
    assert (plan.time_steps, plan.device) == (7, "hx1k")
    assert [engine.lanes for engine in plan.engines] == [2, 3]
    assert [engine.projections[0].weight_bits for engine in plan.engines] == [3, 3]
    assert run(capsys, "compile", student, "-o", folder, "--objective", "area")[0] == 0
    assert [engine.lanes for engine in open_build(folder).plan.engines] == [1, 1]
    options = ("--random", "20-8-3", "--encoding", "rate", "--seed", "5", "--weight-bits", "5")
    assert run(capsys, "compile", "-o", folder, *options)[0] == 0
    plan = open_build(folder).plan
    assert (plan.input.encoding.value, plan.time_steps, plan.engines[0].projections[0].weight_bits) == ("rate", 10, 5)


@pytest.mark.usefixtures("fake_rtl")
def test_the_default_folder_has_the_name_of_the_network(student, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(capsys, "compile", student)[0] == 0
    assert run(capsys, "compile", "--random", "9-4-2")[0] == 0
    assert sorted(path.name for path in (tmp_path / "build").iterdir()) == ["random-9-4-2-seed0", "student"]


@pytest.mark.usefixtures("fake_rtl")
def test_a_random_residual_network(tmp_path, capsys):
    status, out, _ = run(capsys, "compile", "--random", "2x6x6-4c3-4r3-8R-3", "-o", tmp_path / "b", "--target", "ecp5")
    assert status == 0
    rows = [" ".join(line.split()) for line in out.splitlines()]
    shapes = [
        "hidden0 2x6x6 to 4x6x6",
        "hidden1 4x6x6 to 4x6x6",
        "hidden2 4x6x6 to 4x6x6",
        "from hidden0 4x6x6 to 4x6x6",
    ]
    shapes += ["hidden3 4x6x6 to 8", "from hidden3 8 to 8", "readout 8 to 3"]
    start = next(index for index, row in enumerate(rows) if row.startswith("hidden0"))
    assert all(row.startswith(shape) for row, shape in zip(rows[start : start + len(shapes)], shapes, strict=True)), out


@pytest.mark.usefixtures("fake_rtl")
def test_the_next_commands_can_be_pasted(student, tmp_path, capsys):
    _, out, _ = run(capsys, "compile", student, "-o", tmp_path / "my build")
    assert f"snnc verify '{tmp_path}/my build', snnc synth '{tmp_path}/my build'" in out


@pytest.mark.usefixtures("fake_rtl")
@pytest.mark.parametrize("name", PASS_NAMES)
def test_print_after(name, student, tmp_path, capsys):
    status, out, _ = run(capsys, "compile", student, "-o", tmp_path / "b", "--print-after", name)
    assert status == 0
    # The rest of the output is the same in every case.
    assert "hidden0" in out[: out.index("tiny on")]


def test_dry_run_lists_every_device_and_writes_nothing(student, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, _ = run(capsys, "compile", student, "--dry-run")
    assert status == 0
    for device in load_target("ice40").devices:
        assert device in out
    assert "fits" in out
    assert "LC, about" in out
    status, out, _ = run(capsys, "compile", student, "--dry-run", "--target", "ecp5")
    assert status == 0
    assert all(device in out for device in load_target("ecp5").devices)
    assert "LUT, about" in out
    assert "EBR (it has" in " ".join(run(capsys, "compile", "--random", "784-512-10", "--dry-run")[1].split())
    assert "bound readout" in run(capsys, "compile", student, "--dry-run", "--print-after", "bound")[1]
    assert list(tmp_path.iterdir()) == [student]


def test_what_has_no_hardware_is_shown_up_to_its_ranges(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    checkpoint = deep_checkpoint()
    checkpoint["layers"][0]["projections"][0]["delay"] = 1
    save(checkpoint, Path("deep.pt"))
    for name, shown in (("import", "float"), ("quantise", "4-bit"), ("bound", "bound conv2  V in [")):
        status, out, err = run(capsys, "compile", "deep.pt", "--print-after", name)
        assert status == 1
        assert shown in out
        assert err == (
            "snnc: error: Layer 'conv1' hears pixels with a delay; the hardware that holds them back is not built yet. "
            "Leave the delay out, or use rate or events encoding. 'snnc evaluate' runs it in integers; --print-after "
            "bound shows its ranges.\n"
        )
    assert run(capsys, "compile", "deep.pt", "--dry-run")[0] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["deep.pt"]


@pytest.mark.usefixtures("fake_rtl")
def test_what_is_rewritten_is_said_and_computes_what_was_trained(tmp_path, capsys):
    plain = deep_checkpoint()
    plain["input"]["encoding"] = "rate"
    plain["layers"][0]["projections"][0]["delay"] = 1
    save(plain, tmp_path / "late.pt")
    build = tmp_path / "build"
    status, out, _ = run(capsys, "compile", tmp_path / "late.pt", "-o", build, "--print-after", "lower")
    assert status == 0
    first, second = (
        "Layer 'input_relay', 1 x 6 x 6 neurons, repeats the spikes of 'input', which one projection can hear, without "
        "a delay.",
        "Layer 'conv1', which hears all else with a delay, keeps in step with 'input_relay' through 4 weights of 0.",
    )
    shown, said = out.split("deep on", maxsplit=1)
    for sentence in (first, second):
        assert f"  rewritten: {sentence}\n" in shown
        assert f"\n{sentence}\n" in said
        assert f"\n- {sentence}\n" in (build / "report.md").read_text()
    trained, compiled = open_subject(tmp_path / "late.pt").integer, open_build(build).load_graph()
    assert {layer.name for layer in compiled.layers} - {layer.name for layer in trained.layers} == {"input_relay"}
    spikes = np.random.default_rng(0).random((4, 9, 36)) < 0.5
    expected, found = (golden.run(graph, spikes, time_steps=4).logits for graph in (trained, compiled))
    assert expected.any()
    np.testing.assert_array_equal(found, expected)


@pytest.mark.usefixtures("fake_rtl")
def test_binary_weights_take_two_bits_of_memory(student, tmp_path, capsys):
    assert run(capsys, "compile", student, "-o", tmp_path / "build", "--weight-bits", "1")[0] == 0
    build = open_build(tmp_path / "build")
    assert [engine.projections[0].weight_bits for engine in build.plan.engines] == [2, 2]
    assert all(set(np.unique(projection.weight)) <= {-1, 1} for projection in build.load_graph().projections)


def evil_student(path: Path) -> Path:
    class Evil:
        def __reduce__(self):
            return os.system, ("touch ran",)

    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", pickle.dumps(Evil(), 2))
    return path


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["compile", "absent.pt"], "absent.pt"),
        (["compile", "truncated.pt"], "truncated.pt"),
        (["compile", "evil.pt"], "posix.system"),
        (["compile", "nan.pt"], "NaN"),
        (["compile", "conv.pt"], "'conv2d'"),
        (["compile", "student.pt", "--target", "xilinx"], "'xilinx'"),
        (["compile", "student.pt", "--device", "up6k"], "'up6k'"),
        (["compile", "student.pt", "--lanes", "16"], "--lanes"),
        (["compile", "student.pt", "--lanes", "a,b"], "--lanes"),
        (["compile", "student.pt", "--lanes", "16x,10"], "--lanes"),
        (["compile", "student.pt", "--time-steps", "0"], "--time-steps"),
        (["compile", "--random", "abc"], "'abc'"),
        (["compile", "--random", "784-512-10"], "EBR"),
        (["compile", "student.pt", "-o", "student.pt"], "not a folder"),
        (["compile", "student.pt", "-o", "."], "left alone"),
        (["synth", "."], "no build folder"),
        (["synth", "absent"], "no build folder"),
        (["verify", "absent"], "no build folder"),
        (["demo", "-o", "student.pt/demo"], "student.pt"),
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("fake_rtl")
def test_errors_are_one_sentence_and_status_1(arguments, named, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(checkpoint(), Path("student.pt"))
    Path("truncated.pt").write_bytes(Path("student.pt").read_bytes()[:1500])
    evil_student(Path("evil.pt"))
    plain = checkpoint()
    plain["state"]["hidden0.0.weight"][2, 3] = float("nan")
    save(plain, Path("nan.pt"))
    save(changed(checkpoint(), "layers/0/projections/0/kind", "conv2d"), Path("conv.pt"))
    before = sorted(path.name for path in tmp_path.iterdir())
    status, _, err = run(capsys, *arguments)
    assert status == 1
    assert err.startswith("snnc: error: ")
    assert named in err
    assert err.count("\n") == 1
    assert err.rstrip().endswith(".")
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "arguments",
    [
        *(
            [],
            ["fly"],
            ["compile"],
            ["synth"],
            ["compile", "a.pt", "--random", "2-1"],
            ["compile", "a.pt", "--unknown"],
        ),
        *(["compile", "a.pt", "--seed", "3"], ["compile", "a.pt", "--encoding", "rate"]),
        *(["compile", "a.pt", "--weight-bits", "9"], ["compile", "a.pt", "--print-after", "lunch"]),
        ["compile", "a.pt", "--dry-run", "--print-after", "place"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_status_2(arguments, capsys):
    status, out, err = run(capsys, *arguments)
    assert status == 2
    assert "Usage" in err + out


def test_nothing_from_a_file_reaches_the_terminal(tmp_path, capsys):
    plain = checkpoint()
    plain["layers"][0]["\x1b[2J\n"] = 1
    status, _, err = run(capsys, "compile", save(plain, tmp_path / "student.pt"))
    assert status == 1
    assert "unknown setting '?[2J?'" in err
    assert err.count("\n") == 1


def test_statuses_of_the_process(tmp_path):
    result = snnc("compile", "absent.pt", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("snnc: error: There is no file 'absent.pt'")
    assert snnc("compile").returncode == 2


def test_a_missing_tool_is_named(student, tmp_path):
    result = snnc("compile", student, "-o", tmp_path / "b", environment={"SNNC_YOSYS": "/absent/yosys"})
    assert result.returncode == 1
    assert "Yosys was not found at '/absent/yosys'" in result.stderr
    assert not (tmp_path / "b").exists()


def test_a_bug_keeps_its_traceback(monkeypatch):
    def broken(*arguments, **options):
        raise ZeroDivisionError

    monkeypatch.setattr(cli.cli, "main", broken)
    with pytest.raises(ZeroDivisionError):
        cli.run([])


@pytest.mark.usefixtures("fake_rtl")
def test_a_failed_compilation_keeps_the_good_build(student, tmp_path, capsys, monkeypatch):
    folder = tmp_path / "build"
    assert run(capsys, "compile", student, "-o", folder)[0] == 0
    before = open_build(folder).manifest

    def failing(plan):
        raise ToolError("Yosys failed: no such luck.")

    monkeypatch.setattr("snnc.compiler.backend.emit_verilog", failing)
    status, _, err = run(capsys, "compile", student, "-o", folder, "--time-steps", "2")
    assert (status, err) == (1, "snnc: error: Yosys failed: no such luck.\n")
    assert open_build(folder).manifest == before


def test_an_interrupt_is_one_line_and_status_130(tmp_path):
    """Ctrl-C while a network is read."""
    code = """
import os, signal
from snnc.compiler import cli
import snnc.compiler.pipeline as pipeline
def interrupted(*arguments):
    os.kill(os.getpid(), signal.SIGINT)
    import time; time.sleep(10)
pipeline.import_network = interrupted
cli.main()
"""
    started = time.monotonic()
    result = subprocess.run(
        [sys.executable, "-c", code, "compile", "--random", "8-4-2", "-o", str(tmp_path / "b")],
        capture_output=True,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert result.returncode == 130
    # The first line break ends the terminal's line with ^C.
    assert result.stderr == "\nsnnc: interrupted; nothing was left half-written.\n"
    assert time.monotonic() - started < 9
    assert not (tmp_path / "b").exists()


def test_a_command_runs_with_the_garbage_collector(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["snnc", "compile", "--help"])
    monkeypatch.setattr("signal.signal", lambda *_: None)
    with pytest.raises(SystemExit):
        cli.main()
    assert gc.isenabled()
    assert "Usage" in capsys.readouterr().out
    gc.unfreeze()
