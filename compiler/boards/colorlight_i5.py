"""Colorlight i5 7.0, an LED panel's controller, on its extension board with a CMSIS-DAP programmer."""

from __future__ import annotations

from typing import Final

from snnc.compiler.boards.base import Board, Led

__all__ = ["BOARD"]

_PINS: Final = "litex-boards 2023.12, platforms/colorlight_i5.py"

BOARD: Final = Board(
    name="colorlight-i5",
    title="Colorlight i5",
    url="https://github.com/wuxx/Colorlight-FPGA-Projects",
    target="ecp5",
    devices=("25k",),
    package="CABGA381",
    clock_pin="P3",
    clock_hz=25_000_000,
    pll="EHXPLLL",
    receive="H18",
    transmit="J17",
    baud=115_200,
    bridge="the extension board's CMSIS-DAP",
    life=Led(pin="U16", low=True),
    loader=("openFPGALoader", "-b", "colorlight-i5", "-f"),
    sources={
        **dict.fromkeys(("package", "clock_pin", "clock_hz", "receive", "transmit", "life", "activity"), _PINS),
        "pll": "Lattice FPGA-DS-02012",
        "loader": "openFPGALoader, doc/boards.yml",
        "bridge": "wuxx/Colorlight-FPGA-Projects, README",
        "baud": "wuxx/Colorlight-FPGA-Projects, README: the examples' rate",
    },
)
