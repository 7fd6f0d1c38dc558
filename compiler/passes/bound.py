"""Nothing overflows: the ranges of every current and membrane, proven by interval arithmetic."""

from __future__ import annotations

import dataclasses
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from snnc.compiler.design import Bounds, Design
from snnc.compiler.errors import FitError, UnsupportedError
from snnc.compiler.ir import (
    Encoding,
    Graph,
    Initial,
    InputSource,
    IntegrateAndFire,
    Level,
    Population,
    Projection,
    Readout,
    Reset,
)
from snnc.compiler.plan import Range

__all__ = ["WIDTH_LIMIT", "Interval", "bound", "layer_bounds"]

WIDTH_LIMIT: Final = 32
"""Bits of the widest accumulator."""

_Integers: TypeAlias = npt.NDArray[np.int64]


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Interval:
    """Inclusive bounds per neuron: `low` and `high` of shape ``(neurons,)``."""

    low: _Integers
    high: _Integers

    def __add__(self, other: Interval | _Integers) -> Interval:
        if isinstance(other, Interval):
            return Interval(self.low + other.low, self.high + other.high)
        return Interval(self.low + other, self.high + other)

    def union(self, other: Interval) -> Interval:
        return Interval(np.minimum(self.low, other.low), np.maximum(self.high, other.high))

    def summary(self) -> Range:
        """Bounds over all neurons."""
        return Range(low=int(self.low.min()), high=int(self.high.max()))


def bound(design: Design) -> Design:
    """Prove the ranges of ``I``, ``U``, ``V`` and of the stored residual for at most ``T_max`` steps.

    Invariant: no sample of at most ``T_max`` steps leaves the ranges, and every accumulator fits `WIDTH_LIMIT`.
    """
    graph = design.graph
    assert graph.level is Level.INTEGER
    bounds = tuple(layer_bounds(graph, population) for population in graph.layers)
    for population, found in zip(graph.layers, bounds, strict=True):
        bits = max(found.residual.bits, found.before_reset.bits)
        if bits > WIDTH_LIMIT:
            raise FitError(
                f"The membranes of layer '{population.name}' need {bits} bits over {graph.time_steps} time steps; "
                f"{WIDTH_LIMIT} are the most. Use fewer time steps (--time-steps), fewer weight bits or larger weights."
            )
    return dataclasses.replace(design, bounds=bounds)


def layer_bounds(graph: Graph, population: Population) -> Bounds:
    """Ranges of one layer of an integer graph."""
    weighted = [_weighted(graph, projection) for projection in graph.into(population.name)]
    bias = _per_neuron(population.bias, population)
    current = Interval(bias, bias)
    for interval, projection in zip(weighted, graph.into(population.name), strict=True):
        current += Interval(interval.low << projection.shift, interval.high << projection.shift)
    match population.neuron:
        case IntegrateAndFire() as neuron:
            before, after, residual = _firing(population, neuron, current, graph.time_steps)
        case Readout():
            total = Interval(current.low * graph.time_steps, current.high * graph.time_steps)
            before = current.union(total)
            after = residual = _point(np.zeros_like(bias)).union(before)
        case InputSource():
            raise AssertionError("an input has no membrane")
    return Bounds(
        input_current=current.summary(),
        before_reset=before.summary(),
        after_reset=after.summary(),
        residual=residual.summary(),
        weighted=tuple(interval.summary() for interval in weighted),
    )


def _weighted(graph: Graph, projection: Projection) -> Interval:
    """Range of one step's weighted sum before the shift: only negative weights get an input, or only positive ones."""
    match graph.population(projection.source).neuron:
        case InputSource(encoding=Encoding.DIRECT, bits=bits):
            largest = 2**bits - 1
        case _:
            largest = 1
    weight = projection.weight.astype(np.int64)
    return Interval(np.minimum(weight, 0).sum(axis=1) * largest, np.maximum(weight, 0).sum(axis=1) * largest)


def _firing(
    population: Population, neuron: IntegrateAndFire, current: Interval, steps: int
) -> tuple[Interval, Interval, Interval]:
    """Ranges of ``U``, ``V`` and the residual: the union over all steps of what one step can make of the last one's."""
    if neuron.leak_shift is not None or neuron.floor is not None:
        raise UnsupportedError(f"Layer '{population.name}' has a leak or a membrane floor; neither is built yet.")
    threshold = _per_neuron(neuron.threshold, population)
    bias = _per_neuron(population.bias, population)
    initial = threshold >> 1 if neuron.initial is Initial.HALF else np.zeros_like(threshold)
    membrane = after = _point(initial)
    before = membrane + current
    for _ in range(steps):
        drive = membrane + current
        before = before.union(drive)
        reached = _reset(drive, threshold, neuron.reset)
        # Once a step adds nothing new, no later one does.
        settled = bool((reached.low >= after.low).all() and (reached.high <= after.high).all())
        after = after.union(reached)
        membrane = after
        if settled:
            break
    residual = (after + (bias - threshold)).union(before + -threshold)
    return before, after, residual


def _reset(drive: Interval, threshold: _Integers, reset: Reset) -> Interval:
    """``V`` for ``U`` in `drive`: the silent part below the threshold and the fired part from it on, if not empty."""
    silent, fired = drive.low < threshold, drive.high >= threshold
    match reset:
        case Reset.SOFT:
            lowest = np.maximum(drive.low, threshold) - threshold
            highest = drive.high - threshold
        case Reset.HARD:
            lowest = highest = np.zeros_like(threshold)
    low = np.where(silent, np.where(fired, np.minimum(drive.low, lowest), drive.low), lowest)
    below = np.minimum(drive.high, threshold - 1)
    high = np.where(silent, np.where(fired, np.maximum(below, highest), below), highest)
    return Interval(low, high)


def _point(value: _Integers) -> Interval:
    return Interval(value, value)


def _per_neuron(values: npt.NDArray[np.int64] | npt.NDArray[np.float64], population: Population) -> _Integers:
    return np.repeat(values.astype(np.int64), population.size // population.channels)
