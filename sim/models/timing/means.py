"""What a mean sample is, and what the estimate of every kind of engine follows it with."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from snnc.compiler.plan import EnginePlan, LayoutPlan, ProjectionPlan
from snnc.rtl.walkers import witness

__all__ = [
    "Activity",
    "MeanTiming",
    "Sent",
    "SourceActivity",
    "operations_per_event",
    "shared_out",
    "waits_per_event",
]

_FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SourceActivity:
    """What a population sends in a mean sample.

    Attributes
    ----------
    steps
        Spikes of each time step; of an image, its signed digits, once.
    shares
        The fraction of them at each position, ``(row, column)``; None where they are spread evenly.
    pixels
        Of an image: how many of its pixels are not 0, at each position, over the channels; a number where they are
        spread evenly. 0 for spikes.
    """

    steps: tuple[float, ...]
    shares: _FloatArray | None = None
    pixels: _FloatArray | float = 0.0

    def at(self, t: int) -> float:
        """Events of step `t`; what was not measured is as the last step that was."""
        return self.steps[min(t, len(self.steps) - 1)]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Activity:
    """How much a mean sample asks of a network.

    Attributes
    ----------
    sources
        What each population sends, by its name.
    time_steps
        ``T``.
    typical
        A few samples that together are nearly as all of them, where they are known.
    exits
        The share of samples that end early with so many steps; empty where none do, or nobody knows.
    again
        The spikes of the image are there already, from another attempt at the sample.
    """

    sources: Mapping[str, SourceActivity]
    time_steps: int
    typical: tuple[Activity, ...] = ()
    exits: Mapping[int, float] = field(default_factory=dict)
    again: bool = False

    def up_to(self, steps: int, *, again: bool = False) -> Activity:
        """Of an attempt of so many steps."""
        typical = tuple(sample.up_to(steps, again=again) for sample in self.typical)
        return dataclasses.replace(self, time_steps=steps, typical=typical, exits={}, again=again)

    @property
    def events(self) -> Mapping[str, float]:
        """That leave each population: per time step, on average; of pixels, signed digits per sample."""
        steps = range(self.time_steps)
        return {name: sum(source.at(t) for t in steps) / len(steps) for name, source in self.sources.items()}


@dataclass(frozen=True, slots=True)
class Sent:
    """When a step's first and last spike word are offered, and what share of its events comes with the last.

    Of words that go into spike maps all together, `rows` says when each row is complete in all steps.
    """

    first: float
    last: float
    share: float
    rows: tuple[float, ...] = ()


class MeanTiming(Protocol):
    """A mean sample in one engine; each kind has one, ``MeanSample``, made of the plan, its engine and the activity.

    Attributes
    ----------
    operations
        Of the sample, in each of the engine's units.
    """

    operations: float

    def step(self, t: int, free: dict[str, float], sent: dict[str, Sent]) -> None:
        """Follow step `t`: `free` says when each engine can issue next, `sent` when each population's words come."""


def shared_out(engine: EnginePlan, cycles: _FloatArray) -> _FloatArray:
    """From the cycles of each position, ``(row, column)``, to those of each unit, ``(row, unit)``."""
    layout, units = engine.layout, engine.units
    found: _FloatArray = np.bincount(
        _places(layout, units), weights=cycles.reshape(-1), minlength=layout.rows * units
    ).astype(np.float64)
    return found.reshape(-1, units)


@functools.cache
def _places(layout: LayoutPlan, units: int) -> npt.NDArray[np.int64]:
    """Of each position, row by row: ``row * units + unit`` of the unit that has it."""
    places = np.empty(layout.sizes, dtype=np.int64)
    for row, unit in np.ndindex(layout.rows, units):
        places[row, layout.columns_of(row, unit, units)] = row * units + unit
    return places.reshape(-1)


def operations_per_event(engine: EnginePlan, projection: ProjectionPlan, shares: _FloatArray | None = None) -> float:
    """Mean over the source's neurons of the operations that one of their events takes.

    `shares` weighs the positions of the source, ``(row, column)``, as `SourceActivity` has them.
    """
    found: float = witness(projection.walk, "estimate").operations_per_event(engine, projection, shares)
    return found


def waits_per_event(engine: EnginePlan, projection: ProjectionPlan, shares: _FloatArray | None = None) -> float:
    """Mean cycles for which an event waits, beyond its operations."""
    found: float = witness(projection.walk, "estimate").waits_per_event(engine, projection, shares)
    return found
