"""iCESugar 1.5: an UP5K with a microcontroller as programmer, disk and serial bridge."""

from __future__ import annotations

from typing import Final

from snnc.compiler.boards.base import Board, Flash, Led

__all__ = ["BOARD"]

_PINS: Final = "amaranth-boards 0.0.21, icesugar.py"

BOARD: Final = Board(
    name="icesugar",
    title="MuseLab iCESugar",
    url="https://github.com/wuxx/icesugar",
    target="ice40",
    devices=("up5k",),
    package="sg48",
    clock_pin="35",
    clock_hz=12_000_000,
    pll="SB_PLL40_PAD",
    receive="4",
    transmit="6",
    baud=115_200,
    bridge="iCELink",
    life=Led(pin="41", low=True),
    activity=Led(pin="40", low=True),
    flash=Flash(select="16", clock="15", copi="14", cipo="17", offset=0x20000),
    loader=("icesprog",),
    sources={
        **dict.fromkeys(("package", "clock_pin", "clock_hz", "receive", "transmit", "life", "activity"), _PINS),
        "flash": f"{_PINS}; a bitstream of an UP5K has 104,090 bytes",
        "pll": "Lattice, pinout of the package: the clock's pin is the pad of the PLL",
        "loader": "wuxx/icesugar, README: openFPGALoader does not know the programmer, icesprog does",
        "bridge": "wuxx/icesugar, README",
        "baud": "wuxx/icesugar, README: the examples' rate",
    },
)
