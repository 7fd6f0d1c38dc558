"""`snnc flash`: the exact command line, and what is never flashed."""

from __future__ import annotations

import hashlib
import json

import pytest

from snnc.compiler import cli
from snnc.compiler.backend import emit
from snnc.compiler.boards import BOARDS
from snnc.compiler.build.folder import open_build, write_build
from tests.compiler.networks import random_design

LINES = {
    "icebreaker": "openFPGALoader -b ice40_generic",
    "icesugar": "icesprog",
    "upduino3": "openFPGALoader -b ice40_generic -c ft232",
    "hx8k-evn": "openFPGALoader -b ice40_generic",
    "ulx3s": "openFPGALoader -b ulx3s -f",
    "colorlight-i5": "openFPGALoader -b colorlight-i5 -f",
    "orangecrab": "openFPGALoader -b orangeCrab",
    "tangnano9k": "openFPGALoader -b tangnano9k -f",
    "tangnano20k": "openFPGALoader -b tangnano20k -f",
    "gatemate-evb": "openFPGALoader -b olimex_gatemateevb -f",
}


@pytest.fixture
def build(tmp_path):
    path = tmp_path / "build"
    write_build(path, emit(random_design((12, 6, 3))).files, source="a test")
    return open_build(path)


def built_for(build, board, **changes):
    folder = build.path / "board"
    folder.mkdir(exist_ok=True)
    (folder / "a.bin").write_bytes(b"bits")
    facts = {
        "board": board,
        "bitstream": "board/a.bin",
        "sha256": hashlib.sha256(b"bits").hexdigest(),
        "model_hash": build.model_hash,
    }
    (folder / "result.json").write_text(json.dumps(facts | changes))


@pytest.mark.parametrize("board", BOARDS)
def test_the_command_line_of_each_board(board, build, capsys):
    built_for(build, board)
    assert cli.run(["flash", str(build.path), "--dry-run"]) == 0
    assert f"{LINES[board]} {build.path}/board/a.bin\n" in capsys.readouterr().out


def test_a_build_without_a_board_is_never_flashed(build, capsys):
    assert cli.run(["flash", str(build.path), "--dry-run"]) == 1
    assert "was built for no board: a bitstream of snnc synth has its pins" in capsys.readouterr().err


@pytest.mark.parametrize(
    "changes", [{"sha256": "0" * 64}, {"model_hash": "0" * 64}, {"bitstream": "../a.bin"}, {"bitstream": 3}]
)
def test_nor_is_another_bitstream(changes, build, capsys):
    built_for(build, "icebreaker", **changes)
    assert cli.run(["flash", str(build.path), "--dry-run"]) == 1
    assert "buil" in capsys.readouterr().err


def weights_for(build, data, **changes):
    built_for(build, "icebreaker")
    (build.path / "board" / "weights.bin").write_bytes(data)
    facts = json.loads((build.path / "board" / "result.json").read_text())
    facts["weights"] = {"offset": 0x20000, "sha256": hashlib.sha256(b"weights").hexdigest()} | changes
    (build.path / "board" / "result.json").write_text(json.dumps(facts))


def test_weights_are_written_first_and_behind_the_bitstream(build, capsys):
    weights_for(build, b"weights")
    assert cli.run(["flash", str(build.path), "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    loader = "openFPGALoader -b ice40_generic"
    assert lines[-2:] == [
        f"{loader} -o 131072 {build.path}/board/weights.bin",
        f"{loader} {build.path}/board/a.bin",
    ]


@pytest.mark.parametrize(("data", "changes"), [(b"others", {}), (b"weights", {"offset": "; rm"})])
def test_other_weights_are_not_flashed(data, changes, build, capsys):
    weights_for(build, data, **changes)
    assert cli.run(["flash", str(build.path), "--dry-run"]) == 1
    assert "build it again" in capsys.readouterr().err


def test_a_missing_loader_is_one_sentence_with_the_command_line(build, capsys, monkeypatch):
    built_for(build, "icebreaker")
    monkeypatch.setenv("PATH", "")
    assert cli.run(["flash", str(build.path)]) == 1
    out, err = capsys.readouterr()
    assert "openFPGALoader -b ice40_generic" in out
    assert "openFPGALoader, which writes to iCEBreaker, is not installed" in err
