"""The command as a process: what the machine does to it."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from snnc.compiler import cli


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "A file"),
        (PermissionError(errno.EACCES, "Permission denied", "/there/file"), "'/there/file'"),
    ],
)
def test_a_fault_of_the_machine_is_one_sentence(error, named, monkeypatch, capsys):
    def broken(*arguments, **options):
        raise error

    monkeypatch.setattr(cli.cli, "main", broken)
    assert cli.run([]) == 1
    message = capsys.readouterr().err
    assert message.startswith(f"snnc: error: {named} cannot be read or written: {error.strerror};")
    assert message.count("\n") == 1


def test_another_system_error_is_a_bug_and_keeps_its_traceback(monkeypatch):
    def broken(*arguments, **options):
        raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    monkeypatch.setattr(cli.cli, "main", broken)
    with pytest.raises(FileNotFoundError):
        cli.run([])


def test_a_full_output_is_one_sentence():
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [
                sys.executable,
                "-c",
                "from snnc.compiler.cli import main; main()",
                "compile",
                "--random=8-4",
                "--dry-run",
            ],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert result.returncode == 1
    assert result.stderr.startswith("snnc: error: A file cannot be read or written: No space left on device;")
    assert "Traceback" not in result.stderr


def test_sigterm_is_cleaned_up_after_like_an_interrupt(tmp_path):
    code = """
import os, signal, time
from snnc.compiler import cli
import snnc.compiler.commands.compile as command
from snnc.compiler.build.folder import replacing_folder
def terminated(path, *arguments, **options):
    with replacing_folder(path):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)
command.write_build = lambda path, *arguments, **options: terminated(path)
class Design:
    files = {}
command.compile_network = lambda *arguments, **options: Design
cli.main()
"""
    result = subprocess.run(
        [sys.executable, "-c", code, "compile", "--random", "8-4-2", "-o", str(tmp_path / "b")],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 128 + signal.SIGTERM
    assert result.stderr == "\nsnnc: interrupted; nothing was left half-written.\n"
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("interrupted") / "b"
    assert cli.run(["compile", "--random", "8-4-2", "-o", str(folder)]) == 0
    return folder


@pytest.mark.parametrize(
    ("command", "deep", "says"),
    [
        ("distill -o {tmp}/s.pt", "snnc.distill.train:fit", "Training was interrupted; nothing was saved yet."),
        (
            "compare --method twkd --seeds 2 -o {tmp}/c",
            "snnc.distill.compare.processes:_consider",
            "the same command goes on",
        ),
        ("evaluate {student} -o {tmp}/e", "snnc.sim.models.golden:run", "interrupted; nothing was left half-written."),
        ("compile --random 8-4 -o {tmp}/b", "snnc.compiler.passes.bound:bound", "nothing was left half-written."),
        ("verify {built}", "snnc.compiler.tools:run_to_end", "nothing was left half-written."),
        ("synth {built} --seeds 1-2", "snnc.compiler.tools:run_to_end", "nothing was left half-written."),
        ("demo --student {student} -o {tmp}/d", "snnc.compiler.tools:run_to_end", "nothing was left half-written."),
    ],
    ids=lambda value: value.split()[0] if " " in value else "",
)
def test_every_command_ends_an_interrupt_with_130(command, deep, says, built, repository, tmp_path):
    """Wherever it comes: a job script tells an interrupt from a failure by the status alone."""
    module, name = deep.split(":")
    code = f"""
import importlib, os, signal, subprocess, time
signal.signal(signal.SIGINT, signal.default_int_handler)
def interrupt(*arguments, **options):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(30)
module = importlib.import_module({module!r})
if {name!r} == "run_to_end":
    subprocess.Popen.wait = interrupt
    module._end = lambda process: None
else:
    setattr(module, {name!r}, interrupt)
from snnc.compiler import cli
cli.main()
"""
    student = repository / "examples/students/digits-64-32-10-int4.pt"
    words = command.format(tmp=tmp_path, student=student, built=built).split()
    environment = {**os.environ, "SNNC_CACHE": str(tmp_path / "cache")}
    result = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, env=environment, cwd=tmp_path
    )
    assert result.returncode == 130, result.stderr
    assert says in result.stderr
    assert "Traceback" not in result.stderr
    assert "error" not in result.stderr
