"""The tables that commands print."""

from __future__ import annotations

from pathlib import Path

from snnc.compiler.commands.console import show_build
from tests.compiler.networks import random_design


def test_the_table_of_a_build_fits_an_ordinary_terminal(capsys):
    show_build(Path("build/here"), random_design((784, 32, 10), time_steps=10))
    table = [line.rstrip() for line in capsys.readouterr().out.splitlines() if line.strip() and line.startswith("  ")]
    assert len(table) == 3
    assert max(map(len, table)) <= 80
