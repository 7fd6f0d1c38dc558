"""Modelled energy of arithmetic, from a table of costs.

A model, not a measurement: operations times the energy of one, as the field's papers count it. Memory traffic, clock
and control are not in it, and on an FPGA they are most of the power. Tables are data (``costs/*.json``, or a file of
the user's in the same form)::

    {"title": "...", "mac_pj": 4.6, "ac_pj": 0.9, "source": "where the numbers are from"}
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

from snnc.compiler.errors import DataError, OptionError
from snnc.sim.evaluation.operations import Work

__all__ = ["COST_TABLES", "CostTable", "Energy", "load_costs", "model_energy"]

COST_TABLES: Final = ("fp32", "fp16", "int8")
"""Names of the tables that come with this package."""

_SIZE_LIMIT: Final = 2**16


@dataclass(frozen=True, slots=True, kw_only=True)
class CostTable:
    """What one operation costs.

    Attributes
    ----------
    name
        As it was asked for.
    title
        For people.
    mac_pj, ac_pj
        Picojoules of a multiply-accumulate and of an accumulate.
    source
        Where the numbers are from.
    """

    name: str
    title: str
    mac_pj: float
    ac_pj: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Energy:
    """Modelled nanojoules of a mean sample.

    Attributes
    ----------
    ann
        The equal ANN: its MACs.
    first
        MACs of the layers that read pixels.
    synapses
        One accumulate per synaptic operation after spikes.
    neurons
        One accumulate per neuron and time step.
    """

    ann: float
    first: float
    synapses: float
    neurons: float

    @property
    def total(self) -> float:
        """Of the spiking network."""
        return self.first + self.synapses + self.neurons

    @property
    def ratio(self) -> float | None:
        """How many times the ANN takes what the spiking network takes; None where all costs nothing."""
        return self.ann / self.total if self.total else None


def load_costs(name: str) -> CostTable:
    """A table of `COST_TABLES`, or that of a JSON file.

    Raises
    ------
    OptionError
        There is none of that name.
    DataError
        The file is no table of costs.
    """
    if name in COST_TABLES:
        text = (resources.files(__package__) / "costs" / f"{name}.json").read_text(encoding="utf-8")
        return _parsed(name, text)
    path = Path(name)
    if path.suffix.lower() != ".json":
        raise OptionError(f"There are no costs called '{name}'; choose {', '.join(COST_TABLES)} or a .json file.")
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(_SIZE_LIMIT)
    except OSError as error:
        raise DataError(f"The costs '{name}' cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise DataError(f"The costs '{name}' are no text; write {_FORM}.") from None
    return _parsed(name, text)


_FORM: Final = '{"title": text, "mac_pj": number, "ac_pj": number, "source": text}'


def _parsed(name: str, text: str) -> CostTable:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise DataError(f"The costs '{name}' are no JSON; write {_FORM}.") from None
    wanted: dict[str, type | tuple[type, ...]] = {
        "title": str,
        "mac_pj": (int, float),
        "ac_pj": (int, float),
        "source": str,
    }
    if not isinstance(value, dict) or set(value) != set(wanted):
        raise DataError(f"The costs '{name}' do not hold exactly {', '.join(wanted)}; write {_FORM}.")
    for key, kind in wanted.items():
        found: Any = value[key]
        right = isinstance(found, kind) and not isinstance(found, bool)
        if not right or (not isinstance(found, str) and not 0 <= found < 1e9):
            what = "a text" if kind is str else "a number of picojoules, 0 or more"
            raise DataError(f"In the costs '{name}', {key} is {str(found)[:40]!r}; it must be {what}.")
    return CostTable(name=name, **value)


def model_energy(work: Work, costs: CostTable, *, first_every_step: bool) -> Energy:
    """Modelled energy of a mean sample.

    Parameters
    ----------
    first_every_step
        Charge the MACs of the layers that read pixels at every step, as counters hooked to layers do; else once, since
        their current is the same at every step and is computed once.
    """
    return Energy(
        ann=work.macs * costs.mac_pj / 1000,
        first=work.first_macs * (work.time_steps if first_every_step else 1) * costs.mac_pj / 1000,
        synapses=work.spike_operations * costs.ac_pj / 1000,
        neurons=work.updates * costs.ac_pj / 1000,
    )
