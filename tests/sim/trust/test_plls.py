"""Tops that run from a PLL, with a model of it in the time of the simulation, and a serial line at the board's rate."""

from __future__ import annotations

import re

import pytest

from snnc.compiler.backend import emit
from snnc.compiler.boards import find_board
from snnc.compiler.boards.clocks import fastest_clock
from snnc.compiler.build.folder import open_build, write_build
from snnc.compiler.commands.board_top import top_for
from snnc.compiler.commands.verify import random_inputs
from snnc.compiler.link import LinkError, Session
from snnc.compiler.link.port import Port
from snnc.compiler.targets import load_target
from snnc.sim.cosimulation.board import board_executable, simulated_board
from snnc.sim.trust.onboard import answers, checked
from tests.compiler.networks import random_design

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    path = tmp_path_factory.mktemp("plls") / "build"
    write_build(path, emit(random_design((12, 6, 3))).files, source="a test")
    return open_build(path)


def ask(build, board, text, folder, samples=10):
    """Samples through a top; the greeting's clock comes back."""
    top = folder / "uart.v"
    top.write_text(text)
    models = load_target(board.target).pll_sources(top)
    assert models
    executable = board_executable([*build.core_verilog, top, *models])
    with simulated_board(executable, cwd=build.path, clock_hz=board.clock_hz, baud=board.baud) as name:
        line = Port(name, board.baud)
        try:
            session = Session(line, timeout=5, tries=2)
            steps = build.plan.time_steps
            inputs = random_inputs(build.plan, samples, time_steps=steps, density=0.3, seed=0)
            found = list(checked(answers(session, build, inputs, time_steps=steps), build, inputs, time_steps=steps))
            assert len(found) == samples
            return session.identity.clock_hz
        finally:
            line.close()


@pytest.mark.parametrize(("name", "mhz"), [("icebreaker", 40), ("upduino3", 34), ("ulx3s", 71), ("tangnano9k", 61)])
def test_a_top_answers_at_the_clock_of_its_pll(name, mhz, build, tmp_path):
    board = find_board(name)
    clock = fastest_clock(board, board.device(), mhz * 1e6)
    assert clock is not None
    assert clock.pll is not None
    assert ask(build, board, top_for(build, board, clock), tmp_path) == clock.hz


@pytest.mark.parametrize(
    ("what", "becomes"),
    [
        (r"\.DIVF\(32'd(\d+)\)", ".DIVF(32'd60)"),  # another clock than the line is divided for
        (r"\.RESETB\(1'h1\)", ".RESETB(1'h0)"),
        (r"\.FEEDBACK_PATH\(\"SIMPLE\"\)", '.FEEDBACK_PATH("DELAY")'),
    ],
)
def test_a_pll_that_is_set_wrongly_is_not_heard(what, becomes, build, tmp_path):
    board = find_board("icebreaker")
    clock = fastest_clock(board, board.device(), 40e6)
    assert clock is not None
    text = top_for(build, board, clock)
    wrong, count = re.subn(what, becomes, text)
    assert count == 1
    with pytest.raises(LinkError, match="does not answer"):
        ask(build, board, wrong, tmp_path)
