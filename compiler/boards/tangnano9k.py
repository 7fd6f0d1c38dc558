"""Sipeed Tang Nano 9K: a GW1NR-9C with a programmer and serial bridge."""

from __future__ import annotations

from typing import Final

from snnc.compiler.boards.base import Board, Led

__all__ = ["BOARD"]

_PINS: Final = "amaranth-boards 0.0.21, tang_nano_9k.py"

BOARD: Final = Board(
    name="tangnano9k",
    title="Sipeed Tang Nano 9K",
    url="https://wiki.sipeed.com/nano9k",
    target="gowin",
    devices=("gw1nr-9c",),
    package="QN88P",
    clock_pin="52",
    clock_hz=27_000_000,
    pll="rPLL",
    receive="18",
    transmit="17",
    bridge="BL702, its second port",
    life=Led(pin="10", low=True),
    activity=Led(pin="11", low=True),
    loader=("openFPGALoader", "-b", "tangnano9k", "-f"),
    sources={
        **dict.fromkeys(("package", "clock_pin", "clock_hz", "receive", "transmit", "life", "activity"), _PINS),
        "pll": "Gowin DS117",
        "loader": "openFPGALoader, doc/boards.yml",
        "bridge": "Sipeed, Tang Nano 9K wiki",
    },
)
