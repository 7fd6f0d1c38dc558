"""The command as a process: what the machine does to it."""

from __future__ import annotations

import errno
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
