"""What limits a design's clock: its longest path, by the units and the signals of the hardware that it runs through.

nextpnr says which cells the path goes through, and the netlist what they are: Yosys keeps the instance that each signal
and each part of the hierarchy came from. A cell without a signal of its own is logic that Yosys made, often of several
units at once, and called after a neighbour; it is given the unit of that neighbour, and no signal.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

__all__ = ["CriticalPath", "PathEnd", "clock_name", "critical_path"]

_CORE: Final = "core"
"""The core's instance in every top (`snnc.rtl.tops`): what lies in it goes without saying."""

_UNNAMED: Final = re.compile(r"_\d+_$|\$")
"""How signals begin that had no name before Yosys wrote them down."""

_MEMORY: Final = re.compile(r"\.(\w+)\.\d+\.\d+(_[A-Z]+)?$")
"""A block of a memory: Yosys numbers them, nextpnr may say what it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PathEnd:
    """Where a path begins or ends.

    Attributes
    ----------
    unit
        The instances that it lies in, as ``core.v`` names them: ``engine_conv1.walker``; or those of the top around the
        core. Empty for the top itself.
    signal
        The register's, or the memory's; None where it has no name, or where synthesis left none.
    port
        Of the cell: ``CEN`` is a clock enable, ``RADDR_3`` a bit of a block RAM's address.
    """

    unit: str
    signal: str | None
    port: str

    @property
    def text(self) -> str:
        """``engine_conv1.walker rows_left[1]``."""
        return f"{self.unit or 'top'} {self.signal or 'unnamed logic'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CriticalPath:
    """The longest path between two registers or memories of one clock.

    Attributes
    ----------
    clock
        Name of its net, as in `Implementation.fmax_mhz`.
    source, sink
        Both ends.
    through
        The units on the way, in order, both ends among them; each once where several cells of it follow one another.
    levels
        Cells of logic between both ends; a chain of carries is one.
    logic_ns, routing_ns
        What it takes in cells, from the clock to the output of the first and the set-up time of the last included, and
        in wires. Their sum is the shortest period.
    """

    clock: str
    source: PathEnd
    sink: PathEnd
    through: tuple[str, ...]
    levels: int
    logic_ns: float
    routing_ns: float

    @property
    def facts(self) -> dict[str, Any]:
        """Plain values, for programs."""
        ends = {
            name: {"unit": end.unit, "signal": end.signal, "port": end.port}
            for name, end in (("source", self.source), ("sink", self.sink))
        }
        return {
            "clock": self.clock,
            **ends,
            "through": list(self.through),
            "levels": self.levels,
            "logic_ns": round(self.logic_ns, 3),
            "routing_ns": round(self.routing_ns, 3),
        }


def critical_path(report: Mapping[str, Any], modules: Mapping[str, Any], top: str) -> CriticalPath | None:
    """The longest path in nextpnr's report; None where there is none, or the report is not of a form that is known.

    Parameters
    ----------
    report
        As ``nextpnr --report`` writes it.
    modules
        Of the netlist that Yosys's ``write_json`` wrote; where it lacks names, so does the path.
    top
        The one that was placed.
    """
    try:
        paths = [
            (sum(hop["delay"] for hop in found["path"]), found)
            for found in report["critical_paths"]
            # From or to a pin is a matter of what the pin is connected to.
            if found["from"] == found["to"] and found["path"]
        ]
        if not paths:
            return None
        _, longest = max(paths, key=lambda entry: entry[0])
        return _described(longest, _Names(modules.get(top, {})))
    except (AttributeError, LookupError, TypeError, ValueError):
        # What limits the clock is for information: another nextpnr's report is no reason to fail.
        return None


def clock_name(net: str) -> str:
    """The clock of a net that nextpnr added where it went to: ``clk$SB_IO_IN_$glb_clk``, ``$glbnet$clk$IN``."""
    return re.sub(r"^\$(glbnet|iopadmap)\$", "", net).split("$")[0]


def _described(found: Mapping[str, Any], names: _Names) -> CriticalPath:
    hops = found["path"]
    first, last = hops[0]["from"], hops[-1]["to"]
    source, sink = (names.end(cell["cell"], cell["port"]) for cell in (first, last))
    between = [hop for hop in hops if hop["type"] == "logic"]
    # The carry of an adder is a cell for each bit, and hardly a delay.
    carries = ("carry" if "CO" in hop["to"]["port"] else str(index) for index, hop in enumerate(between))
    units = [source.unit, *(names.unit(hop["from"]["cell"]) for hop in between), sink.unit]
    wires = sum(float(hop["delay"]) for hop in hops if hop["type"] == "routing")
    return CriticalPath(
        clock=clock_name(found["from"].split()[-1]),
        source=source,
        sink=sink,
        through=tuple(unit for unit, _ in groupby(units)),
        levels=sum(1 for _ in groupby(carries)),
        logic_ns=sum(float(hop["delay"]) for hop in hops) - wires,
        routing_ns=wires,
    )


class _Names:
    """Units and signals of a netlist's cells."""

    def __init__(self, module: Mapping[str, Any]) -> None:
        self._cells: Mapping[str, Any] = module.get("cells", {})
        self._scopes = {name for name, cell in self._cells.items() if cell["type"] == "$scopeinfo"}
        self._signals = _signals_by_bit(module)
        self._registers = {
            cell["connections"][port][0]: name
            for name, cell in self._cells.items()
            for port in ("D", "DI")
            if {port, "Q"} <= cell.get("connections", {}).keys()
        }
        """By what is written into them."""

    def unit(self, name: str) -> str:
        """The innermost instance that a name of Yosys's lies in."""
        instances = name.split(".")[:-1]
        while instances and ".".join(instances) not in self._scopes:
            instances.pop()
        return _below_core(instances)

    def end(self, cell: str, port: str) -> PathEnd:
        """What a path's first or last cell is: a register, which nextpnr may have put behind a look-up table, or a
        memory.
        """
        if (memory := _MEMORY.search(cell)) is not None:
            return PathEnd(unit=self.unit(cell), signal=memory[1], port=port)
        register = self._register(cell)
        if register is None:
            return PathEnd(unit=self.unit(cell), signal=None, port=port)
        # Of the names of a signal the one that the register is called after, else the shortest.
        called = sorted(
            (not register.startswith(net), len(net), instances, signal)
            for net, instances, signal in self._signals[self._cells[register]["connections"]["Q"][0]]
        )
        if not called:
            return PathEnd(unit=self.unit(register), signal=None, port=port)
        _, _, instances, signal = called[0]
        return PathEnd(unit=_below_core(instances), signal=signal, port=port)

    def _register(self, name: str) -> str | None:
        """The register that a placed cell holds."""
        # nextpnr adds what kind of cell it is: _LC, _DFFLC.
        for known in (name, name.rpartition("_")[0]):
            connections = self._cells.get(known, {}).get("connections", {})
            if "Q" in connections:
                return known
            for bits in connections.values():
                if bits and bits[0] in self._registers and self._drives(known, bits[0]):
                    return self._registers[bits[0]]
        return None

    def _drives(self, name: str, bit: Any) -> bool:
        cell = self._cells[name]
        return any(
            bit in bits and cell["port_directions"][port] == "output" for port, bits in cell["connections"].items()
        )


def _signals_by_bit(module: Mapping[str, Any]) -> Mapping[Any, Sequence[tuple[str, list[str], str]]]:
    """Net, instances and name of every signal that had one before synthesis, by its bits."""
    signals: dict[Any, list[tuple[str, list[str], str]]] = defaultdict(list)
    ports = module.get("ports", {})
    for net, entry in module.get("netnames", {}).items():
        *instances, signal = entry["attributes"].get("hdlname", net).split(" ")
        # Without instances it is the top's, where Yosys's own names look like any other.
        if (not instances and net not in ports) or _UNNAMED.match(signal):
            continue
        for place, bit in enumerate(entry["bits"]):
            signals[bit].append((net, instances, signal if len(entry["bits"]) == 1 else f"{signal}[{place}]"))
    return signals


def _below_core(instances: Sequence[str]) -> str:
    return ".".join(instances[1:] if len(instances) > 1 and instances[0] == _CORE else instances)
