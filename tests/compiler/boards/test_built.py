"""Digits on every board, down to the bitstream and the loader's command line: minutes each, so `make nightly`."""

from __future__ import annotations

import json

import pytest

from snnc.compiler import cli
from snnc.compiler.boards import BOARDS, find_board
from snnc.compiler.commands.build import MARGIN

pytestmark = pytest.mark.nightly


@pytest.mark.parametrize("name", BOARDS)
def test_digits_are_built_with_the_margin_and_would_be_flashed(name, repository, tmp_path, capsys):
    student, path = repository / "examples/students/digits-64-32-10-int4.pt", tmp_path / name
    assert cli.run(["build", str(student), "--board", name, "-o", str(path)]) == 0
    board = find_board(name)
    facts = json.loads((path / "board" / "result.json").read_text())
    assert facts["fmax_mhz"] * 1e6 >= MARGIN * board.clock_hz
    assert (path / facts["bitstream"]).stat().st_size > 10_000
    capsys.readouterr()
    assert cli.run(["flash", str(path), "--dry-run"]) == 0
    assert f"{' '.join(board.loader)} {path}/{facts['bitstream']}\n" in capsys.readouterr().out
