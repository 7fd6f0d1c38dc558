"""Olimex GateMateA1-EVB: a CCGM1A1 with an RP2040 as programmer and serial bridge."""

from __future__ import annotations

from typing import Final

from snnc.compiler.boards.base import Board, Led

__all__ = ["BOARD"]

_PINS: Final = "litex-boards, platforms/olimex_gatemate_a1_evb.py (037570943025)"

BOARD: Final = Board(
    name="gatemate-evb",
    title="Olimex GateMateA1-EVB",
    url="https://www.olimex.com/Products/FPGA/GateMate/GateMateA1-EVB/open-source-hardware",
    target="gatemate",
    devices=("ccgm1a1",),
    package="FBGA324",
    clock_pin="IO_SB_A8",
    clock_hz=10_000_000,
    receive="IO_SA_A6",
    transmit="IO_SA_B6",
    bridge="RP2040 (DirtyJTAG), its serial port",
    life=Led(pin="IO_SB_B6", low=True),
    loader=("openFPGALoader", "-b", "olimex_gatemateevb", "-f"),
    sources={
        **dict.fromkeys(("package", "clock_pin", "clock_hz", "receive", "transmit", "life", "activity"), _PINS),
        "loader": "openFPGALoader, doc/boards.yml",
        "bridge": "OLIMEX/GateMateA1-EVB, SOFTWARE/dirtyJtag/README.txt",
    },
)
