"""How many neurons each engine updates per cycle."""

from __future__ import annotations

import dataclasses
from typing import Final, assert_never

from snnc.compiler.design import Design
from snnc.compiler.errors import OptionError, UnsupportedError
from snnc.compiler.ir import Convolution, Dense, Encoding, Graph, IntegrateAndFire, Pooling, Population, Projection
from snnc.compiler.passes.area import total_cells
from snnc.compiler.passes.place import best_fit, place_anyway
from snnc.compiler.plan import Plan
from snnc.sim.estimate import assumed, estimate

__all__ = ["LANES_LIMIT", "TYPICAL_DENSITY", "TYPICAL_FIRING", "expected_cycles", "schedule"]

LANES_LIMIT: Final = 64
"""Of an engine, where a user asks; a wider row makes a chip slower, not faster."""

COMFORT: Final = 0.9
"""Fraction of a device's logic cells that an estimate may fill before fewer lanes are chosen: it may be a tenth low."""

TYPICAL_DENSITY: Final = 0.2
TYPICAL_FIRING: Final = 0.15
"""Fractions of inputs and of hidden neurons that are active in a step, where nothing is known yet."""


def schedule(design: Design) -> Design:
    """Choose the lanes.

    Invariant: one lane count per layer. Unless the user fixed them: at most the device's `widest_lanes` each, a power
    of two in hidden layers and all classes at once in the readout; while the network does not fit the device, the
    engine whose halving costs the least time is halved.
    """
    graph = design.graph
    for population in graph.layers:
        _check_built(graph, population)
    if design.options.lanes is not None:
        return dataclasses.replace(design, lanes=_checked(design.options.lanes, graph))
    most = design.device.widest_lanes
    lanes = tuple(_widest(population, most, last=population is graph.readout) for population in graph.layers)
    widest = dataclasses.replace(design, lanes=lanes)
    narrowest: Design | None = None
    candidate: Design | None = widest
    while candidate is not None:
        fit = best_fit(candidate)
        if not fit.problem:
            narrowest = candidate
            if total_cells(fit.plan) <= COMFORT * design.device.logic_cells:
                return candidate
        candidate = _narrowed(candidate)
    # If nothing fits, `place` refuses the fastest with its numbers.
    return narrowest or widest


def _check_built(graph: Graph, population: Population) -> None:
    """Refuse what the hardware cannot do yet: it runs chains of dense projections and convolutions, and IF neurons."""
    into = graph.into(population.name)
    missing = [_missing(graph, projection) for projection in into]
    if len(into) != 1 or len(graph.out_of(population.name)) > 1:
        missing.append("branches or joins; the hardware of anything but chains")
    match population.neuron:
        case IntegrateAndFire(leak_shift=leak, floor=floor):
            if leak is not None:
                missing.append("leaks; the hardware of LIF neurons")
            if floor is not None:
                missing.append("has a floor of its membranes; the hardware of floors")
    for what in missing:
        if what:
            raise UnsupportedError(
                f"Layer '{population.name}' {what} is not built yet. 'snnc evaluate' runs it in integers; "
                "--print-after bound shows its ranges."
            )


def _missing(graph: Graph, projection: Projection) -> str:
    """What the hardware lacks for a projection, as the part of a sentence; empty if nothing."""
    if projection.source == projection.target:
        return "is recurrent; the hardware of loops"
    if projection.delay:
        return f"hears '{projection.source}' with a delay; the hardware of delays"
    match projection:
        case Pooling():
            return f"sums windows of '{projection.source}'; the hardware of pooling and of identities"
        case Convolution():
            if projection.target == graph.readout.name:
                return "is a readout behind a convolution; the hardware of any but dense readouts"
        case Dense():
            if projection.target == graph.readout.name and graph.readout.size != graph.readout.channels:
                return "is a readout with rows and columns; the hardware of any but flat readouts"
        case _ as unreachable:
            assert_never(unreachable)
    if projection.source == graph.input.name and graph.source.encoding is Encoding.DIRECT and projection.pool > 1:
        return "pools pixels; the hardware of it"
    return ""


def expected_cycles(plan: Plan) -> float:
    """Of a sample of typical activity."""
    return estimate(plan, assumed(plan, density=TYPICAL_DENSITY, firing=TYPICAL_FIRING)).cycles


def _checked(lanes: tuple[int, ...], graph: Graph) -> tuple[int, ...]:
    layers = graph.layers
    if len(lanes) != len(layers):
        names = ", ".join(population.name for population in layers)
        raise OptionError(f"--lanes gives {len(lanes)} numbers for {len(layers)} layers ({names}); give one for each.")
    for count, population in zip(lanes, layers, strict=True):
        if not 1 <= count <= min(LANES_LIMIT, _ceil_power(population.channels)):
            what = "neurons" if population.channels == population.size else "channels"
            raise OptionError(
                f"--lanes gives {count} for layer '{population.name}' with {population.channels} {what}; "
                f"1 to {min(LANES_LIMIT, _ceil_power(population.channels))} are possible."
            )
    return lanes


def _narrowed(design: Design) -> Design | None:
    """The design with one layer's lanes halved, at the least cost in cycles; None if every layer has one lane."""
    candidates = [
        dataclasses.replace(design, lanes=(*design.lanes[:position], -(-count // 2), *design.lanes[position + 1 :]))
        for position, count in enumerate(design.lanes)
        if count > 1
    ]
    return min(candidates, key=lambda candidate: expected_cycles(place_anyway(candidate)), default=None)


def _widest(population: Population, most: int, *, last: bool) -> int:
    if last:
        words = -(-population.channels // most)
        return -(-population.channels // words)
    return min(most, _ceil_power(population.channels))


def _ceil_power(number: int) -> int:
    return 1 << (number - 1).bit_length()
