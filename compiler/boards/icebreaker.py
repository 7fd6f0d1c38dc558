"""iCEBreaker 1.0: an UP5K, 1 MB of flash and an FT2232H with two channels."""

from __future__ import annotations

from typing import Final

from snnc.compiler.boards.base import Board, Flash, Led

__all__ = ["BOARD"]

_PINS: Final = "amaranth-boards 0.0.21, icebreaker.py"

BOARD: Final = Board(
    name="icebreaker",
    title="iCEBreaker",
    url="https://1bitsquared.com/products/icebreaker",
    target="ice40",
    devices=("up5k",),
    package="sg48",
    clock_pin="35",
    clock_hz=12_000_000,
    pll="SB_PLL40_PAD",
    receive="6",
    transmit="9",
    bridge="FT2232H, its second port",
    life=Led(pin="37", low=True),
    activity=Led(pin="11", low=True),
    flash=Flash(select="16", clock="15", copi="14", cipo="17", offset=0x20000),
    loader=("openFPGALoader", "-b", "ice40_generic"),
    sources={
        **dict.fromkeys(("package", "clock_pin", "clock_hz", "receive", "transmit", "life", "activity"), _PINS),
        "flash": f"{_PINS}; a bitstream of an UP5K has 104,090 bytes",
        "pll": "Lattice, pinout of the package: the clock's pin is the pad of the PLL",
        "loader": "openFPGALoader, doc/boards.yml (ice40_generic)",
        "bridge": "icebreaker-fpga/icebreaker, hardware/v1.0e: the schematic",
    },
)
