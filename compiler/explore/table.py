"""The table of an exploration: a row for each point, and which of them nothing beats."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from snnc.compiler.explore.grid import Point

__all__ = ["AXES", "Axis", "Row", "front", "row_of", "table_csv"]

_KBIT: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What is known of a point.

    Attributes
    ----------
    network
        Name of the network.
    weight_bits
        Of its weights, the widest.
    reason
        Why it cannot be built, or what it needs beyond its device; empty if it can. Nothing below is known where there
        is no plan.
    accuracy
        Of the integer network on the validation samples, a fraction.
    energy_nj
        Modelled: arithmetic alone, nanojoules of a mean sample (`snnc.sim.evaluation.energy`).
    cycles, mhz
        Of a mean sample, exactly, and the clock that they are counted at.
    cells, blocks, sprams, memory_kbit
        Logic cells in the device's own kind, by estimate; memory blocks, and their size in 1,024 bits.
    layers
        Its engines, as a person wants to see them.
    """

    point: Point
    network: str
    weight_bits: int
    reason: str
    accuracy: float = 0.0
    energy_nj: float = 0.0
    cycles: float = 0.0
    mhz: float
    cells: int = 0
    blocks: int = 0
    sprams: int = 0
    layers: Sequence[Mapping[str, Any]] = ()

    @property
    def fits(self) -> bool:
        return not self.reason

    @property
    def time_us(self) -> float:
        return self.cycles / self.mhz

    @property
    def logic_share(self) -> float:
        """Of the device's."""
        return self.cells / self.point.device.logic_cells

    @property
    def memory_kbit(self) -> float:
        device = self.point.device
        words, width = device.spram_mode
        return (self.blocks * device.block_ram_bits + self.sprams * words * width) / _KBIT

    @property
    def memory_share(self) -> float:
        """Of the device's block RAM and SPRAM; 0 of a device without."""
        device = self.point.device
        words, width = device.spram_mode
        most = (device.block_rams * device.block_ram_bits + device.spram_blocks * words * width) / _KBIT
        return self.memory_kbit / most if most else 0.0

    @property
    def exit(self) -> str:
        """The early exit, as ``--early-exit`` takes it; empty where the network is the file's."""
        asked = self.point.variant.exit
        return "" if asked is None else asked.text

    @property
    def lanes(self) -> str:
        """As ``--lanes`` takes them."""
        return ",".join(layer["lanes"] for layer in self.layers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A quantity by which points are compared.

    Attributes
    ----------
    name
        In a budget.
    title, unit
        For people.
    value
        Of a row.
    more
        Whether more of it is better.
    """

    name: str
    title: str
    unit: str
    value: Callable[[Row], float]
    more: bool = False

    def cost(self, row: Row) -> float:
        """What is better small."""
        return -self.value(row) if self.more else self.value(row)

    def text(self, value: float) -> str:
        """With its unit."""
        if self.unit == "%":
            return f"{value:,.2f} %"
        return f"{value:,.0f} {self.unit}" if abs(value) >= 1000 else f"{value:,.4g} {self.unit}"


AXES: Final[Mapping[str, Axis]] = {
    axis.name: axis
    for axis in (
        Axis(name="accuracy", title="accuracy", unit="%", value=lambda row: 100 * row.accuracy, more=True),
        Axis(name="time", title="time of a mean sample", unit="us", value=lambda row: row.time_us),
        Axis(name="logic", title="logic cells", unit="cells", value=lambda row: float(row.cells)),
        Axis(name="memory", title="memory", unit="kbit", value=lambda row: row.memory_kbit),
        Axis(name="energy", title="modelled energy", unit="nJ", value=lambda row: row.energy_nj),
    )
}
"""The five that points compete in."""


def row_of(point: Point, network: Mapping[str, Any], plan: Mapping[str, Any], clocks: Mapping[str, float]) -> Row:
    """Of what was found of a variant and of a point (`snnc.compiler.explore.findings`); `clocks` are in MHz, by the
    device's name, where they are not the device's own.
    """
    mhz = clocks.get(point.device.name, point.device.default_mhz)
    name, bits = network.get("name", ""), network.get("weight_bits", 0)
    reason = network.get("refused") or plan.get("refused")
    if reason:
        return Row(point=point, network=name, weight_bits=bits, reason=reason, mhz=mhz)
    return Row(
        point=point,
        network=name,
        weight_bits=bits,
        reason=f"needs {plan['lacks']}" if plan["lacks"] else "",
        accuracy=network["accuracy"],
        energy_nj=network["energy_nj"],
        cycles=plan["cycles"],
        mhz=mhz,
        cells=plan["cells"],
        blocks=plan["blocks"],
        sprams=plan["sprams"],
        layers=plan["layers"],
    )


def front(rows: Sequence[Row], axes: Sequence[Axis]) -> list[Row]:
    """The rows that fit and that no other one beats: as good in every axis, and better in one. In their order."""
    fitting = [row for row in rows if row.fits]
    costs = [tuple(axis.cost(row) for axis in axes) for row in fitting]
    distinct = set(costs)
    beaten = {one for one in distinct if any(other != one and _no_worse(other, one) for other in distinct)}
    return [row for row, cost in zip(fitting, costs, strict=True) if cost not in beaten]


def table_csv(rows: Sequence[Row]) -> str:
    """For spreadsheets and programs; what is not known is empty."""
    best = {id(row) for row in front(rows, tuple(AXES.values()))}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_COLUMNS, "pareto", "reason", "command"])
    for row in rows:
        known = [str(column(row)) if row.layers or name in _ALWAYS else "" for name, column in _COLUMNS.items()]
        writer.writerow([*known, int(id(row) in best), row.reason, row.point.command])
    return text.getvalue()


_COLUMNS: Final[Mapping[str, Callable[[Row], Any]]] = {
    "network": lambda row: row.network,
    "student": lambda row: row.point.variant.student,
    "family": lambda row: row.point.device.family,
    "device": lambda row: row.point.device.name,
    "time_steps": lambda row: row.point.variant.time_steps,
    "weight_bits": lambda row: row.weight_bits,
    "early_exit": lambda row: row.exit,
    "chosen_by": lambda row: row.point.choice,
    "engines": lambda row: row.point.engines.value,
    "fits": lambda row: int(row.fits),
    "accuracy": lambda row: round(row.accuracy, 6),
    "cycles": lambda row: round(row.cycles, 2),
    "clock_mhz": lambda row: row.mhz,
    "time_us": lambda row: round(row.time_us, 3),
    "logic_cells": lambda row: row.cells,
    "logic_share": lambda row: round(row.logic_share, 4),
    "block_rams": lambda row: row.blocks,
    "sprams": lambda row: row.sprams,
    "memory_kbit": lambda row: row.memory_kbit,
    "memory_share": lambda row: round(row.memory_share, 4),
    "modelled_energy_nj": lambda row: round(row.energy_nj, 3),
    "lanes": lambda row: row.lanes,
    "layer_engines": lambda row: " ".join(layer["engine"] for layer in row.layers),
}

_ALWAYS: Final = frozenset(
    {
        *("network", "student", "family", "device", "time_steps", "weight_bits", "early_exit", "chosen_by", "engines"),
        *("fits", "clock_mhz"),
    }
)
"""Columns that are known without a plan."""


def _no_worse(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True))
