"""Lattice iCE40: synthesis with Yosys, placement and routing with nextpnr, bitstream with icepack.

The numbers are those of Lattice's data sheets (LP/HX FPGA-DS-02029, Ultra FPGA-DS-02028, UltraPlus FPGA-DS-02008); pins
are those that nextpnr can place on, from Project IceStorm's package tables. nextpnr knows dies, not devices: it would
fill the 7,680 cells of an HX4K, whose data sheet grants 3,520. The data sheet counts here, and a design that passes it
is refused; a note says where the silicon has more.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from snnc.compiler.errors import OptionError, ToolError
from snnc.compiler.targets.base import Device, Implementation, Package, Resource, Synthesis, Target, check_fits
from snnc.compiler.toolchain import run_tool, yosys_folder

__all__ = ["DEVICES", "TARGET", "Ice40"]


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
    note: str = "",
) -> Device:
    return Device(
        name=name,
        family="ice40",
        title=title,
        logic_cells=logic_cells,
        block_rams=block_rams,
        block_ram_bits=4096,
        block_ram_modes=((256, 16), (512, 8), (1024, 4), (2048, 2)),
        spram_blocks=spram_blocks,
        spram_mode=(16384, 16) if spram_blocks else (0, 0),
        dsps=dsps,
        packages=tuple(Package(name=package, pins=pins) for package, pins in packages.items()),
        default_mhz=default_mhz,
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
        _device("up5k", "iCE40 UltraPlus UP5K", 5280, 30, {"sg48": 39, "uwg30": 21}, 40, spram_blocks=4, dsps=8),
        _device("u1k", "iCE40 Ultra iCE5LP1K", 1100, 16, {"sg48": 39}, 40, dsps=2, note=_U4K_DIE),
        _device("u2k", "iCE40 Ultra iCE5LP2K", 2048, 20, {"sg48": 39}, 40, dsps=4, note=_U4K_DIE),
        _device("u4k", "iCE40 Ultra iCE5LP4K", 3520, 20, {"sg48": 39}, 40, dsps=4),
    )
}

# nextpnr's name of each kind of resource that a design of ours can use, and what people call it.
_RESOURCES = {
    "LC": "ICESTORM_LC",
    "EBR": "ICESTORM_RAM",
    "SPRAM": "ICESTORM_SPRAM",
    "DSP": "ICESTORM_DSP",
    "IO": "SB_IO",
}


class Ice40(Target):
    """The family's devices and tools."""

    name = "ice40"
    devices = DEVICES
    default_device = "up5k"

    def synthesise(
        self,
        sources: Sequence[Path],
        *,
        top: str,
        device: Device,
        folder: Path,
        base: Path | None = None,
        timeout: float | None = None,
    ) -> Synthesis:
        folder.mkdir(parents=True, exist_ok=True)
        cwd = folder if base is None else base
        netlist = folder / f"{top}.json"
        part = netlist.with_name(netlist.name + ".part")
        # The delays that abc maps for: HX, LP, or the two Ultra families, which share theirs. Not -dff: it gains 5 % of
        # Fmax by changing registers in ways that only the simulation of the netlist covers.
        speed = {"h": "hx", "l": "lp", "u": "u"}[device.name[0]]
        lines = [
            *(_read_command(source, cwd) for source in sources),
            f'synth_ice40 -device {speed} -top {top} -json "{_relative(part, cwd)}"',
        ]
        script = folder / "synth.ys"
        script.write_text("\n".join(lines) + "\n", encoding="utf-8")
        arguments = ["-s", _relative(script, cwd)]
        result = run_tool("yosys", arguments, cwd=cwd, log=folder / "yosys.log", produces=[part], timeout=timeout)
        design = json.loads(part.read_text(encoding="utf-8"))
        cells = Counter(cell["type"] for cell in design["modules"][top]["cells"].values())
        part.replace(netlist)
        return Synthesis(netlist=netlist, log=result.log, cells=cells, seconds=result.seconds)

    def netlist_verilog(self, netlist: Path, *, folder: Path, timeout: float | None = None) -> tuple[Path, ...]:
        verilog, script = folder / "netlist.v", folder / "netlist.ys"
        part = verilog.with_name(verilog.name + ".part")
        lines = [f'read_json "{_relative(netlist, folder)}"', f'write_verilog -noattr "{part.name}"']
        script.write_text("\n".join(lines) + "\n", encoding="utf-8")
        run_tool("yosys", ["-s", script.name], cwd=folder, log=folder / "netlist.log", produces=[part], timeout=timeout)
        part.replace(verilog)
        return verilog, yosys_folder() / "ice40" / "cells_sim.v"

    def place_and_route(
        self,
        netlist: Path,
        *,
        device: Device,
        folder: Path,
        package: str | None = None,
        pins: Path | None = None,
        seed: int = 1,
        mhz: float | None = None,
        options: Sequence[str] = (),
        timeout: float | None = None,
    ) -> Implementation:
        housing = device.package(package)
        target_mhz = device.default_mhz if mhz is None else mhz
        folder.mkdir(parents=True, exist_ok=True)
        stem = f"{netlist.stem}.seed{seed}"
        layout, report, log = (folder / f"{stem}.{kind}" for kind in ("asc", "report.json", "nextpnr.log"))
        layout_part, report_part = (path.with_name(path.name + ".part") for path in (layout, report))
        arguments = [
            f"--{device.name}",
            *("--package", housing.name),
            *("--json", _relative(netlist, folder)),
            *("--asc", layout_part.name),
            *("--report", report_part.name),
            *("--seed", str(seed)),
            *("--freq", f"{target_mhz:g}"),
            "--timing-allow-fail",  # the Fmax that was reached is the result, not whether it is the one hoped for
            *(("--pcf", _relative(pins, folder)) if pins else ()),
            *options,
        ]
        try:
            result = run_tool(
                "nextpnr-ice40", arguments, cwd=folder, log=log, produces=[layout_part, report_part], timeout=timeout
            )
        except ToolError:
            # A design that is too large ends in "no BELs remaining"; the utilisation printed before it says what of.
            if log.exists():
                check_fits(device, _resources(_printed_use(log), device, housing))
            raise
        found = json.loads(report_part.read_text(encoding="utf-8"))
        use = {kind: entry["used"] for kind, entry in found["utilization"].items()}
        resources = _resources(use, device, housing)
        check_fits(device, resources)
        layout_part.replace(layout)
        report_part.replace(report)
        return Implementation(
            device=device,
            package=housing,
            seed=seed,
            resources=resources,
            fmax_mhz=_fmax(found),
            target_mhz=target_mhz,
            layout=layout,
            report=report,
            log=log,
            seconds=result.seconds,
        )

    def pack(self, implementation: Implementation, *, folder: Path, timeout: float | None = None) -> Implementation:
        bitstream = folder / implementation.layout.with_suffix(".bin").name
        part = bitstream.with_name(bitstream.name + ".part")
        run_tool(
            "icepack",
            [_relative(implementation.layout, folder), part.name],
            cwd=folder,
            log=bitstream.with_suffix(".icepack.log"),
            produces=[part],
            timeout=timeout,
        )
        part.replace(bitstream)
        return dataclasses.replace(implementation, bitstream=bitstream)


TARGET = Ice40()


def _relative(path: Path, folder: Path) -> str:
    # Relative because of toolchain.run_tool; os.path because pathlib's relative_to (3.11) cannot climb.
    return os.path.relpath(path.resolve(), folder.resolve())


def _read_command(source: Path, folder: Path) -> str:
    commands = {".v": "read_verilog", ".sv": "read_verilog -sv", ".il": "read_rtlil"}
    if source.suffix not in commands:
        raise OptionError(f"{source} cannot be synthesised: sources end in {', '.join(commands)}.")
    return f'{commands[source.suffix]} "{_relative(source, folder)}"'


def _printed_use(log: Path) -> dict[str, int]:
    """What nextpnr's log says of the use: ``Info:   ICESTORM_LC:  2034/ 5280    38%``."""
    rows = re.findall(r"^Info:\s+(\w+):\s*(\d+)/\s*\d+", log.read_text(encoding="utf-8"), re.MULTILINE)
    return {kind: int(used) for kind, used in rows}


def _resources(use: Mapping[str, int], device: Device, package: Package) -> tuple[Resource, ...]:
    available = {
        "LC": device.logic_cells,
        "EBR": device.block_rams,
        "SPRAM": device.spram_blocks,
        "DSP": device.dsps,
        "IO": package.pins,
    }
    return tuple(
        Resource(name=name, used=use.get(kind, 0), available=available[name]) for name, kind in _RESOURCES.items()
    )


def _fmax(report: Mapping[str, Any]) -> dict[str, float]:
    """Per clock. nextpnr's net names carry the buffers that the clock went through: ``clk$SB_IO_IN_$glb_clk``."""
    return {name.split("$")[0]: entry["achieved"] for name, entry in report["fmax"].items()}
