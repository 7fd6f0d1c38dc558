"""A Gowin bitstream as Verilog, of what the outputs of the board need: `gowin_tiles`, followed back from the pins.

A program of its own, as every tool is: Apycula keeps in variables of its modules what it reads. Its arguments are
Apycula's name of the die, the part, the bitstream, the module's name, the file to write, and each port with its pin
(``tx=17``).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from snnc.compiler.errors import SnncError, ToolError
from snnc.compiler.targets.gowin_tiles import Cell, Die, Pad

__all__ = ["main", "unpacked"]

_LEVELS: Final = {"VSS": "1'b0", "VCC": "1'b1"}

_LONGEST: Final = 1000
"""Wires from one cell to another; more are a ring."""


class _Sources(Protocol):
    sources: dict[str, str]
    cells: dict[str, Cell]
    pads: dict[str, Pad]


class _Netlist:
    def __init__(self, die: _Sources, ports: Mapping[str, str]) -> None:
        self._die = die
        self._nets: dict[str, str] = {}
        self._left: list[Cell] = []
        self.lines: list[str] = []
        pads = {port: die.pads[pin] for port, pin in ports.items()}
        self._inputs = {pad.wire: port for port, pad in pads.items() if pad.is_input}
        self.ports = [f"{'input' if pad.is_input else 'output'} {port}" for port, pad in pads.items()]
        for port, pad in pads.items():
            if not pad.is_input:
                self.lines.append(f"assign {port} = {self._net(pad.wire)};")
        written = set()
        while self._left:
            cell = self._left.pop()
            if cell.name not in written:
                written.add(cell.name)
                self.lines.append(self._instance(cell))

    @property
    def declared(self) -> list[str]:
        return sorted(set(self._nets.values()) - set(self._inputs.values()) - set(_LEVELS.values()))

    def _net(self, wire: str) -> str:
        """The net of a wire: that of the cell or pin which drives it."""
        way = [wire]
        while way[-1] not in self._nets:
            last = way[-1]
            if last in self._inputs:
                self._nets[last] = self._inputs[last]
            elif last in self._die.cells:
                self._nets[last] = f"n{len(self._nets)}"
                self._left.append(self._die.cells[last])
            elif last not in self._die.sources:
                self._nets[last] = _LEVELS.get(last, _LEVELS["VCC"])  # an open input is high
            elif len(way) > _LONGEST:
                raise ToolError(f"The wires in front of {wire} are a ring.")
            else:
                way.append(self._die.sources[last])
        net = self._nets[way[-1]]
        self._nets.update(dict.fromkeys(way, net))
        return net

    def _instance(self, cell: Cell) -> str:
        ports = [
            *(f".{port}({_vector([self._out(wire, cell) for wire in bits])})" for port, bits in cell.outputs.items()),
            *(f".{port}({_vector([self._net(wire) for wire in bits])})" for port, bits in cell.inputs.items()),
        ]
        parameters = ", ".join(f".{name}({value})" for name, value in cell.parameters.items())
        return f"{cell.kind}{f' #({parameters})' if parameters else ''} {cell.name} ({', '.join(ports)});"

    def _out(self, wire: str, cell: Cell) -> str:
        return self._nets.setdefault(wire, f"n{len(self._nets)}")


def _vector(nets: Sequence[str]) -> str:
    return nets[0] if len(nets) == 1 else f"{{{', '.join(reversed(nets))}}}"


def unpacked(die: _Sources, ports: Mapping[str, str], *, top: str) -> str:
    """Verilog of what the outputs among `ports`, by their pins, need, in the cells of Yosys and ``gowin_*.v``."""
    netlist = _Netlist(die, ports)
    wires = "".join(f"wire {net};\n" for net in netlist.declared)
    return f"module {top} ({', '.join(netlist.ports)});\n{wires}" + "\n".join(netlist.lines) + "\nendmodule\n"


def main() -> None:
    die, part, bitstream, top, target, *ports = sys.argv[1:]
    try:
        text = unpacked(Die(die, part, Path(bitstream)), dict(port.split("=") for port in ports), top=top)
    except SnncError as error:
        sys.exit(f"error: {error}")
    Path(target).write_text(text, encoding="utf-8")
