"""How many neurons each engine updates per cycle: the search among the plans that fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias, assert_never

from snnc.compiler.design import Design, Engines, Objective
from snnc.compiler.errors import OptionError, UnsupportedError
from snnc.compiler.ir import Convolution, Dense, Encoding, Graph, Pooling, Population, Projection, as_convolution
from snnc.compiler.lanes.area import total_cells
from snnc.compiler.lanes.fit import best_fit, fitting, lacking, place_anyway
from snnc.compiler.lanes.gathering import gatherable, mapped, scattered
from snnc.compiler.lanes.order import walk_order
from snnc.compiler.lanes.queues import deepest
from snnc.compiler.plan import Plan
from snnc.compiler.targets import Device
from snnc.rtl.walkers.convolution.memories import kernel_of
from snnc.sim.models.timing.estimate import Activity, estimate, expected

__all__ = ["LANES_LIMIT", "choose_lanes", "column_banks", "could_fit"]

LANES_LIMIT: Final = 64
"""Of an engine, where a user asks; a wider row makes a chip slower, not faster."""

GATHERING_LANES_LIMIT: Final = 128
"""The same where words gather: what addresses a row of weights and a residual is a register of its own."""

MOST_NARROWER: Final = 4
"""Choices by which one engine's width may shrink at once so that another's can grow."""

_STARTS: Final = frozenset((1, 4, 16, 64))
"""Lanes that a search begins with at most."""

COMFORT: Final = 0.9
"""Fraction of a device's logic cells that an estimate may fill before fewer lanes are chosen: it may be a tenth low."""


def choose_lanes(design: Design) -> Design:
    """Choose the lanes and the column banks, and hand over the plan that they were chosen by.

    Invariant: one lane count and one number of column banks per layer. Unless the user fixed them: at most the device's
    `widest_lanes` each, twice that for convolutions, and no more than the layer's groups need; column banks only where
    a word has as many lanes as it may. Of what fits, the search looks for the best by `Options.objective`: lanes grow
    from few, an engine's at a time, if need be at the cost of another's, while that makes the estimates better. Where
    nothing fits, or the user's lanes do not, the plan is the one of the fastest that lacks the least (`best_fit`).

    Which layers gather spikes is as `Options.engines` says; where that is open, those up to one of them, if that is
    better than none by the product of cycles and logic cells (for the least area, by these alone). Where they all
    should, `Design.notes` says which cannot, and why.
    """
    for population in design.graph.layers:
        _check_built(design.graph, population)
    layers = () if design.options.engines is Engines.SCATTER else gatherable(design.graph)
    if design.options.engines is Engines.GATHER:
        design = replace(design, notes=scattered(design.graph))
    if design.options.engines is not Engines.AUTO:
        return _with_lanes(design.gathering(frozenset(layers)))
    found = [_with_lanes(design.gathering(frozenset(layers[:count]))) for count in range(len(layers) + 1)]
    return min(found, key=lambda one: (bool(lacking(one.complete_plan, one.device)), _cost_of(one)))


def _cost_of(design: Design) -> float:
    """By which one kind of engine is better than another: even for the fewest cycles, not at any price."""
    area = design.options.objective is Objective.AREA
    return _cost(design.complete_plan, Objective.AREA if area else Objective.BALANCED, expected(design.graph))


def _with_lanes(design: Design) -> Design:
    """`choose_lanes`, with the layers that gather spikes decided."""
    graph, options = design.graph, design.options
    if options.lanes is not None:
        wanted = options.column_banks or (1,) * len(options.lanes)
        _check_lanes(options.lanes, wanted, design)
        return _planned(design.with_lanes(options.lanes, wanted))
    choices = [_choices(design, population) for population in graph.layers]
    widest = _with(design, tuple(widths[-1] for widths in choices))
    if options.objective is Objective.LATENCY and (plan := _comfortable(widest)) is not None:
        return replace(widest, plan=plan)
    grown: list[_Found] = []
    fits: dict[_Widths, Plan | None] = {}
    for start in _starts(choices):
        if (found := _grow(design, start, choices, fits)) is not None:
            grown.append(found)
    if not grown:
        return _planned(widest)
    best = min(grown, key=lambda found: found.cost)
    return replace(_with(design, best.widths), plan=best.plan)


_Width: TypeAlias = tuple[int, int]
"""Lanes and column banks of an engine."""

_Widths: TypeAlias = tuple[_Width, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A plan that fits, the widths of its engines, and what the search makes small."""

    widths: _Widths
    plan: Plan
    cost: float


def could_fit(design: Design) -> bool:
    """Whether the device takes the network with any of the widths that a search begins with."""
    choices = [_choices(design, population) for population in design.graph.layers]
    return any(fitting(_with(design, start)) is not None for start in _starts(choices))


def _starts(choices: Sequence[Sequence[_Width]]) -> Iterator[_Widths]:
    """Where a search begins, the narrowest first: a memory of fewer lanes is narrower but deeper, and may take more."""
    for cap in sorted({lanes for widths in choices for lanes, _ in widths if lanes in _STARTS}):
        yield tuple(
            max((width for width in widths if width[0] <= cap and width[1] == 1), default=widths[0])
            for widths in choices
        )


def _planned(design: Design) -> Design:
    return replace(design, plan=best_fit(design))


def _with(design: Design, widths: _Widths) -> Design:
    lanes, banks = zip(*widths, strict=True)
    return design.with_lanes(lanes, banks)


def _cost(plan: Plan, objective: Objective, activity: Activity) -> float:
    """What the search makes small."""
    match objective:
        case Objective.LATENCY:
            return estimate(plan, activity).cycles
        case Objective.BALANCED:
            return estimate(plan, activity).cycles * total_cells(plan)
        case Objective.AREA:
            return total_cells(plan)
        case _ as unreachable:
            assert_never(unreachable)


def _grow(
    design: Design, start: _Widths, choices: list[list[_Width]], fits: dict[_Widths, Plan | None]
) -> _Found | None:
    """Wider words for one engine, if need be at the cost of another's, while that is better; None if none fits.

    `fits` remembers what other searches have placed.
    """
    objective, activity = design.options.objective, expected(design.graph)
    begun = fitting(_with(design, start))
    if begun is None:
        return None
    widths, plan, cost = start, begun, _cost(begun, objective, activity)
    while True:
        work = estimate(plan, activity).operations
        busiest = sorted(range(len(choices)), key=lambda k: -work[plan.engines[k].name])
        for changed in _neighbours(widths, busiest, choices):
            if changed not in fits:
                # Most would not be better with the deepest queues, either.
                hoped = deepest(place_anyway(_with(design, changed)), design.device)
                if _cost(hoped, objective, activity) >= cost:
                    continue
                fits[changed] = _comfortable(_with(design, changed))
            found = fits[changed]
            if found is not None and (better := _cost(found, objective, activity)) < cost:
                widths, plan, cost = changed, found, better
                break
        else:
            return _Found(widths=widths, plan=plan, cost=cost)


def _neighbours(widths: _Widths, busiest: list[int], choices: list[list[_Width]]) -> Iterator[_Widths]:
    """One engine's width a choice wider, the busiest's first; then with another's narrower, by ever more choices."""
    at = [options.index(width) for options, width in zip(choices, widths, strict=True)]
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


def _comfortable(design: Design) -> Plan | None:
    """The plan, if it fits with room for the estimate to be wrong."""
    plan = fitting(design)
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
            f"Layer '{population.name}' {what} is not built yet. {remedy}, or use rate or events encoding.",
            "'snnc evaluate' runs it in integers; --print-after bound shows its ranges.",
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


def _check_lanes(lanes: tuple[int, ...], wanted: tuple[int, ...], design: Design) -> None:
    layers = design.graph.layers
    if len(lanes) != len(layers):
        names = ", ".join(population.name for population in layers)
        raise OptionError(f"--lanes gives {len(lanes)} numbers for {len(layers)} layers ({names}); give one for each.")
    for count, banks, population in zip(lanes, wanted, layers, strict=True):
        most = min(_lanes_limit(design, population), _ceil_power(population.channels))
        if not 1 <= count <= most:
            what = "neurons" if population.channels == population.size else "channels"
            raise OptionError(
                f"--lanes gives {count} for layer '{population.name}' with {population.channels} {what}; "
                f"1 to {most} are possible."
            )
        possible = _banks(design, population, count)
        if banks not in possible:
            allowed = " or ".join(map(str, possible)) + " are" if len(possible) > 1 else "only 1 is"
            raise OptionError(
                f"--lanes gives {banks} columns at once for layer '{population.name}' on {design.device.name}; "
                f"{allowed} possible there."
            )


def _choices(design: Design, population: Population) -> list[_Width]:
    """Widths worth considering, ascending."""
    graph, channels, most = design.graph, population.channels, design.device.widest_lanes
    if not all(isinstance(projection, Dense) for projection in graph.into(population.name)):
        most = min(2 * most, _lanes_limit(design, population))
    # More lanes that leave the number of groups as it is are of no use.
    lanes = sorted({-(-channels // groups) for groups in range(-(-channels // most), channels + 1)})
    _, *more = _banks(design, population, lanes[-1])
    return [*((count, 1) for count in lanes), *((lanes[-1], banks) for banks in more)]


def _lanes_limit(design: Design, population: Population) -> int:
    """The most lanes that a user may ask for."""
    return GATHERING_LANES_LIMIT if population.name in design.gathered else LANES_LIMIT


def _banks(design: Design, population: Population, lanes: int) -> list[int]:
    """The numbers of column banks that are possible, ascending; where words gather, of units that share them out."""
    if population.name in mapped(design.graph, design.gathered):
        return [1 << k for k in range(population.shape[2].bit_length())]
    return column_banks(design.graph, population, lanes, design.device)


def column_banks(graph: Graph, population: Population, lanes: int, device: Device) -> list[int]:
    """The numbers of column banks that are possible, ascending: up to as many columns as an event reaches side by side,
    rounded up to a power of two.

    Only where what is written is forwarded (`EnginePlan.forwards`), not in an image engine, nor in a readout.
    """
    _, rows, columns = population.shape
    words = rows * columns * -(-population.channels // lanes)
    into = graph.into(population.name)
    pixels = graph.source.encoding is Encoding.DIRECT and any(one.source == graph.input.name for one in into)
    if not device.late_block_ram or pixels or population is graph.readout or words < 3:
        return [1]
    walked = (as_convolution(one) if isinstance(one, Pooling) else one for one in into)
    kernels = [kernel_of(one) for one in walked if isinstance(one, Convolution)]
    most = min(_ceil_power(columns), _ceil_power(max((kernel.columns_reached for kernel in kernels), default=1)))
    return [1 << k for k in range(most.bit_length())]


def _ceil_power(number: int) -> int:
    return 1 << (number - 1).bit_length()
