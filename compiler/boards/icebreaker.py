"""iCEBreaker 1.0: an UP5K, 1 MB of flash and an FT2232H with two channels."""

from __future__ import annotations

from typing import Final

from snnc.compiler.boards.base import Board, Led

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
    receive="6",
    transmit="9",
    bridge="FT2232H, its second port",
    life=Led(pin="37", low=True),
    activity=Led(pin="11", low=True),
    loader=("openFPGALoader", "-b", "ice40_generic"),
    sources={
        **dict.fromkeys(("package", "clock_pin", "clock_hz", "receive", "transmit", "life", "activity"), _PINS),
        "loader": "openFPGALoader, doc/boards.yml (ice40_generic)",
        "bridge": "icebreaker-fpga/icebreaker, hardware/v1.0e: the schematic",
    },
)
