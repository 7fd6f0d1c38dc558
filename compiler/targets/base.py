"""What the compiler knows of a device, and what a family's tools give back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from snnc.compiler.errors import FitError, OptionError, ToolError
from snnc.compiler.pll import Pll
from snnc.compiler.targets.critical import CriticalPath
from snnc.compiler.tools import Tool

__all__ = ["Device", "Implementation", "Package", "Pin", "Resource", "Synthesis", "Target"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One housing of a device: its name as the tools spell it, and the pins that a design can use."""

    name: str
    pins: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """Where a port of the top is on the package; ``pull_up`` for an input that may be left open. All are of 3.3 V."""

    port: str
    location: str
    pull_up: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One FPGA: data alone.

    Attributes
    ----------
    name, family
        ``up5k`` of ``ice40``.
    title
        The manufacturer's name.
    logic_cells, logic_name
        Look-up tables, each with a flip-flop, that the data sheet grants; and what people call one (``LC``, ``LUT``).
    logic_scale
        How many of them take the place of one iCE40 logic cell, where devices of several families are compared.
    flip_flops
        How many flip-flops there are; None for one to each look-up table.
    widest_lanes
        The most lanes of an engine that are worth choosing unasked.
    block_rams, block_ram_name, block_ram_bits, block_ram_modes
        Number of block RAMs; what people call one; the bits of one; and the shapes ``(words, bits per word)`` that one
        can take. Each has one read and one write port, and the bitstream can initialise it.
    paired_modes
        The shapes that it can take with two ports that read; none where it has no second one.
    late_block_ram
        Whether a word comes out of block RAM so late in a cycle that a register behind it is worth what it takes where
        an operation may follow on another one on the same word (`plan.EnginePlan.forwards`).
    multiplies
        Whether there is logic to multiply a weight by a pixel in every lane.
    spram_blocks, spram_mode
        Number and shape of the large single-port RAMs, which no bitstream can initialise.
    dsps
        Multiplier blocks.
    dsp_products
        Products that one of them takes (``rtl/products.v``): two, and adds them up, or one; 0: they are not used.
    dsp_factor_bits
        Where it takes one: the width of its factor, in which the weights of two lanes may stand (`pairs_products`).
    packages
        The first is the default.
    default_mhz
        The clock that the tools are told unless asked for another. nextpnr places by relative criticality: on the
        64-32-10 core its result is the same for any clock from 20 to 100 MHz.
    placed_mhz
        The lowest and the highest Fmax in MHz of designs that were placed and routed on it, each the median over its
        seeds, as README.md and docs state them; None where they state none.
    note
        Where the silicon differs from the data sheet; else empty.
    """

    name: str
    family: str
    title: str
    logic_cells: int
    logic_name: str
    logic_scale: float
    flip_flops: int | None = None
    widest_lanes: int
    block_rams: int
    block_ram_name: str = "EBR"
    block_ram_bits: int
    block_ram_modes: tuple[tuple[int, int], ...]
    paired_modes: tuple[tuple[int, int], ...] = ()
    late_block_ram: bool = False
    multiplies: bool = False
    spram_blocks: int = 0
    spram_mode: tuple[int, int] = (0, 0)
    dsps: int = 0
    dsp_products: int = 0
    dsp_factor_bits: int = 0
    packages: tuple[Package, ...]
    default_mhz: float
    placed_mhz: tuple[float, float] | None = None
    note: str = ""

    def pairs_products(self, weight_bits: int, value_bits: int) -> bool:
        """Whether one product of a multiplier block can be those of two lanes, of their weights and a shared value.

        Two signed weights ``v`` and ``w`` of ``b`` bits stand in one factor as ``2^s v + w + 2^(b - 1)``, with ``s``
        the bits of a product.
        """
        return 2 * weight_bits + value_bits <= self.dsp_factor_bits

    def package(self, name: str | None = None) -> Package:
        """The package of that name, or the default one; :class:`OptionError` where there is none."""
        if name is None:
            return self.packages[0]
        for package in self.packages:
            if package.name == name:
                return package
        known = ", ".join(package.name for package in self.packages)
        raise OptionError(f"The device {self.name} has no package {name!r}: its packages are {known}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """How much of one kind of resource a design takes; ``name`` is the one that people use (``LC``, ``EBR``)."""

    name: str
    used: int
    available: int

    @property
    def fits(self) -> bool:
        return self.used <= self.available


@dataclass(frozen=True, slots=True, kw_only=True)
class Synthesis:
    """A netlist of the family's cells.

    Attributes
    ----------
    netlist, log
        Files.
    cells
        How many of each cell type.
    seconds
        Wall clock.
    """

    netlist: Path
    log: Path
    cells: Mapping[str, int]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Implementation:
    """A placed and routed design.

    Attributes
    ----------
    device, package, seed
        What it was made for, and the seed of the placement.
    resources
        Every kind of resource that the device has, used or not.
    fmax_mhz
        Per clock (the name of its net): the highest frequency at which every path meets its set-up time.
    target_mhz
        The frequency that placement aimed at.
    critical
        What limits the slowest clock; None where the tools do not say.
    layout, report, log
        The tools' files: the placed and routed design, the timing report, the log.
    routed
        The netlist as it was placed and routed, in the family's own cells; None where it was not asked for.
    bitstream
        What goes into the FPGA; None until packed.
    seconds
        Wall clock of placement and routing.
    """

    device: Device
    package: Package
    seed: int
    resources: tuple[Resource, ...]
    fmax_mhz: Mapping[str, float]
    target_mhz: float
    critical: CriticalPath | None = None
    layout: Path
    report: Path
    log: Path
    routed: Path | None = None
    bitstream: Path | None = None
    seconds: float

    @property
    def fmax(self) -> float | None:
        """The slowest clock's highest frequency in MHz; None for a design without a clock."""
        return min(self.fmax_mhz.values(), default=None)

    def used(self, name: str) -> int:
        """How many of the resource of that name are taken."""
        return next(resource.used for resource in self.resources if resource.name == name)


class Target(ABC):
    """One FPGA family and its tools.

    Attributes
    ----------
    name
        What `snnc.compiler.targets.TARGETS` lists it under.
    devices, default_device
        By name, and the name of the one that is taken unasked.
    pins_suffix
        How the name of a file of pin constraints ends.
    pll_cells, pll_models
        Names of the family's PLLs that `plls` knows, and Verilog of them in the time of a simulation.
    reserve
        Of the clock that one placement reaches, how much another one is counted on to reach.
    logic
        Cells that one of each term of the estimate of logic takes (`snnc.compiler.lanes.area`); a term that is not
        there takes none. Fitted to packed designs: ``python benchmarks/logic.py fit`` prints it.

    Every method writes its files beside their final place and renames them when the tool has succeeded: a failed run
    never replaces the result of a good one. Logs are kept in either case.
    """

    name: str
    devices: Mapping[str, Device]
    default_device: str
    pins_suffix: str
    pll_cells: Sequence[str] = ()
    pll_models: Sequence[Path] = ()
    reserve: float = 0.95
    logic: Mapping[str, float]

    @property
    @abstractmethod
    def tools(self) -> Sequence[Tool]:
        """Every tool that its methods run, in the order of the flow."""

    def device(self, name: str | None = None) -> Device:
        """The device of that name, or the default one; :class:`OptionError` where there is none."""
        if name is None:
            return self.devices[self.default_device]
        if name not in self.devices:
            raise OptionError(
                f"The target {self.name} has no device {name!r}: its devices are {', '.join(self.devices)}."
            )
        return self.devices[name]

    @abstractmethod
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
        """Turn Verilog (``.v``, ``.sv``) or RTLIL (``.il``) into a netlist in ``folder``.

        Memory images that a source names are looked for in ``base`` (``folder`` unless given), then beside the source.
        """

    @abstractmethod
    def netlist_verilog(self, netlist: Path, *, folder: Path, timeout: float | None = None) -> tuple[Path, ...]:
        """The netlist as Verilog in ``folder``, and the models of the family's cells: for gate-level simulation."""

    def routed_verilog(self, routed: Path, *, top: str, folder: Path, timeout: float | None = None) -> tuple[Path, ...]:
        """The same of the netlist as it was routed; its module is called `top`.

        Raises
        ------
        ToolError
            The family cannot yet be simulated so.
        """
        raise ToolError(f"A routed netlist of {self.name} cannot be simulated yet: nobody has models of its cells.")

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
        """The same of a bitstream alone: what is on the chip, with the ports where `pins` says.

        Raises
        ------
        ToolError
            The family's bitstreams cannot be taken apart yet, or the tool for it is missing.
        """
        raise ToolError(f"A bitstream of {self.name} cannot be taken apart yet: no tool gives its design back.")

    def plls(self, cell: str, device: Device, reference_hz: int) -> Iterable[Pll]:
        """Every setting of the family's PLL `cell` for a clock of so many Hz, within the limits of the data sheet.

        Of several that make the same clock the first is the best. By default the family has none.
        """
        return ()

    def pll_sources(self, verilog: Path) -> Sequence[Path]:
        """`pll_models` where a Verilog file has one of `pll_cells`, else nothing."""
        text = verilog.read_text(encoding="utf-8")
        return self.pll_models if any(f"{cell} " in text for cell in self.pll_cells) else ()

    @abstractmethod
    def constraints(self, pins: Sequence[Pin]) -> str:
        """The file of pin constraints that says where each port is."""

    @abstractmethod
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
        """Place and route a netlist. A design that misses ``mhz`` is a result like any other; its Fmax says so.

        With `keep_routed` the netlist as it was routed is a result too.

        Raises
        ------
        FitError
            The design takes more of a resource than the device has.
        """

    @abstractmethod
    def pack(self, implementation: Implementation, *, folder: Path, timeout: float | None = None) -> Implementation:
        """Make the bitstream; the same implementation with its path comes back."""


def check_fits(device: Device, resources: Sequence[Resource]) -> None:
    """Refuse a design that takes more than the device has, in one sentence with all the numbers."""
    over = [
        f"{resource.used:,} {resource.name} (it has {resource.available:,})"
        for resource in resources
        if not resource.fits
    ]
    if over:
        raise FitError(
            f"The design does not fit {device.title} ({device.name}): it needs {' and '.join(over)}. "
            "Choose a larger device, fewer lanes or fewer weight bits."
        )
