"""OrangeCrab r0.2: an ECP5 in the shape of a Feather. It has no serial bridge."""

from __future__ import annotations

from typing import Final

from snnc.compiler.boards.base import Board, Led

__all__ = ["BOARD"]

_PINS: Final = "amaranth-boards 0.0.21, orangecrab_r0_2.py"

BOARD: Final = Board(
    name="orangecrab",
    title="OrangeCrab r0.2",
    url="https://github.com/orangecrab-fpga/orangecrab-hardware",
    target="ecp5",
    devices=("25k", "85k"),
    package="CSFBGA285",
    clock_pin="A9",
    clock_hz=48_000_000,
    pll="EHXPLLL",
    receive="N17",
    transmit="M18",
    bridge="an adapter of 3.3 V at the header: its TX to pin 0, its RX to pin 1",
    life=Led(pin="M3", low=True),
    activity=Led(pin="J3", low=True),
    loader=("openFPGALoader", "-b", "orangeCrab"),
    note="Hold the button while plugging it in, for its boot loader to take the bitstream.",
    sources={
        **dict.fromkeys(("package", "clock_pin", "clock_hz", "receive", "transmit", "life", "activity"), _PINS),
        "pll": "Lattice FPGA-DS-02012",
        "loader": "openFPGALoader, doc/boards.yml",
        "bridge": "litex-boards 2023.12, platforms/gsd_orangecrab.py (feather_serial)",
        "note": "OrangeCrab, documentation: the DFU boot loader",
    },
)
