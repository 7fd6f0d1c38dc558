"""The wires and cells of a Gowin die as a bitstream sets them, from what Apycula reads of each tile.

Apycula's own ``gowin_unpack`` writes Verilog of all cells of a die, used or not. Here its reading of a tile is taken,
and three things are done otherwise: carry cells have the table that is in their bits, since nextpnr simplifies some
into none of Apycula's modes; a PLL has its settings from all of its tiles; and of four clocks whose bits are the same,
a column has the one that reaches it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Final, TypeAlias

from snnc.compiler.errors import ToolError
from snnc.compiler.targets.gowin_blocks import block_contents, block_shape

__all__ = ["Cell", "Die", "Pad"]

_Place: TypeAlias = tuple[int, int]
"""Row and column of a tile, from 0."""

_BEL: Final = re.compile(r"(?P<kind>LUT|ALU|DFF|IOB|RPLL|BSRAM)(?P<index>\w*)")

_MUXES: Final = (
    *((f"OF{k}", f"F{k}", f"F{k + 1}", f"SEL{k}") for k in (0, 2, 4, 6)),
    *((f"OF{k + 1}", f"OF{k + 2}", f"OF{k}", f"SEL{k + 1}") for k in (0, 4)),
    ("OF3", "OF5", "OF1", "SEL3"),
)
"""Multiplexers of a tile: output, inputs for 0 and 1, what chooses. The widest has an input from the next tile."""

_RESETS: Final = {"S": "SET", "R": "RESET", "P": "PRESET", "C": "CLEAR"}
"""Pins of flip-flops, by the end of their kind's name."""

_BLOCK_PORTS: Final = {
    "SP": (
        ("DO",),
        (
            *("DI", "AD", "ADB", "BLKSEL", "BLKSELB", "WRE", "CLK", "CE", "OCE", "RESET"),
            *("WREB", "CLKB", "CEB", "OCEB", "RESETB"),
        ),
    ),
    "SDP": (
        ("DO",),
        ("DI", "OCE", *(f"{port}{half}" for half in "AB" for port in ("AD", "BLKSEL", "WRE", "CLK", "CE", "RESET"))),
    ),
    "DP": (
        ("DOA", "DOB"),
        tuple(f"{port}{half}" for half in "AB" for port in ("DI", "AD", "BLKSEL", "WRE", "CLK", "CE", "OCE", "RESET")),
    ),
}
"""Outputs and inputs of block RAM, by its kind."""

_PLACED: Final[Mapping[str, Mapping[str, str]]] = {"SP": {"SPLIT": "1"}, "SDP": {"PLACED": "1"}, "DP": {}}
"""Parameters of the models that say whose ports these are: the block's, instead of those of Gowin's cells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A cell with the wires of its ports, from bit 0 on, and its parameters as Verilog."""

    kind: str
    name: str
    outputs: Mapping[str, tuple[str, ...]]
    inputs: Mapping[str, tuple[str, ...]]
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pad:
    """A pin of the package: the wire that it drives, or is driven by."""

    is_input: bool
    wire: str


class Die:
    """What a bitstream makes of a die.

    Attributes
    ----------
    sources
        By a wire, the one that it is switched to.
    cells
        By a wire, the cell that drives it.
    pads
        By the number of a pin.

    Raises
    ------
    ToolError
        It holds a cell that is not known here.
    """

    def __init__(self, die: str, part: str, bitstream: Path) -> None:
        from apycula import bslib, chipdb, gowin_unpack

        self._chipdb = chipdb
        with resources.as_file(resources.files("apycula") / f"{die}.msgpack.xz") as path:
            self._db = chipdb.load_chipdb(path)
        package, device, _ = self._db.packages[part]
        pins = {str(pin): place for pin, (place, *_) in self._db.pinout[device][package].items()}
        # Where its reader looks up what it is reading.
        gowin_unpack._device, gowin_unpack._pinout = die, self._db.pinout[device][package]
        self._bitmap = bslib.read_bitstream(str(bitstream))[0]
        self._tiles = chipdb.tile_bitmap(self._db, self._bitmap, empty=True)
        self._aliases = dict(self._joined())
        self._in_nodes = {wire for _, wires in self._db.nodes.values() for wire in wires}
        self._plls: dict[str, dict[str, str]] = {}
        self._pll_places: dict[str, _Place] = {}
        self.sources: dict[str, str] = {}
        self.cells: dict[str, Cell] = {}
        found: dict[str, Pad] = {}
        for place in self._tiles:
            bels, pips, clock_pips = gowin_unpack.parse_tile_(
                self._db, *place, self._tiles[place], self._tiles, noiostd=False
            )
            spines = {target: self._spine(place, target, source) for target, source in clock_pips.items()}
            for target, source in itertools.chain(pips.items(), spines.items()):
                self.sources[self._wire(place, target)] = self._wire(place, source)
            self._add(self._cells_of(place, bels))
            found.update(self._pads_of(place, bels))
        self._add(self._pll_cells())
        self.pads = {pin: found[place] for pin, place in pins.items() if place in found}

    def _add(self, cells: Iterable[Cell]) -> None:
        for cell in cells:
            for wire in itertools.chain(*cell.outputs.values()):
                self.cells[wire] = cell

    def _wire(self, place: _Place, name: str) -> str:
        """A name that all tiles have for a wire."""
        found = str(self._chipdb.wire2global(place[0] + 1, place[1] + 1, self._db, name))
        while found in self._aliases:
            found = self._aliases[found]
        return found

    def _joined(self) -> Iterator[tuple[str, str]]:
        """Names of wires, and others for the same ones."""
        for _, wires in self._db.nodes.values():
            first, *others = sorted(wires, key=lambda wire: (len(wire[2]), wire))
            for row, column, name in others:
                yield f"R{row + 1}C{column + 1}_{name}", f"R{first[0] + 1}C{first[1] + 1}_{first[2]}"
        yield from self._long_wires()
        for row, column in itertools.product(range(self._db.rows), range(self._db.cols)):
            for k in (1, 2):
                for name, (down, right), cross in (
                    (f"N1{k}1", (0, 1), f"SN{k}0"),
                    (f"S1{k}1", (2, 1), f"SN{k}0"),
                    (f"W1{k}1", (1, 0), f"EW{k}0"),
                    (f"E1{k}1", (1, 2), f"EW{k}0"),
                ):
                    wire = self._chipdb.wire2global(row + down, column + right, self._db, name)
                    yield wire, f"R{row + 1}C{column + 1}_{cross}"

    def _long_wires(self) -> Iterator[tuple[str, str]]:
        """Those that go down a column from a gate at either end, and from each row of it to some columns beside."""
        for (_, column, index), segment in self._db.segments.items():
            trunk, branch = ("LT01", "LBO0") if index < 4 else ("LT04", "LBO1")
            rows = range(segment["min_y"], segment["max_y"] + 1)
            first = f"R{rows[0] + 1}C{column + 1}_{trunk}"
            yield from ((f"R{row + 1}C{column + 1}_{trunk}", first) for row in rows[1:])
            for end in ("top", "bottom"):
                yield f"R{segment[f'{end}_row'] + 1}C{column + 1}_{segment[f'{end}_wire']}", first
            for row, beside in itertools.product(rows, range(segment["min_x"], segment["max_x"] + 1)):
                yield f"R{row + 1}C{beside + 1}_LB{index}1", f"R{row + 1}C{column + 1}_{branch}"

    def _spine(self, place: _Place, target: str, source: str) -> str:
        sources = self._db[place].clock_pips[target]
        there = [name for name, bits in sources.items() if bits == sources[source] and (*place, name) in self._in_nodes]
        return there[0] if len(there) == 1 else source

    def _one(self, place: _Place, **ports: str) -> dict[str, tuple[str, ...]]:
        return {port: (self._wire(place, name),) for port, name in ports.items()}

    def _pads_of(self, place: _Place, bels: Mapping[str, Any]) -> Iterator[tuple[str, Pad]]:
        for bel, flags in bels.items():
            for kind, port in (("IBUF", "O"), ("OBUF", "I")):
                if bel.startswith("IOB") and kind in flags:
                    wire = self._wire(place, self._db[place].bels[bel].portmap[port])
                    pin = f"{self._chipdb.loc2pin_name(self._db, *place)}{bel[3:]}"
                    yield pin, Pad(is_input=kind == "IBUF", wire=wire)

    def _cells_of(self, place: _Place, bels: Mapping[str, Any]) -> Iterator[Cell]:
        for bel, flags in bels.items():
            match = _BEL.fullmatch(bel)
            if match is None:
                continue
            index = match["index"]
            match match["kind"]:
                case "LUT" if f"ALU{index}" not in bels:
                    yield self._table_cell(place, index, flags)
                case "ALU":
                    yield self._carry(place, int(index), bels.get(f"LUT{index}", ()))
                case "DFF":
                    yield from self._flip_flop(place, int(index), flags)
                case "RPLL":
                    self._plls.setdefault(index[1:], {}).update(flag.split("=", 1) for flag in flags)
                    if index.startswith("A"):
                        self._pll_places[index[1:]] = place
                case "BSRAM" if not index.startswith("_AUX"):
                    yield self._block(place)
        if any(bel.startswith("LUT") for bel in bels):
            yield from self._muxes(place)

    def _name(self, place: _Place, kind: str) -> str:
        return f"r{place[0] + 1}c{place[1] + 1}_{kind.lower()}"

    def _table_cell(self, place: _Place, index: str, zeros: Iterable[int]) -> Cell:
        return Cell(
            kind="LUT4",
            name=self._name(place, f"lut{index}"),
            outputs=self._one(place, F=f"F{index}"),
            inputs=self._one(place, I0=f"A{index}", I1=f"B{index}", I2=f"C{index}", I3=f"D{index}"),
            parameters={"INIT": f"16'h{_table(zeros):04x}"},
        )

    def _carry(self, place: _Place, index: int, zeros: Iterable[int]) -> Cell:
        following = ((place[0], place[1] + 1), "CIN0") if index == 5 else (place, f"CIN{index + 1}")
        return Cell(
            kind="snnc_gowin_alu",
            name=self._name(place, f"alu{index}"),
            outputs={**self._one(place, SUM=f"F{index}"), "COUT": (self._wire(*following),)},
            inputs=self._one(place, I0=f"A{index}", I1=f"B{index}", I2=f"C{index}", I3=f"D{index}", CIN=f"CIN{index}"),
            parameters={"RAW_ALU_LUT": f"33'h{_table(zeros):09x}"},
        )

    def _flip_flop(self, place: _Place, index: int, flags: Iterable[str]) -> Iterator[Cell]:
        half = index // 2
        for kind in (flag for flag in flags if flag.startswith("DFF")):
            ports = {"D": f"{'SEL' if 'SD' in flags else 'F'}{index}", "CLK": f"CLK{half}", "CE": f"CE{half}"}
            if kind[-1] in _RESETS:
                ports[_RESETS[kind[-1]]] = f"LSR{half}"
            yield Cell(
                kind=f"{kind}E",
                name=self._name(place, f"dff{index}"),
                outputs=self._one(place, Q=f"Q{index}"),
                inputs=self._one(place, **ports),
            )

    def _muxes(self, place: _Place) -> Iterator[Cell]:
        for output, zero, one, select in _MUXES:
            yield Cell(
                kind="MUX2",
                name=self._name(place, f"mux_{output}"),
                outputs=self._one(place, O=output),
                inputs=self._one(place, I0=zero, I1=one, S0=select),
            )
        if place[1] + 1 < self._db.cols:
            right = self._wire((place[0], place[1] + 1), "OF3")
            yield Cell(
                kind="MUX2",
                name=self._name(place, "mux_of7"),
                outputs=self._one(place, O="OF7"),
                inputs={"I0": (right,), **self._one(place, I1="OF3", S0="SEL7")},
            )

    def _pll_cells(self) -> Iterator[Cell]:
        for number, settings in self._plls.items():
            given = {key: value.strip('"') for key, value in settings.items()}
            if "INSEL" not in given:
                continue
            place = self._pll_places[number]
            if given["INSEL"] != "CLKIN1":
                raise ToolError(f"The PLL takes its reference from {given['INSEL']}, which is not known here.")
            ports = self._db[place].bels["RPLLA"].portmap
            inputs = {
                "CLKIN": ports["CLKIN"],
                **({} if given.get("RSTEN") == "DISABLE" else {"RESET": ports["RESET"]}),
                **({} if given.get("PWDEN") == "DISABLE" else {"RESET_P": ports["RESET_P"]}),
            }
            yield Cell(
                kind="rPLL",
                name=self._name(place, "pll"),
                outputs=self._one(place, CLKOUT=ports["CLKOUT"], LOCK=ports["LOCK"]),
                inputs=self._one(place, **inputs),
                parameters={
                    **{key: given[key] for key in ("IDIV_SEL", "FBDIV_SEL", "ODIV_SEL")},
                    "CLKFB_SEL": '"internal"' if given.get("FBSEL") == "CLKFB3" else '"external"',
                },
            )

    def _block(self, place: _Place) -> Cell:
        kind, shape = block_shape(self._db, self._tiles, place)
        found: dict[str, list[tuple[int, str]]] = {}
        for port, name in self._db[place].bels["BSRAM"].portmap.items():
            letters = port.rstrip("0123456789")
            found.setdefault(letters, []).append((int(port[len(letters) :] or 0), self._wire(place, name)))
        wires = {port: tuple(wire for _, wire in sorted(bits)) for port, bits in found.items()}
        outputs, inputs = _BLOCK_PORTS[kind]
        return Cell(
            kind=f"snnc_gowin_{kind.lower()}",
            name=self._name(place, "bsram"),
            outputs={port: wires[port] for port in outputs},
            inputs={port: wires[port] for port in inputs},
            parameters={"BYTE": "9", **_PLACED[kind], **shape, **block_contents(self._db, self._bitmap, place)},
        )


def _table(zeros: Iterable[int]) -> int:
    """A look-up table's function: bits that are set in the bitstream are rows with 0."""
    return 0xFFFF - sum(1 << row for row in zeros)
