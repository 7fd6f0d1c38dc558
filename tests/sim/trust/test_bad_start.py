"""What a core does whose memories read 0 for the first 10 us, and whose registers start at random: nothing wrong.

The hold in reset is what stands against it, so that it is broken here, too: then the first samples are wrong.
"""

from __future__ import annotations

import re

import pytest

from snnc.compiler.backend import emit
from snnc.compiler.backend.verilog import write_verilog
from snnc.compiler.boards import BOARDS, find_board
from snnc.compiler.boards.clocks import oscillator
from snnc.compiler.build.folder import open_build, write_build
from snnc.compiler.commands.board_top import top_for
from snnc.compiler.commands.verify import random_inputs
from snnc.compiler.errors import VerificationError
from snnc.rtl.emit import emit_top
from snnc.rtl.tops import SHELL, STARTUP_SECONDS, shell
from snnc.sim.cosimulation.board import bad_start
from snnc.sim.trust.netlist import verify_netlist
from tests.compiler.networks import random_design

LATE = 1_000
"""Cycles of zeros: 10 us at 100 MHz."""


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    path = tmp_path_factory.mktemp("bad_start") / "build"
    write_build(path, emit(random_design((12, 6, 3))).files, source="a test")
    return open_build(path)


def verify_shell(build, folder, text):
    """The first samples after configuration, through the shell."""
    sources = {path.name: path.read_text() for path in build.core_verilog} | {SHELL.file: text}
    paths = []
    for name, source in sources.items():
        paths.append(folder / name)
        paths[-1].write_text(bad_start(name, source, LATE))
    steps = build.plan.time_steps
    inputs = random_inputs(build.plan, 5, time_steps=steps, density=0.3, seed=0)
    verify_netlist(build, paths, inputs, time_steps=steps)


def test_the_shell_holds_its_core_until_memories_read_what_they_hold(build, tmp_path):
    verify_shell(build, tmp_path, (build.path / "rtl" / SHELL.file).read_text())


def test_a_shell_that_held_it_for_a_few_cycles_would_be_found(build, tmp_path, monkeypatch):
    monkeypatch.setattr(shell, "SHELL_HOLD", 3)
    text = write_verilog({SHELL.name: emit_top(build.plan, SHELL)})[SHELL.name]
    with pytest.raises(VerificationError, match="expected"):
        verify_shell(build, tmp_path, text)


@pytest.mark.parametrize("name", BOARDS)
def test_a_boards_top_counts_its_hold_from_its_clock(name, build):
    """Its core is reset with every greeting, too, so that no simulation through the line would miss the hold."""
    board = find_board(name)
    cycles = round(board.clock_hz * STARTUP_SECONDS)
    counters = re.findall(r"reg \[\d+:0\] left = \d+'h([0-9a-f]+);", top_for(build, board, oscillator(board)))
    assert [int(value, 16) for value in counters].count(cycles) == 1
