"""What is known of a board: data alone, each figure with the document that it is from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from snnc.compiler.errors import OptionError
from snnc.compiler.targets import Device, find_device

__all__ = ["Board", "Flash", "Held", "Led"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Led:
    """A light: its pin, and whether it shines while that is low."""

    pin: str
    low: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A pin that is pulled up while the design runs, since it may not float, and not driven, since others drive it."""

    pin: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Flash:
    """The SPI flash that the FPGA configures itself from, where the design has its pins to itself afterwards.

    Attributes
    ----------
    select, clock, copi, cipo
        Pins, from the FPGA's side: to the chip's select, clock and data input, and from its data output.
    offset
        First byte behind the bitstream and whatever else the board keeps there, for a load of weights.
    option
        What the board's loader (`Board.loader`) is told before the offset.
    """

    select: str
    clock: str
    copi: str
    cipo: str
    offset: int
    option: str = "-o"


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A board that can be bought: pins are those of its FPGA's package, as the family's tools spell them.

    Attributes
    ----------
    name
        What `snnc.compiler.boards.BOARDS` lists it under.
    title, url
        What people call it, and where it is described.
    target, devices, package
        The FPGA: its family, the chips that the board is sold with (the first is the default), their housing.
    clock_pin, clock_hz
        The crystal oscillator. A ring oscillator inside a chip is off by up to 10 %, which no serial line bears.
    pll
        The cell of the family that can make another clock of it, as `snnc.compiler.targets.Target.plls` knows it; None
        where there is none that is known.
    receive, transmit
        Pins of the serial line, as the FPGA sees it: data comes in through the first.
    baud
        Of the serial line: what the board's bridge to USB is known to carry.
    bridge
        What is at the other end of that line.
    life, activity
        Lights: the first blinks while the clock runs, the second shines while a sample is computed. None where the
        board has only one.
    held
        Pins that must not float.
    flash
        Where weights of the SPRAM can be; None where there is no SPRAM, or the flash's pins are others' too.
    loader
        The command that writes a bitstream where it survives a power cycle, program first; the file's name is appended.
    note
        What has to be done to the board by hand; else empty.
    sources
        By the names of attributes above, the document that the figure is from.
    """

    name: str
    title: str
    url: str
    target: str
    devices: tuple[str, ...]
    package: str
    clock_pin: str
    clock_hz: int
    pll: str | None = None
    receive: str
    transmit: str
    baud: int = 1_000_000
    bridge: str
    life: Led
    activity: Led | None = None
    held: tuple[Held, ...] = ()
    flash: Flash | None = None
    loader: tuple[str, ...]
    note: str = ""
    sources: Mapping[str, str]

    def device(self, name: str | None = None) -> Device:
        """The chip of that name, or the default one.

        Raises
        ------
        OptionError
            The board is not sold with it.
        """
        if name is not None and name not in self.devices:
            raise OptionError(f"The board {self.name} has no device {name!r}: it comes with {', '.join(self.devices)}.")
        return find_device(self.target, name or self.devices[0])
