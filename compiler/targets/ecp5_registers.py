"""Registers behind the ECP5's block RAM, moved into it.

A word comes out of a block so late that half a clock cycle is gone, and only then crosses the die to a flip-flop. The
block has a register of its own behind its output, of which Yosys knows nothing: where every bit of a port that is used
goes to a flip-flop and nowhere else, and all of these change alike, they are that register.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["absorb_registers"]

_WIDEST: Final = 18
"""Bits of a port; 36 are read by port B, with the pins of both."""


@dataclass(frozen=True, slots=True)
class _Register:
    """A flip-flop behind a bit: its cell's name, its output, and what it changes with."""

    cell: str
    output: Any
    control: tuple[str, ...]


def absorb_registers(module: dict[str, Any]) -> int:
    """Move flip-flops of a synthesised module, in Yosys's JSON, into its block RAMs; gives how many ports took some.

    A flip-flop is moved that has the clock of the port, no set or reset, and an enable that all have, or none has.
    """
    cells = module["cells"]
    blocks = [cell for cell in cells.values() if cell["type"] == "DP16KD"]
    readers = _readers(module, {bit for cell in blocks for bit in _outputs(cell, "AB").values()})
    moved = 0
    for cell in blocks:
        wide = any(int(cell["parameters"][f"DATA_WIDTH_{side}"], 2) > _WIDEST for side in "AB")
        for pins in ("AB",) if wide else ("A", "B"):
            clock = cell["connections"][f"CLK{pins[-1]}"]
            used = {name: bit for name, bit in _outputs(cell, pins).items() if readers[bit]}
            registers = {name: _register(cells, readers[bit], clock) for name, bit in used.items()}
            controls = {None if found is None else found.control for found in registers.values()}
            if len(controls) != 1 or None in controls:
                continue
            for name, found in registers.items():
                assert found is not None
                cell["connections"][name] = [found.output]
                del cells[found.cell]
            (control,) = controls
            for side in pins:
                cell["parameters"][f"REGMODE_{side}"] = "OUTREG"
                cell["connections"][f"OCE{side}"] = list(control or ("1",))
            moved += 1
    return moved


def _outputs(cell: Mapping[str, Any], ports: str) -> Mapping[str, Any]:
    """The nets of the ports' outputs, by the names of their pins."""
    pins = tuple(f"DO{port}" for port in ports)
    return {name: bits[0] for name, bits in cell["connections"].items() if name.startswith(pins) and bits}


def _readers(module: Mapping[str, Any], nets: set[Any]) -> Mapping[Any, list[tuple[str, str]]]:
    """Of each of these nets the inputs that hear it: a cell and its pin, or a port of the module."""
    found = defaultdict[Any, list[tuple[str, str]]](list)
    heard = [
        (bits, (name, pin))
        for name, cell in module["cells"].items()
        for pin, bits in cell["connections"].items()
        if cell["port_directions"][pin] != "output"
    ]
    heard += [(port["bits"], ("", name)) for name, port in module["ports"].items() if port["direction"] != "input"]
    for bits, reader in heard:
        for bit in bits:
            if bit in nets:
                found[bit].append(reader)
    return found


def _register(cells: Mapping[str, Any], readers: list[tuple[str, str]], clock: list[Any]) -> _Register | None:
    """The one flip-flop that hears a bit, where it can be moved."""
    if len(readers) != 1:
        return None
    name, pin = readers[0]
    cell = cells.get(name)
    if cell is None or cell["type"] != "TRELLIS_FF" or pin != "DI":
        return None
    parameters, connections = cell["parameters"], cell["connections"]
    plain = parameters["CLKMUX"] == "CLK" and parameters["REGSET"] == "RESET" and connections["CLK"] == clock
    if not plain or connections.get("LSR", ["0"]) not in ([], ["0"]):
        return None
    enable = parameters["CEMUX"].strip()
    if enable not in ("1", "CE"):
        return None
    return _Register(name, connections["Q"][0], tuple(connections["CE"]) if enable == "CE" else ())
