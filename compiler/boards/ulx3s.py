"""ULX3S: an ECP5 of four sizes."""

from __future__ import annotations

from typing import Final

from snnc.compiler.boards.base import Board, Led

__all__ = ["BOARD"]

_PINS: Final = "amaranth-boards 0.0.21, ulx3s.py"

BOARD: Final = Board(
    name="ulx3s",
    title="Radiona ULX3S",
    url="https://radiona.org/ulx3s/",
    target="ecp5",
    devices=("12k", "25k", "45k", "85k"),
    package="CABGA381",
    clock_pin="G2",
    clock_hz=25_000_000,
    pll="EHXPLLL",
    receive="M1",
    transmit="L4",
    bridge="FT231X",
    life=Led(pin="B2", low=False),
    activity=Led(pin="C2", low=False),
    loader=("openFPGALoader", "-b", "ulx3s", "-f"),
    sources={
        **dict.fromkeys(("package", "clock_pin", "clock_hz", "receive", "transmit", "life", "activity"), _PINS),
        "pll": "Lattice FPGA-DS-02012",
        "loader": "openFPGALoader, doc/boards.yml",
        "bridge": "ULX3S, doc/schematics.pdf",
    },
)
