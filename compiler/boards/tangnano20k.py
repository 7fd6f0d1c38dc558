"""Sipeed Tang Nano 20K: a GW2AR-18C with a programmer and serial bridge."""

from __future__ import annotations

from typing import Final

from snnc.compiler.boards.base import Board, Led

__all__ = ["BOARD"]

_PINS: Final = "litex-boards 2023.12, platforms/sipeed_tang_nano_20k.py"

BOARD: Final = Board(
    name="tangnano20k",
    title="Sipeed Tang Nano 20K",
    url="https://wiki.sipeed.com/nano20k",
    target="gowin",
    devices=("gw2ar-18c",),
    package="QN88",
    clock_pin="4",
    clock_hz=27_000_000,
    pll="rPLL",
    receive="70",
    transmit="69",
    bridge="BL616, its second port",
    life=Led(pin="15", low=True),
    activity=Led(pin="16", low=True),
    loader=("openFPGALoader", "-b", "tangnano20k", "-f"),
    sources={
        **dict.fromkeys(("package", "clock_pin", "clock_hz", "receive", "transmit", "life", "activity"), _PINS),
        "pll": "Gowin DS226",
        "loader": "openFPGALoader, doc/boards.yml",
        "bridge": "Sipeed, Tang Nano 20K wiki",
    },
)
