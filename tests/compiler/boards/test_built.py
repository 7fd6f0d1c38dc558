"""Digits on every board, down to the bitstream and the loader's command line: minutes each, so `make nightly`."""

from __future__ import annotations

import json
import re
import shutil

import pytest

from snnc.compiler import cli
from snnc.compiler.boards import BOARDS, find_board
from snnc.compiler.commands.board_top import MARGIN

pytestmark = pytest.mark.nightly


@pytest.mark.parametrize("name", BOARDS)
def test_digits_are_built_with_the_margin_and_would_be_flashed(name, repository, tmp_path, capsys):
    student, path = repository / "examples/students/digits-64-32-10-int4.pt", tmp_path / name
    assert cli.run(["build", str(student), "--board", name, "-o", str(path)]) == 0
    board = find_board(name)
    facts = json.loads((path / "board" / "result.json").read_text())
    assert facts["fmax_mhz"] * 1e6 >= MARGIN * facts["clock_hz"]
    assert facts["clock_hz"] >= board.clock_hz
    assert (path / facts["bitstream"]).stat().st_size > 10_000
    capsys.readouterr()
    assert cli.run(["flash", str(path), "--dry-run"]) == 0
    assert f"{' '.join(board.loader)} {path}/{facts['bitstream']}\n" in capsys.readouterr().out


def test_the_convolutional_student_on_an_icebreaker_in_less_than_400_us(repository, tmp_path, capsys):
    """The whole top: serial line, PLL, and weights from flash."""
    student, path = repository / "examples/students/mnist-conv-int4.pt", tmp_path / "conv"
    assert cli.run(["build", str(student), "--board", "icebreaker", "-o", str(path)]) == 0
    facts = json.loads((path / "board" / "result.json").read_text())
    assert facts["resources"]["LC"]["used"] <= 5280
    assert facts["resources"]["EBR"]["used"] <= 30
    assert facts["resources"]["DSP"]["used"] > 0
    assert facts["weights"]["offset"] == 0x20000
    capsys.readouterr()
    assert cli.run(["run", str(path), "--simulate", "--check", "--samples", "5"]) == 0
    spent = re.search(r"in the chip +[\d,]+ cycles, ([\d.]+) us", capsys.readouterr().out)
    assert spent is not None
    assert float(spent[1]) <= 400
    if shutil.which("icebox_vlog") is not None:
        assert cli.run(["verify", str(path), "--level", "bitstream", "--samples", "5"]) == 0
