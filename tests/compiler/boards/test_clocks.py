"""The clocks of the boards' tops: which there are, which is chosen, and what is refused."""

from __future__ import annotations

import dataclasses

import pytest

from snnc.compiler import cli
from snnc.compiler.boards import BOARDS, find_board
from snnc.compiler.boards.clocks import LINE_ERROR, board_clocks, fastest_clock, oscillator
from snnc.compiler.commands.board_top import MARGIN, choose_clock
from snnc.compiler.errors import FitError
from snnc.compiler.targets import load_target
from snnc.rtl.tops import LEAST_DIVISOR


@pytest.mark.parametrize("name", BOARDS)
def test_every_clock_is_one_at_which_the_line_has_its_rate(name):
    board = find_board(name)
    clocks = board_clocks(board, board.device())
    assert oscillator(board) in clocks
    assert (len(clocks) > 1) == (board.pll is not None)
    for clock in clocks:
        cycles = round(clock.hz / board.baud)
        assert cycles >= LEAST_DIVISOR
        assert abs(clock.hz / cycles / board.baud - 1) <= LINE_ERROR
        assert clock.pll is None or clock.pll.hz == clock.hz
    assert [clock.hz for clock in clocks] == sorted({clock.hz for clock in clocks})


def ratio(pll):
    """What a setting multiplies the reference with, by the vendor's formula."""
    given = pll.parameters
    match pll.cell:
        case "rPLL":
            return (given["FBDIV_SEL"] + 1) / (given["IDIV_SEL"] + 1)
        case "EHXPLLL":
            return given["CLKFB_DIV"] * given["CLKOP_DIV"] / given["CLKI_DIV"] / given["CLKOS_DIV"]
        case _:
            return (given["DIVF"] + 1) / 2 ** given["DIVQ"] / (given["DIVR"] + 1)


@pytest.mark.parametrize("name", [name for name in BOARDS if find_board(name).pll])
def test_a_setting_makes_the_clock_that_it_says(name):
    board = find_board(name)
    assert board.pll is not None
    settings = list(load_target(board.target).plls(board.pll, board.device(), board.clock_hz))
    assert len(settings) > 100
    for pll in settings:
        assert pll.hz == pytest.approx(board.clock_hz * ratio(pll), abs=1)


@dataclasses.dataclass
class Routed:
    fmax: float


def chosen(name, reached, wanted=None):
    """What is tried and what is chosen, of a design that reaches so many MHz in turn."""
    board, tried = find_board(name), []

    def run(clock):
        tried.append(clock.hz / 1e6)
        return Routed(reached[min(len(tried), len(reached)) - 1])

    clock, placed = choose_clock(board, board.device(), wanted, run)
    assert placed.fmax is not None
    assert placed.fmax * 1e6 >= clock.hz * MARGIN
    assert tried[-1] == clock.hz / 1e6
    return tried


def test_the_fastest_clock_that_is_met_with_the_margin_is_chosen():
    assert chosen("icebreaker", [44.9]) == [12, 38.25]
    assert chosen("icebreaker", [44.9, 40.0]) == [12, 38.25, 33.75]
    assert chosen("icebreaker", [15.0]) == [12]  # a PLL would gain little
    assert chosen("gatemate-evb", [44.9]) == [10]
    assert chosen("icebreaker", [44.9, 13.0, 13.3]) == [12, 38.25, 12]  # what is routed last is what was chosen


def test_a_clock_that_cannot_be_met_is_one_sentence():
    with pytest.raises(FitError, match=r"whose clock of 12 MHz from the oscillator needs 13\.2 MHz"):
        chosen("icebreaker", [13.0])
    board = find_board("icebreaker")
    fast = fastest_clock(board, board.device(), 40e6)
    with pytest.raises(FitError, match=r"reaches 43\.0 MHz .* 39\.75 MHz from SB_PLL40_PAD needs 43\.7 MHz"):
        chosen("icebreaker", [43.0], fast)


@pytest.mark.parametrize(
    ("board", "clock", "words"),
    [
        ("icebreaker", "fast", "is neither a number of MHz, nor oscillator, nor auto"),
        ("icebreaker", "9", "its PLL makes 151 from 12 to 270 MHz"),
        ("icebreaker", "400", "is 400 MHz or a little less: its PLL makes"),
        ("gatemate-evb", "20", "or a little less: it has no PLL"),
    ],
)
def test_a_clock_that_nothing_makes_is_one_sentence(board, clock, words, capsys, repository):
    student = repository / "examples/students/digits-64-32-10-int4.pt"
    assert cli.run(["build", str(student), "--board", board, "--clock", clock]) == 1
    assert words in capsys.readouterr().err
