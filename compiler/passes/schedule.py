"""How many neurons each engine updates per cycle."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Final

from snnc.compiler.design import Design
from snnc.compiler.errors import OptionError, UnsupportedError
from snnc.compiler.ir import Dense, Encoding, Graph, Population, Projection
from snnc.compiler.passes.area import total_cells
from snnc.compiler.passes.order import walk_order
from snnc.compiler.passes.place import best_fit
from snnc.compiler.plan import Plan
from snnc.sim.estimate import typical, typical_cycles

__all__ = ["LANES_LIMIT", "schedule"]

LANES_LIMIT: Final = 64
"""Of an engine, where a user asks; a wider row makes a chip slower, not faster."""

MOST_NARROWER: Final = 4
"""Choices by which one engine's lanes may shrink at once so that another's can grow."""

COMFORT: Final = 0.9
"""Fraction of a device's logic cells that an estimate may fill before fewer lanes are chosen: it may be a tenth low."""


def schedule(design: Design) -> Design:
    """Choose the lanes.

    Invariant: one lane count per layer. Unless the user fixed them: at most the device's `widest_lanes` each, powers of
    two in dense hidden layers and all classes at once in the readout. Where that does not fit, lanes grow from few,
    an engine's at a time, if need be at the cost of another's, while the estimate of a sample's cycles falls.
    """
    graph = design.graph
    for population in graph.layers:
        _check_built(graph, population)
    if design.options.lanes is not None:
        return dataclasses.replace(design, lanes=_checked(design.options.lanes, graph))
    choices = [_choices(graph, population, design.device.widest_lanes) for population in graph.layers]
    widest = dataclasses.replace(design, lanes=tuple(lanes[-1] for lanes in choices))
    if _comfortable(widest) is not None:
        return widest
    grown: dict[tuple[int, ...], float] = {}
    fits: dict[tuple[int, ...], Plan | None] = {}
    for cap in sorted({lanes for options in choices for lanes in options if lanes & (lanes - 1) == 0}):
        # From several starts: a memory of fewer lanes is narrower but deeper, which may take more blocks.
        start = tuple(max(lanes for lanes in options if lanes <= cap or lanes == options[0]) for options in choices)
        grown |= _grow(dataclasses.replace(design, lanes=start), choices, fits)
    # If nothing fits, `place` refuses the fastest with its numbers.
    return dataclasses.replace(design, lanes=min(grown, key=lambda lanes: grown[lanes])) if grown else widest


def _grow(
    design: Design, choices: list[list[int]], fits: dict[tuple[int, ...], Plan | None]
) -> dict[tuple[int, ...], float]:
    """More lanes for one engine, if need be at the cost of another's, while that saves time; where it ends.

    `fits` remembers what other searches have placed.
    """
    start = _comfortable(design) or _fitting(design)
    if start is None:
        return {}
    plan = start
    while True:
        work = [typical(plan).operations[engine.name] for engine in plan.engines]
        busiest = sorted(range(len(choices)), key=lambda k: -work[k])
        for lanes in _neighbours(design.lanes, busiest, choices):
            changed = dataclasses.replace(design, lanes=lanes)
            if lanes not in fits:
                fits[lanes] = _comfortable(changed)
            found = fits[lanes]
            if found is not None and typical_cycles(found) < typical_cycles(plan):
                design, plan = changed, found
                break
        else:
            return {design.lanes: typical_cycles(plan)}


def _neighbours(lanes: tuple[int, ...], busiest: list[int], choices: list[list[int]]) -> Iterator[tuple[int, ...]]:
    """One engine's lanes a choice wider, the busiest's first; then with another's narrower, by ever more choices."""
    at = [options.index(count) for options, count in zip(choices, lanes, strict=True)]
    trades = [
        (0, busiest[0]),
        *((by, narrower) for by in range(1, MOST_NARROWER + 1) for narrower in reversed(busiest)),
    ]
    for by, narrower in trades:
        for wider in busiest:
            moved = list(at)
            moved[narrower] -= by
            moved[wider] += 1
            inside = all(0 <= k < len(options) for k, options in zip(moved, choices, strict=True))
            if inside and (by == 0 or narrower != wider):
                yield tuple(options[k] for k, options in zip(moved, choices, strict=True))


def _fitting(design: Design) -> Plan | None:
    fit = best_fit(design)
    return None if fit.problem else fit.plan


def _comfortable(design: Design) -> Plan | None:
    """The plan, if it fits with room for the estimate to be wrong."""
    plan = _fitting(design)
    return plan if plan is not None and total_cells(plan) <= COMFORT * design.device.logic_cells else None


def _check_built(graph: Graph, population: Population) -> None:
    """Refuse what the hardware cannot do and the pass `lower` has no equal of: it is all about pixels."""
    into = walk_order(graph, population)
    from_input = [projection for projection in into if projection.source == graph.input.name]
    if from_input and graph.source.encoding is Encoding.DIRECT:
        what, remedy = _missing_of_pixels(graph, from_input, into)
    elif into[-1].delay:
        # Neurons in front could only be a layer that hears the pixels.
        what = "hears nothing without a delay, and stands before every layer that hears pixels; the hardware of it"
        remedy = "Put it behind one of them"
    else:
        return
    if what:
        raise UnsupportedError(
            f"Layer '{population.name}' {what} is not built yet. {remedy}, or use rate or events encoding. 'snnc "
            "evaluate' runs it in integers; --print-after bound shows its ranges."
        )


def _missing_of_pixels(graph: Graph, from_input: Sequence[Projection], into: Sequence[Projection]) -> tuple[str, str]:
    """What the hardware lacks for a layer that hears pixels, as the part of a sentence, and what helps; or two ''.

    Pixels are numbers, which no neurons repeat and no queue holds: the layer's engine keeps the current that they give,
    or the image, instead of a place for other events.
    """
    if any(projection.delay for projection in from_input):
        return "hears pixels with a delay; the hardware that holds them back", "Leave the delay out"
    if len(graph.out_of(graph.input.name)) > 1:
        what = "hears the pixels as another projection does; the hardware of an image that branches"
        return what, "Let one layer hear the pixels, and what is behind it that layer"
    if len(into) > 1:
        what = "hears pixels beside spikes; the hardware of the two together"
        return what, "Let a layer of its own hear the pixels"
    return "", ""


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


def _choices(graph: Graph, population: Population, most: int) -> list[int]:
    """Lanes worth considering, ascending."""
    channels = population.channels
    dense = all(isinstance(projection, Dense) for projection in graph.into(population.name))
    if population is not graph.readout and dense:
        return [1 << k for k in range(min(most, _ceil_power(channels)).bit_length())]
    if not dense:
        most = min(2 * most, LANES_LIMIT)
    # More lanes that leave the number of groups as it is are of no use.
    return sorted({-(-channels // groups) for groups in range(-(-channels // most), channels + 1)})


def _ceil_power(number: int) -> int:
    return 1 << (number - 1).bit_length()
