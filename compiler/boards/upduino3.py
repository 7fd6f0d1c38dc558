"""UPduino 3.0: an UP5K whose serial line shares two pins with the flash."""

from __future__ import annotations

from typing import Final

from snnc.compiler.boards.base import Board, Held, Led

__all__ = ["BOARD"]

_PINS: Final = "amaranth-boards 0.0.21, upduino_v3.py"

_VENDOR: Final = "the vendor's constraints: serial_txd 14, serial_rxd 15, spi_ssn 16, shared with the flash"

BOARD: Final = Board(
    name="upduino3",
    title="UPduino 3.0",
    url="https://github.com/tinyvision-ai-inc/UPduino-v3.0",
    target="ice40",
    devices=("up5k",),
    package="sg48",
    clock_pin="20",
    clock_hz=12_000_000,
    pll="SB_PLL40_CORE",
    receive="15",
    transmit="14",
    bridge="FT232H",
    life=Led(pin="39", low=True),
    activity=Led(pin="41", low=True),
    held=(Held(pin="16", reason="the flash's select: floating, it would answer on the serial line"),),
    loader=("openFPGALoader", "-b", "ice40_generic", "-c", "ft232"),
    note="Close the jumper OSC (R16): it brings the crystal to pin 20.",
    sources={
        **dict.fromkeys(("package", "clock_pin", "clock_hz", "receive", "transmit", "life", "activity"), _PINS),
        "pll": "Lattice, pinout of the package: the clock's pin is no PLL's pad, so that it goes through the fabric",
        "loader": "openFPGALoader, doc/boards.yml (ice40_generic; the bridge has one port, hence the cable)",
        "bridge": "UPduino-v3.0, Board: the schematic",
        "receive": _VENDOR,
        "transmit": _VENDOR,
        "held": _VENDOR,
        "note": "UPduino-v3.0, Board: the schematic",
    },
)
