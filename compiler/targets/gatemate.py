"""Cologne Chip GateMate: synthesis with Yosys, placement and routing with nextpnr, bitstream with gmpack.

The numbers are those of the data sheet (DS1001) in the units of Project Peppercorn: a logic element (CPE) is two
halves, each with a tree of look-up tables of two inputs and a flip-flop, which nextpnr counts as CPE_LT. Its
flip-flops have one set or reset input, which is asynchronous: synchronous resets, which the core has, are logic, and
the design takes more of it than of another family's.

A block RAM of 40 Kbit is two halves of 20,480 bits, which the bitstream initialises and which are counted here: what
takes a whole one counts twice. A word of up to 20 bits goes through one port, one of 40 bits takes both, which leaves
one to read and one to write; the shapes with 1 and 2 bits reach 16,384. What a read of a word gives that is written
at the same edge, the engines never ask; Yosys's model gives the old word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from snnc.compiler.targets.base import Device, Package, Pin
from snnc.compiler.targets.nextpnr import NextpnrTarget
from snnc.compiler.tools import yosys_folder, yowasp_tool

__all__ = ["DEVICES", "TARGET", "GateMate"]

_MODULE = "yowasp_nextpnr_himbaechel_gatemate"

DEVICES: Mapping[str, Device] = {
    "ccgm1a1": Device(
        name="ccgm1a1",
        family="gatemate",
        title="GateMate CCGM1A1",
        logic_cells=40960,
        logic_name="CPE_LT",
        logic_scale=1.7,  # 1.53 to 2.2 for six networks of 64-32-10 to 256-64-10
        widest_lanes=64,
        block_rams=64,
        block_ram_name="half BRAM",
        block_ram_bits=20480,
        block_ram_modes=((512, 40), (1024, 20), (2048, 10), (4096, 5), (8192, 2), (16384, 1)),
        multiplies=True,
        packages=(Package(name="FBGA324", pins=162),),
        default_mhz=40,
        placed_mhz=(44.4, 44.9),
    )
}


LOGIC: Final[Mapping[str, float]] = {
    "bank": 103,
    "constant cell": 0.191,
    "convolution address bit": 9.74,
    "current bit": 2.78,
    "dense address bit": 5.29,
    "digits": 181,
    "exit": 731,
    "forwarded bit": 5.48,
    "gather address bit": 8.21,
    "gather bit": 2.98,
    "gather unit": 175,
    "group bit": 0.886,
    "hard reset bit": 0.499,
    "image address bit": 13.5,
    "image bit": 0.962,
    "image current bit": 6.1,
    "image product bit": 4.55,
    "image summed bit": 4.83,
    "image unit": 122,
    "list": 366,
    "list bit": 0.325,
    "list current bit": 3.83,
    "list product bit": 4.13,
    "list summed bit": 6.09,
    "map": 82.3,
    "map lane": 5.04,
    "memory cell": 3.05,
    "operand bit": 1.26,
    "pass bit": 1.26,
    "queue": 132,
    "queue bit": 2.43,
    "readout": 56.2,
    "readout bit": 1.07,
    "ring cell": 1.64,
    "scatter": 76.7,
    "scatter bit": 2.21,
    "shifter bit": 1.22,
    "skip column": 9.52,
    "skip unit": 165,
    "source lane": 3.4,
    "stage bit": 0.189,
    "staged bit": 5.21,
    "table cell": 1.37,
    "walk": 117,
}
"""What one of each term of the estimate of logic takes, as ``python benchmarks/logic.py fit`` prints it."""


class GateMate(NextpnrTarget):
    """The family's device and tools."""

    name = "gatemate"
    devices = DEVICES
    default_device = "ccgm1a1"
    logic = LOGIC
    placer = yowasp_tool("nextpnr-himbaechel-gatemate", module=_MODULE, extra="gatemate")
    packer = yowasp_tool("gmpack", module=_MODULE, extra="gatemate")
    layout_suffix = "config"
    bitstream_suffix = "bit"
    pins_suffix = "ccf"
    cells: Mapping[str, str] = {
        "CPE_LT": "CPE_LT",
        "FF": "CPE_FF",
        "half BRAM": "RAM_HALF",
        "IO": "GPIO",
    }

    def synthesis_command(self, device: Device) -> str:
        # nextpnr knows the trees alone, and no multiplexer of eight. The few products here are small.
        return "synth_gatemate -luttree -nomx8 -nomult"

    def constraints(self, pins: Sequence[Pin]) -> str:
        lines = (f'Net "{pin.port}" Loc = "{pin.location}"{" | PULLUP=true" if pin.pull_up else ""};\n' for pin in pins)
        return "".join(lines)

    def placement_options(
        self, device: Device, package: Package, pins: str | None, layout: str | None
    ) -> Sequence[str]:
        # Without constraints every pin may be anywhere; with them, one that was forgotten is an error. What it routes
        # over carry lines nextpnr 0.11 names afterwards by a recursion as deep as the net is long, and the stack of the
        # wheel, 64 KiB, ends after about a hundred steps: where pins are given, nets are longer than that.
        constraints = (f"ccf={pins}", "no-cpe-cp") if pins else ("allow-unconstrained",)
        options = (*constraints, *((f"out={layout}",) if layout else ()))
        return ["--device", device.name.upper(), *(word for option in options for word in ("--vopt", option))]

    def cell_models(self, folder: Path) -> tuple[Sequence[str], Sequence[Path]]:
        return (), (yosys_folder() / "gatemate" / "cells_sim.v",)


TARGET = GateMate()
