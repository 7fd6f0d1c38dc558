"""The clocks that a board's top can have: its oscillator's, and those that a PLL makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from snnc.compiler.boards.base import Board
from snnc.compiler.pll import Pll
from snnc.compiler.targets import Device, load_target
from snnc.rtl.tops import LEAST_DIVISOR

__all__ = ["LINE_ERROR", "Clock", "board_clocks", "fastest_clock", "oscillator"]

LINE_ERROR: Final = 0.01
"""How far the serial line's rate, a whole number of cycles a bit, may be from the board's: a receiver bears 5 %, of
which its own clock takes a share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """What a top runs at, and what makes it; without a PLL it is the board's oscillator."""

    hz: int
    pll: Pll | None = None

    @property
    def source(self) -> str:
        """What makes it."""
        return "the oscillator" if self.pll is None else self.pll.cell


def oscillator(board: Board) -> Clock:
    """The board's own clock."""
    return Clock(hz=board.clock_hz)


def board_clocks(board: Board, chip: Device) -> tuple[Clock, ...]:
    """Every clock at which the board's serial line has its rate, from the slowest on."""
    found = {board.clock_hz: oscillator(board)}
    if board.pll is not None:
        for pll in load_target(board.target).plls(board.pll, chip, board.clock_hz):
            cycles = max(round(pll.hz / board.baud), LEAST_DIVISOR)
            if abs(pll.hz / cycles / board.baud - 1) <= LINE_ERROR:
                found.setdefault(pll.hz, Clock(hz=pll.hz, pll=pll))
    return tuple(found[hz] for hz in sorted(found))


def fastest_clock(board: Board, chip: Device, hz: float) -> Clock | None:
    """The fastest clock of a board that is not above `hz`; None where even its slowest one is."""
    found = [clock for clock in board_clocks(board, chip) if clock.hz <= hz]
    return found[-1] if found else None
