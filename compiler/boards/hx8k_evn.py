"""Lattice iCE40-HX8K Breakout Board: the fastest of the iCE40 family."""

from __future__ import annotations

from typing import Final

from snnc.compiler.boards.base import Board, Led

__all__ = ["BOARD"]

_PINS: Final = "amaranth-boards 0.0.21, ice40_hx8k_b_evn.py"

BOARD: Final = Board(
    name="hx8k-evn",
    title="Lattice iCE40-HX8K Breakout Board",
    url="https://www.latticesemi.com/Products/DevelopmentBoardsAndKits/iCE40HX8KBreakoutBoard.aspx",
    target="ice40",
    devices=("hx8k",),
    package="ct256",
    clock_pin="J3",
    clock_hz=12_000_000,
    pll="SB_PLL40_CORE",
    receive="B10",
    transmit="B12",
    bridge="FT2232H, its second port",
    life=Led(pin="C3", low=False),
    activity=Led(pin="B3", low=False),
    loader=("openFPGALoader", "-b", "ice40_generic"),
    note="Jumper J6 as for programming the flash (Lattice EB85).",
    sources={
        **dict.fromkeys(("package", "clock_pin", "clock_hz", "receive", "transmit", "life", "activity"), _PINS),
        "pll": "Lattice, pinout of the package: the clock's pin is no PLL's pad, so that it goes through the fabric",
        "loader": "openFPGALoader, doc/boards.yml (ice40_generic)",
        "bridge": "Lattice EB85, iCE40-HX8K Breakout Board",
        "note": "Lattice EB85, iCE40-HX8K Breakout Board",
    },
)
