"""nextpnr's own netlist, as Yosys reads it: the design as it was placed and routed, in the family's own cells.

nextpnr writes one module in the format of Yosys's JSON, but says nothing of inputs that it leaves open, where the chip
has a level of its own, says in parameters of some cells that an input is constant or inverted (``CEAMUX``), and cuts
the ports of some into bits (``AD0``, ``AD1``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

__all__ = ["Cell", "RoutedCells", "readable"]

_FREE: Final = 1 << 24
"""Above the number of every net of a design."""

_BIT: Final = re.compile(r"(?P<port>.*?)_?(?P<bit>\d+)")


Cell: TypeAlias = Mapping[str, Any]
"""A cell of a netlist in Yosys's JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutedCells:
    """How the cells of a family that nextpnr places are simulated.

    Attributes
    ----------
    model
        The Verilog module that is the model of a cell.
    open_level
        The level, ``"0"`` or ``"1"``, of an open input, by the type of its cell and its name.
    pads
        By the type of a cell with a pin of the package that goes both ways: the names of that pin, of what comes in
        from it and of what goes out to it. Such a cell becomes a wire in the direction of the top's port, since a
        simulator in two states has no third level for it.
    joined
        Types of cells whose ports become vectors again.
    mended
        The module with what nextpnr left out of it.
    commands
        What Yosys does to the netlist before it is written.
    files
        Verilog of the models.
    """

    model: Callable[[Cell], str]
    open_level: Callable[[str, str], str]
    pads: Mapping[str, tuple[str, str, str]]
    joined: Collection[str] = ()
    mended: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda module: module
    commands: Sequence[str] = ()
    files: Sequence[Path]


def readable(
    design: Mapping[str, Any],
    *,
    top: str,
    cells: RoutedCells,
) -> dict[str, Any]:
    """The netlist with every input connected, under the name `top`.

    Nothing of `design`, what nextpnr wrote, is changed.
    """
    module = cells.mended(max(design["modules"].values(), key=lambda found: len(found["cells"])))
    inputs = {bit for port in module["ports"].values() if port["direction"] == "input" for bit in port["bits"]}
    inverted: dict[int, int] = {}
    simulated = {}
    for name, placed in module["cells"].items():
        cell = _muxed(_connected(placed, cells.open_level), inverted)
        if placed["type"] in cells.joined:
            cell = _joined(cell)
        if placed["type"] in cells.pads:
            cell = _wire(cell, *cells.pads[placed["type"]], inputs=inputs)
        else:
            cell["type"] = cells.model(placed)
        simulated[name] = cell
    for wire, inverse in inverted.items():
        simulated[f"inverse of {wire}"] = _gate("$_NOT_", [wire], [inverse])
    # Attributes tell of places alone, and names of nets are many; neither is simulated.
    return {"modules": {top: {"ports": module["ports"], "cells": simulated, "netnames": {}}}}


def _connected(cell: Cell, open_level: Callable[[str, str], str]) -> dict[str, Any]:
    directions = cell["port_directions"]
    found = {}
    for port, bits in cell["connections"].items():
        if bits:
            found[port] = bits
        elif directions[port] == "input":
            found[port] = [open_level(cell["type"], port)]
    return {
        "type": cell["type"],
        "parameters": cell["parameters"],
        "attributes": {},
        "port_directions": {port: directions[port] for port in found},
        "connections": found,
    }


def _wire(cell: dict[str, Any], pin: str, comes: str, goes: str, *, inputs: Collection[int]) -> dict[str, Any]:
    bits = cell["connections"]
    source, target = (pin, comes) if bits[pin][0] in inputs else (goes, pin)
    return _gate("$_BUF_", bits[source], bits[target])


def _gate(kind: str, source: list[Any], target: list[Any]) -> dict[str, Any]:
    return {
        "type": kind,
        "parameters": {},
        "attributes": {},
        "port_directions": {"A": "input", "Y": "output"},
        "connections": {"A": source, "Y": target},
    }


def _muxed(cell: dict[str, Any], inverted: dict[int, int]) -> dict[str, Any]:
    """The cell with its parameters ``PORTMUX`` done; inverses of nets are added by the net's number."""
    connections, directions = dict(cell["connections"]), dict(cell["port_directions"])
    parameters = {}
    for name, value in cell["parameters"].items():
        port, chosen = name.removesuffix("MUX"), value.rstrip() if isinstance(value, str) else value
        if port == name or chosen not in ("0", "1", "INV", port):
            parameters[name] = value
        elif chosen in ("0", "1"):
            connections[port], directions[port] = [chosen], "input"
        elif chosen == "INV":
            wire = connections.get(port, ["1"])[0]
            connections[port], directions[port] = [_inverse(wire, inverted)], "input"
    return cell | {"parameters": parameters, "connections": connections, "port_directions": directions}


def _inverse(wire: int | str, inverted: dict[int, int]) -> int | str:
    if isinstance(wire, str):
        return {"0": "1", "1": "0"}[wire]
    return inverted.setdefault(wire, _FREE + wire)


def _joined(cell: dict[str, Any]) -> dict[str, Any]:
    ports: dict[str, dict[int, Any]] = {}
    directions = {}
    for port, bits in cell["connections"].items():
        match = _BIT.fullmatch(port)
        name, bit = (match["port"], int(match["bit"])) if match else (port, 0)
        ports.setdefault(name, {})[bit] = bits[0]
        directions[name] = cell["port_directions"][port]
    # A bit that is missing is an output that leads nowhere.
    connections = {name: [bits.get(bit, "x") for bit in range(max(bits) + 1)] for name, bits in ports.items()}
    return cell | {"connections": connections, "port_directions": directions}
