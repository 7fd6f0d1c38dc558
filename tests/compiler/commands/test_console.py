"""The tables that commands print."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from snnc.compiler.commands.compile import compile_command
from snnc.compiler.commands.console import show_build
from snnc.compiler.targets import TARGETS, load_target
from tests.compiler.networks import random_design


def test_the_table_of_a_build_fits_an_ordinary_terminal(capsys):
    show_build(Path("build/here"), random_design((784, 32, 10), time_steps=10))
    table = [line.rstrip() for line in capsys.readouterr().out.splitlines() if line.strip() and line.startswith("  ")]
    assert len(table) == 3
    assert max(map(len, table)) <= 80


def test_a_dry_run_lists_every_family() -> None:
    done = CliRunner().invoke(compile_command, ["--random", "64-32-10", "--target", "all", "--dry-run"])
    assert done.exit_code == 0, done.output
    for target in TARGETS:
        for device in load_target(target).devices:
            assert f" {device} " in done.output
    refused = CliRunner().invoke(compile_command, ["--random", "64-32-10", "--target", "all"])
    assert refused.exit_code == 2
    assert "--target all goes with --dry-run" in refused.output
