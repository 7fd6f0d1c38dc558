"""`snnc verify --level`: which file is held against the golden model, what the verdict says, and how long it counts."""

from __future__ import annotations

import hashlib
import json

import pytest

from snnc.compiler import cli
from snnc.compiler.backend import emit
from snnc.compiler.build.folder import open_build, write_build
from snnc.compiler.commands import levels
from snnc.compiler.commands.levels import Level, verdicts
from snnc.compiler.errors import VerificationError
from snnc.rtl.tops import UART
from tests.compiler.networks import random_design

FILES = {Level.GATES: "snnc_uart.json", Level.ROUTED: "a.routed.json", Level.BITSTREAM: "a.bin"}
BELOW = tuple(FILES)


@pytest.fixture
def build(tmp_path):
    path = tmp_path / "build"
    write_build(path, emit(random_design((12, 6, 3))).files, source="a test")
    return open_build(path)


@pytest.fixture
def on_board(build):
    folder = build.path / "board"
    folder.mkdir()
    for level, name in FILES.items():
        (folder / name).write_text(level)
    facts = {
        "board": "icebreaker",
        "device": "up5k",
        "clock_hz": 12_000_000,
        "fmax_mhz": 38.8,
        "seed": 1,
        "baud": 1_000_000,
        "routed": "board/a.routed.json",
        "bitstream": "board/a.bin",
        "sha256": hashlib.sha256(b"bitstream").hexdigest(),
        "model_hash": build.model_hash,
    }
    (folder / "result.json").write_text(json.dumps(facts))
    return build


@pytest.fixture
def simulated(monkeypatch):
    """Tools and simulation that take no time: what was compared, and with how many samples."""
    seen = []

    def netlist(build, level, compared, folder, timeout):
        seen.append(compared.read_text())
        return ()

    def verify(build, netlist, inputs, *, time_steps, clock_hz, baud, flash, top):
        assert (flash, top) == (None, UART)
        seen.append((inputs.shape, clock_hz, baud))

    monkeypatch.setattr(levels, "_board_netlist", netlist)
    monkeypatch.setattr(levels, "verify_top", verify)
    return seen


@pytest.mark.parametrize("level", BELOW)
def test_a_verdict_names_what_was_compared_by_its_hash(level, on_board, simulated, capsys):
    assert cli.run(["verify", str(on_board.path), "--level", str(level)]) == 0
    assert f"Equal: the {level.called} gives" in capsys.readouterr().out
    (text, (shape, clock, baud)) = simulated
    assert (text, clock, baud) == (level, 12_000_000, 1_000_000)
    assert 20 in shape
    facts = json.loads((on_board.path / level / "result.json").read_text())
    assert facts["compared"].keys() == {f"board/{FILES[level]}", "model.npz"}
    assert facts["compared"][f"board/{FILES[level]}"] == hashlib.sha256(level.encode()).hexdigest()
    assert (facts["samples"], facts["logits"], facts["source"]) == (20, 60, "random inputs")
    assert facts["tools"]
    assert level.called in (on_board.path / "report.md").read_text()
    assert list(verdicts(on_board)) == [(level, 20)]
    open_build(on_board.path)


@pytest.mark.parametrize("name", ["routed", "gates"])
def test_flash_shows_the_levels_that_hold_for_the_files_that_are_there(name, on_board, simulated, capsys):
    flash = ["flash", str(on_board.path), "--dry-run"]
    assert cli.run(flash) == 0
    assert "Not verified yet" in capsys.readouterr().out
    for level in BELOW:
        assert cli.run(["verify", str(on_board.path), "--level", str(level), "--samples", "7"]) == 0
    assert cli.run(flash) == 0
    found = "netlist of synthesis (7 samples), routed netlist (7 samples), bitstream (7 samples)."
    assert f"Equal to the golden model in simulation: {found}" in capsys.readouterr().out
    (on_board.path / "board" / FILES[Level(name)]).write_text("another")
    assert cli.run(flash) == 0
    out = capsys.readouterr().out
    assert Level(name).called not in out
    assert "bitstream (7 samples)" in out


def test_a_verdict_that_names_what_is_outside_or_is_no_verdict_does_not_count(on_board, simulated):
    for level in BELOW:
        assert cli.run(["verify", str(on_board.path), "--level", str(level)]) == 0
    path = on_board.path / "gates" / "result.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"compared": {"/dev/zero": "0"}}))
    (on_board.path / "routed" / "result.json").write_text("[]")
    (on_board.path / "bitstream" / "result.json").write_text('{"compared": 3}')
    assert list(verdicts(on_board)) == []


def test_a_difference_takes_an_earlier_verdict_back(on_board, simulated, monkeypatch, capsys):
    assert cli.run(["verify", str(on_board.path), "--level", "gates"]) == 0

    def differs(*arguments, **settings):
        raise VerificationError("Sample 3: another class.")

    monkeypatch.setattr(levels, "verify_top", differs)
    assert cli.run(["verify", str(on_board.path), "--level", "gates"]) == 1
    assert "Sample 3" in capsys.readouterr().err
    assert list(verdicts(on_board)) == []


@pytest.mark.parametrize(
    ("level", "words"),
    [
        ("gates", "holds no netlist of synthesis: make it with snnc synth"),
        ("routed", "was built for no board, so that it has no routed netlist"),
        ("bitstream", "was built for no board, so that it has no bitstream"),
    ],
)
def test_what_is_not_there_is_one_sentence(level, words, build, capsys):
    assert cli.run(["verify", str(build.path), "--level", str(level)]) == 1
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("routed", "words"),
    [
        ("../../a", "which is outside"),
        ("board/b.json", "holds no routed netlist: make it with snnc build"),
    ],
)
def test_a_routed_netlist_that_cannot_be(routed, words, on_board, capsys):
    path = on_board.path / "board" / "result.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"routed": routed}))
    assert cli.run(["verify", str(on_board.path), "--level", "routed"]) == 1
    assert words in capsys.readouterr().err


def test_a_trace_is_of_the_verilog_alone(on_board, capsys):
    assert cli.run(["verify", str(on_board.path), "--level", "gates", "--trace", "a.vcd", "--samples", "1"]) != 0
    assert "goes with --level rtl alone" in capsys.readouterr().err
