"""What the families have in common whose tools are Yosys, nextpnr and a packer of their own.

nextpnr knows dies, not devices: it would fill the 7,680 cells of an HX4K, whose data sheet grants 3,520. The data sheet
counts here, and a design that passes it is refused; a device's note says where the silicon has more.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from abc import abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from snnc.compiler.errors import OptionError, ToolError
from snnc.compiler.targets.base import Device, Implementation, Package, Resource, Synthesis, Target, check_fits
from snnc.compiler.targets.critical import clock_name, critical_path
from snnc.compiler.targets.routed import RoutedCells, readable
from snnc.compiler.tools import YOSYS, Tool, run_tool

__all__ = ["PLL_MODEL", "NextpnrTarget"]

PLL_MODEL: Final = Path(__file__).with_name("pll.v")
"""What the families' models of PLLs have in common."""


class NextpnrTarget(Target):
    """A family in terms of what its tools are called and told.

    Attributes
    ----------
    placer, packer
        nextpnr and what makes the bitstream.
    layout_suffix, bitstream_suffix
        How the names of the placed and routed design and of the packer's result end.
    cells
        nextpnr's name of each kind of resource that a design of ours can use, by the name that people use.
    places
        Kinds of cells that sit in the place of one of another kind, by that kind: nextpnr's log counts them with it,
        its report apart.
    layout_is_netlist
        Whether the placed and routed design is nextpnr's own netlist, which others write where it is asked for.
    """

    placer: Tool
    packer: Tool
    layout_suffix: str
    bitstream_suffix: str
    cells: Mapping[str, str]
    places: Mapping[str, Sequence[str]] = MappingProxyType({})
    layout_is_netlist: bool = False

    @property
    def tools(self) -> Sequence[Tool]:
        return YOSYS, self.placer, self.packer

    @abstractmethod
    def synthesis_command(self, device: Device) -> str:
        """Yosys's command for the family, without the top and the file to write."""

    @abstractmethod
    def placement_options(
        self, device: Device, package: Package, pins: str | None, layout: str | None
    ) -> Sequence[str]:
        """What nextpnr is told of the device, of the file of pin constraints and of the layout that it is to write.

        `layout` is None where it is to write none.
        """

    @abstractmethod
    def cell_models(self, folder: Path) -> tuple[Sequence[str], Sequence[Path]]:
        """Yosys commands that prepare a netlist, and its cells' models; a file that has to be made goes to `folder`."""

    def routed_cells(self, folder: Path) -> RoutedCells | None:
        """How the cells that nextpnr places are simulated, None where nobody has said so; files made go to `folder`."""
        return None

    def packing_options(self, implementation: Implementation, layout: str, bitstream: str) -> Sequence[str]:
        """What the packer is told."""
        return layout, bitstream

    def improve(self, module: dict[str, Any], device: Device) -> bool:
        """Do what Yosys could have done better for a device to a module; gives whether there was anything.

        What is simulated of a netlist is what comes of it.
        """
        return False

    def free_pins(self, ports: Sequence[str], package: Package) -> str | None:
        """Pin constraints for a design that comes without any; None where nextpnr chooses pins by itself.

        Parameters
        ----------
        ports
            The bits of the design's ports, as constraints name them.

        Raises
        ------
        FitError
            There are more ports than pins.
        """
        return None

    def available(self, device: Device, package: Package) -> Mapping[str, int]:
        """How many of each kind of resource in `cells` the data sheet grants."""
        return {
            device.logic_name: device.logic_cells,
            "FF": device.logic_cells if device.flip_flops is None else device.flip_flops,
            device.block_ram_name: device.block_rams,
            "SPRAM": device.spram_blocks,
            "DSP": device.dsps,
            "IO": package.pins,
        }

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
        part = _part(netlist)
        lines = [
            *(_read_command(source, cwd) for source in sources),
            f'{self.synthesis_command(device)} -top {top} -json "{_relative(part, cwd)}"',
        ]
        script = folder / "synth.ys"
        script.write_text("\n".join(lines) + "\n", encoding="utf-8")
        arguments = ["-s", _relative(script, cwd)]
        result = run_tool(YOSYS, arguments, cwd=cwd, log=folder / "yosys.log", produces=[part], timeout=timeout)
        design = _read_json(part, YOSYS.title, result.log)
        if self.improve(design["modules"][top], device):
            part.write_text(json.dumps(design), encoding="utf-8")
        cells = Counter(cell["type"] for cell in design["modules"][top]["cells"].values())
        part.replace(netlist)
        return Synthesis(netlist=netlist, log=result.log, cells=cells, seconds=result.seconds)

    def netlist_verilog(self, netlist: Path, *, folder: Path, timeout: float | None = None) -> tuple[Path, ...]:
        commands, models = self.cell_models(folder)
        verilog = self._as_verilog(netlist, commands, folder, timeout)
        return verilog, *models, *self.pll_sources(verilog)

    def routed_verilog(self, routed: Path, *, top: str, folder: Path, timeout: float | None = None) -> tuple[Path, ...]:
        cells = self.routed_cells(folder)
        if cells is None:
            return super().routed_verilog(routed, top=top, folder=folder, timeout=timeout)
        design = readable(_read_json(routed, self.placer.title, routed), top=top, cells=cells)
        netlist = folder / f"{top}.json"
        netlist.write_text(json.dumps(design), encoding="utf-8")
        verilog = self._as_verilog(netlist, cells.commands, folder, timeout)
        return verilog, *cells.files, *self.pll_sources(verilog)

    def _as_verilog(self, netlist: Path, commands: Sequence[str], folder: Path, timeout: float | None) -> Path:
        verilog, script = folder / "netlist.v", folder / "netlist.ys"
        part = _part(verilog)
        lines = [f'read_json "{_relative(netlist, folder)}"', *commands, f'write_verilog -noattr "{part.name}"']
        script.write_text("\n".join(lines) + "\n", encoding="utf-8")
        run_tool(YOSYS, ["-s", script.name], cwd=folder, log=folder / "netlist.log", produces=[part], timeout=timeout)
        part.replace(verilog)
        return verilog

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
        keep_routed: bool = False,
        options: Sequence[str] = (),
        timeout: float | None = None,
    ) -> Implementation:
        housing = device.package(package)
        target_mhz = device.default_mhz if mhz is None else mhz
        folder.mkdir(parents=True, exist_ok=True)
        stem = f"{netlist.stem}.seed{seed}"
        layout, report, log = (folder / f"{stem}.{kind}" for kind in (self.layout_suffix, "report.json", "nextpnr.log"))
        routed = layout if self.layout_is_netlist else folder / f"{stem}.routed.json"
        made = tuple(dict.fromkeys((layout, report, *((routed,) if keep_routed else ()))))
        pins = self._pins(netlist, housing, folder / f"{stem}.{self.pins_suffix}") if pins is None else pins
        arguments = [
            *self.placement_options(device, housing, _relative(pins, folder) if pins else None, _part(layout).name),
            *("--json", _relative(netlist, folder)),
            *("--report", _part(report).name),
            *(("--write", _part(routed).name) if keep_routed and routed != layout else ()),
            *("--seed", str(seed)),
            *("--freq", f"{target_mhz:g}"),
            "--timing-allow-fail",  # the Fmax that was reached is the result, not whether it is the one hoped for
            *options,
        ]
        try:
            parts = [_part(path) for path in made]
            result = run_tool(self.placer, arguments, cwd=folder, log=log, produces=parts, timeout=timeout)
        except ToolError:
            # A design that is too large ends in "no BELs remaining"; the utilisation printed before it says what of.
            if log.exists():
                check_fits(device, self._resources(_printed_use(log), device, housing))
            raise
        found = _read_json(_part(report), self.placer.title, log)
        # The report counts a cell under its own kind, the log under the place that it takes: GateMate's adder is two
        # CPE_LT, its large block RAM two RAM_HALF. The report alone has what was inserted for routing.
        printed = _printed_use(log)
        use = {kind: max(entry["used"], printed.get(kind, 0)) for kind, entry in found["utilization"].items()}
        for kind, others in self.places.items():
            use[kind] = max(use[kind], found["utilization"][kind]["used"] + sum(use[other] for other in others))
        resources = self._resources(use, device, housing)
        check_fits(device, resources)
        for path in made:
            _part(path).replace(path)
        return Implementation(
            device=device,
            package=housing,
            seed=seed,
            resources=resources,
            fmax_mhz=_fmax(found),
            target_mhz=target_mhz,
            critical=critical_path(found, _modules(netlist), netlist.stem),
            layout=layout,
            report=report,
            log=log,
            routed=routed if keep_routed else None,
            seconds=result.seconds,
        )

    def pack(self, implementation: Implementation, *, folder: Path, timeout: float | None = None) -> Implementation:
        bitstream = folder / implementation.layout.with_suffix(f".{self.bitstream_suffix}").name
        part = _part(bitstream)
        run_tool(
            self.packer,
            self.packing_options(implementation, _relative(implementation.layout, folder), part.name),
            cwd=folder,
            log=bitstream.with_suffix(f".{self.packer.title}.log"),
            produces=[part],
            timeout=timeout,
        )
        part.replace(bitstream)
        return dataclasses.replace(implementation, bitstream=bitstream)

    def packed(self, netlist: Path, *, device: Device, folder: Path) -> tuple[Resource, ...]:
        """What a netlist takes of the device in its first package as nextpnr packs it, which places nothing.

        It may be more than the device has. What routing adds, on GateMate alone, is not in it.
        """
        package = device.package(None)
        log = folder / f"{netlist.stem}.packed.log"
        pins = self._pins(netlist, package, folder / f"{netlist.stem}.packed.{self.pins_suffix}")
        options = self.placement_options(device, package, _relative(pins, folder) if pins else None, None)
        arguments = [*options, "--json", _relative(netlist, folder), "--pack-only"]
        run_tool(self.placer, arguments, cwd=folder, log=log)
        return self._resources(_printed_use(log), device, package)

    def _pins(self, netlist: Path, package: Package, path: Path) -> Path | None:
        """`free_pins`, written to `path`."""
        text = self.free_pins(_ports(netlist), package)
        if text is None:
            return None
        path.write_text(text, encoding="utf-8")
        return path

    def _resources(self, use: Mapping[str, int], device: Device, package: Package) -> tuple[Resource, ...]:
        available = self.available(device, package)
        return tuple(
            Resource(name=name, used=use.get(kind, 0), available=available[name]) for name, kind in self.cells.items()
        )


def _read_json(path: Path, title: str, log: Path) -> Any:
    """What a tool has just written; it may have had no room, and have taken that for success."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        cut = path.name.removesuffix(".part")
        path.unlink(missing_ok=True)
        raise ToolError(
            f"{title} wrote half of {cut}, which is what a full disk does: make room and run it again (log: {log})."
        ) from None


def _part(path: Path) -> Path:
    """Where a file is written before it takes the place of an earlier one."""
    return path.with_name(path.name + ".part")


def _relative(path: Path, folder: Path) -> str:
    # Relative because of run_tool; os.path because pathlib's relative_to (3.11) cannot climb.
    return os.path.relpath(path.resolve(), folder.resolve())


def _read_command(source: Path, folder: Path) -> str:
    commands = {".v": "read_verilog", ".sv": "read_verilog -sv", ".il": "read_rtlil"}
    if source.suffix not in commands:
        raise OptionError(f"{source} cannot be synthesised: sources end in {', '.join(commands)}.")
    return f'{commands[source.suffix]} "{_relative(source, folder)}"'


def _ports(netlist: Path) -> list[str]:
    """The bits of the ports of a netlist, as constraints name them: ``clk``, ``data[0]``."""
    # Yosys writes the one module that is left as the top among the models of cells, which have no module to be in.
    ports: Mapping[str, Any] = _modules(netlist)[netlist.stem]["ports"]
    return [
        name if len(port["bits"]) == 1 else f"{name}[{bit}]"
        for name, port in ports.items()
        for bit in range(len(port["bits"]))
    ]


def _modules(netlist: Path) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(netlist.read_text(encoding="utf-8"))["modules"]
    return found


def _printed_use(log: Path) -> dict[str, int]:
    """What nextpnr's log says of the use: ``Info:   ICESTORM_LC:  2034/ 5280    38%``."""
    rows = re.findall(r"^Info:\s+(\w+):\s*(\d+)/\s*\d+", log.read_text(encoding="utf-8"), re.MULTILINE)
    return {kind: int(used) for kind, used in rows}


def _fmax(report: Mapping[str, Any]) -> dict[str, float]:
    return {clock_name(net): entry["achieved"] for net, entry in report["fmax"].items()}
