"""What stands at the sides of an iCE40 UltraPlus's die, of which icebox_vlog writes the wires alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final, TypeAlias

__all__ = ["COLUMNS", "Nets", "Tiles", "instance", "nets_at", "with_blocks"]

Nets: TypeAlias = Mapping[tuple[int, int, str], str]
"""The net of each wire of a tile: by the tile's column and row, and IceStorm's name for the wire."""

Tiles: TypeAlias = Mapping[tuple[int, int], Sequence[str]]
"""The configuration of each tile, line after line, by its column and row."""

COLUMNS: Final = (0, 25)
"""Of the tiles at both sides."""

_TILE: Final = re.compile(r"^\.(?:ipcon|dsp\d)_tile (?P<column>\d+) (?P<row>\d+)\n(?P<bits>(?:[01]+\n)+)", re.MULTILINE)
_NET: Final = re.compile(r"^(?:wire|reg) (?P<net>\S+?)(?: = 0)?;\n(?P<wires>(?://.*\n)+)", re.MULTILINE)
_WIRE: Final = re.compile(r"^// \((?P<column>\d+), (?P<row>\d+), '(?P<name>[^']+)'\)$", re.MULTILINE)


def _tiles_of(layout: str) -> Tiles:
    """Those of the sides, in what icepack wrote."""
    return {
        (int(tile["column"]), int(tile["row"])): tile["bits"].split()
        for tile in _TILE.finditer(layout)
        if int(tile["column"]) in COLUMNS
    }


def _nets_of(netlist: str) -> Nets:
    """Those of the sides, in what icebox_vlog wrote, with its comments."""
    return {
        (int(wire["column"]), int(wire["row"]), wire["name"]): net["net"]
        for net in _NET.finditer(netlist)
        for wire in _WIRE.finditer(net["wires"])
        if int(wire["column"]) in COLUMNS
    }


def instance(
    module: str,
    name: str,
    ports: Mapping[str, Sequence[str | None]],
    *,
    outputs: Collection[str],
    parameters: Mapping[str, str] | None = None,
) -> str:
    """A cell in Verilog, its ports' nets from bit 0 on: an input without one is 0, and such an output is left open."""
    connections, left_open = [], []
    for port, found in ports.items():
        bits = []
        for bit, net in reversed(tuple(enumerate(found))):
            if net is None and port in outputs:
                net = f"{name}_{port}_{bit}"
                left_open.append(net)
            bits.append(net or "1'b0")
        connections.append(f".{port}({{{', '.join(bits)}}})")
    declared = f"wire {', '.join(left_open)};\n" if left_open else ""
    settings = ", ".join(f".{key}({value})" for key, value in (parameters or {}).items())
    return f"{declared}{module} {f'#({settings}) ' if settings else ''}{name} ({', '.join(connections)});\n"


def with_blocks(netlist: str, layout: str, *kinds: Callable[[Nets, Tiles], Iterable[str]]) -> str:
    """icebox_vlog's Verilog with the blocks at the sides that are in use.

    Parameters
    ----------
    netlist
        What icebox_vlog writes with its comments, which name the wires of every net.
    layout
        What icepack unpacks the bitstream to.
    kinds
        Each finds the cells of one kind, in Verilog.
    """
    if not (tiles := _tiles_of(layout)):
        return netlist
    nets = _nets_of(netlist)
    cells = [cell for kind in kinds for cell in kind(nets, tiles)]
    head, end, tail = netlist.rpartition("endmodule")
    return f"{head}{''.join(cells)}{end}{tail}"


def nets_at(
    nets: Nets, column: int, row: int, wires: Sequence[tuple[int, str]], left_open: str | None = None
) -> tuple[str | None, ...]:
    """The nets of a port: `wires` are its own, from bit 0 on, their rows counted from `row`.

    One without a net has `left_open`.
    """
    return tuple(nets.get((column, row + above, name), left_open) for above, name in wires)
