"""How many neurons each engine updates per cycle: the search among the plans that fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias, assert_never

from snnc.compiler.design import Design, Objective
from snnc.compiler.errors import OptionError
from snnc.compiler.ir import Convolution, Dense, Encoding, Graph, Pooling, Population, as_convolution
from snnc.compiler.lanes.area import total_cells
from snnc.compiler.lanes.fit import best_fit, fitting, place_anyway
from snnc.compiler.lanes.gathering import mapped, sparse
from snnc.compiler.lanes.queues import deepest
from snnc.compiler.plan import Plan
from snnc.compiler.targets import Device
from snnc.rtl.walkers.convolution.memories import kernel_of
from snnc.sim.models.timing.estimate import Activity, estimate, expected

__all__ = [
    "LANES_LIMIT",
    "Width",
    "choose_lanes",
    "column_banks",
    "comfort",
    "cost_of",
    "could_fit",
    "widths_of",
    "with_widths",
]

LANES_LIMIT: Final = 64
"""Of an engine, where a user asks; a wider row makes a chip slower, not faster."""

GATHERING_LANES_LIMIT: Final = 128
"""The same where words gather: what addresses a row of weights and a residual is a register of its own."""

MOST_NARROWER: Final = 4
"""Choices by which one engine's width may shrink at once so that another's can grow."""

_STARTS: Final = frozenset((1, 4, 16, 64))
"""Lanes that a search begins with at most."""

PRICE: Final = 1 / 16
"""The exponent of logic where the fewest cycles are looked for: even there, twice the logic must save 4 % of them."""

_COMFORT: Final = 0.9
"""Fraction of a device's logic cells that an estimate may fill before fewer lanes are chosen: it may be a tenth low."""

_COMFORT_KERNELS: Final = 0.95
"""The same where there are kernels: of 25 cores that were packed, the estimate is 4 % low to 7 % high, once 15 %."""


def choose_lanes(design: Design) -> Design:
    """Choose the lanes and the column banks, and hand over the plan that they were chosen by.

    Invariant: one lane count and one number of column banks per layer. Unless the user fixed them: at most the device's
    `widest_lanes` each, twice that for convolutions, and no more than the layer's groups need; column banks only where
    a word has as many lanes as it may. Of what fits, the search looks for the best by `Options.objective`: lanes grow
    from few, an engine's at a time, if need be at the cost of another's, while that makes the estimates better. Where
    nothing fits, or the user's lanes do not, the plan is the one of the fastest that lacks the least (`best_fit`).

    Which layers gather spikes is decided (`Design.gathered`).
    """
    graph, options = design.graph, design.options
    if options.lanes is not None:
        wanted = options.column_banks or (1,) * len(options.lanes)
        _check_lanes(options.lanes, wanted, design)
        return _planned(design.with_lanes(options.lanes, wanted))
    choices = [widths_of(design, population) for population in graph.layers]
    widest = with_widths(design, tuple(widths[-1] for widths in choices))
    # Where words gather, the widest may be many times what a layer has work for.
    scattered = not _by_register(design)
    if scattered and options.objective is Objective.LATENCY and (plan := _comfortable(widest)) is not None:
        return replace(widest, plan=plan)
    search = _Search(design, choices)
    grown = [found for start in _starts(choices) if (found := search.grow(start)) is not None]
    if not grown:
        return _planned(widest)
    best = min(grown, key=lambda found: found.cost)
    return replace(with_widths(design, best.widths), plan=best.plan)


Width: TypeAlias = tuple[int, int]
"""Lanes and column banks of an engine."""

_Widths: TypeAlias = tuple[Width, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A plan that fits, the widths of its engines, and what the search makes small."""

    widths: _Widths
    plan: Plan
    cost: float


def could_fit(design: Design) -> bool:
    """Whether the device takes the network with any of the widths that a search begins with."""
    choices = [widths_of(design, population) for population in design.graph.layers]
    return any(fitting(with_widths(design, start)) is not None for start in _starts(choices))


def _starts(choices: Sequence[Sequence[Width]]) -> Iterator[_Widths]:
    """Where a search begins, the narrowest first: a memory of fewer lanes is narrower but deeper, and may take more."""
    for cap in sorted({lanes for widths in choices for lanes, _ in widths if lanes in _STARTS}):
        yield tuple(
            max((width for width in widths if width[0] <= cap and width[1] == 1), default=widths[0])
            for widths in choices
        )


def _planned(design: Design) -> Design:
    return replace(design, plan=best_fit(design))


def with_widths(design: Design, widths: _Widths) -> Design:
    """The design with these lanes and column banks, without a plan."""
    lanes, banks = zip(*widths, strict=True)
    return design.with_lanes(lanes, banks)


def cost_of(plan: Plan, objective: Objective, activity: Activity) -> float:
    """What the search makes small."""
    match objective:
        case Objective.LATENCY:
            return estimate(plan, activity).cycles * total_cells(plan) ** PRICE
        case Objective.BALANCED:
            return estimate(plan, activity).cycles * total_cells(plan)
        case Objective.AREA:
            return total_cells(plan)
        case _ as unreachable:
            assert_never(unreachable)


class _Search:
    """Searches among the same plans from several starts: none is looked at twice.

    Parameters
    ----------
    design
        Without widths.
    choices
        The widths of each layer that are worth considering, ascending.
    """

    def __init__(self, design: Design, choices: list[list[Width]]) -> None:
        self._design = design
        self._choices = choices
        self._activity = expected(design.graph)
        self._hoped: dict[_Widths, float] = {}
        self._placed: dict[_Widths, _Found | None] = {}
        self._ends: dict[_Widths, _Found] = {}

    def grow(self, start: _Widths) -> _Found | None:
        """Wider words for one engine, if need be at the cost of another's, while that is better; None if none fits."""
        begun = fitting(with_widths(self._design, start))
        if begun is None:
            return None
        found = self._found(start, begun)
        way = []
        while found.widths not in self._ends:
            way.append(found.widths)
            better = self._better(found)
            if better is None:
                self._ends[found.widths] = found
            else:
                found = better
        end = self._ends[found.widths]
        self._ends.update(dict.fromkeys(way, end))
        return end

    def _better(self, found: _Found) -> _Found | None:
        """The first neighbour that is."""
        work = estimate(found.plan, self._activity).operations
        busiest = sorted(range(len(self._choices)), key=lambda k: -work[found.plan.engines[k].name])
        for changed in _neighbours(found.widths, busiest, self._choices):
            if changed not in self._placed:
                if self._hope(changed) >= found.cost:
                    continue
                plan = _comfortable(with_widths(self._design, changed))
                self._placed[changed] = None if plan is None else self._found(changed, plan)
            better = self._placed[changed]
            if better is not None and better.cost < found.cost:
                return better
        return None

    def _hope(self, widths: _Widths) -> float:
        """The cost with the deepest queues: most would not be better with them, either."""
        if widths not in self._hoped:
            deep = deepest(place_anyway(with_widths(self._design, widths)), self._design.device)
            self._hoped[widths] = self._cost(deep)
        return self._hoped[widths]

    def _found(self, widths: _Widths, plan: Plan) -> _Found:
        return _Found(widths=widths, plan=plan, cost=self._cost(plan))

    def _cost(self, plan: Plan) -> float:
        return cost_of(plan, self._design.options.objective, self._activity)


def _neighbours(widths: _Widths, busiest: list[int], choices: list[list[Width]]) -> Iterator[_Widths]:
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
    return plan if plan is not None and total_cells(plan) <= comfort(plan) * design.device.logic_cells else None


def comfort(plan: Plan) -> float:
    """Fraction of a device's logic cells that the estimate of such a plan may fill."""
    kernels = any(not one.walk.in_turn for engine in plan.engines for one in engine.projections)
    return _COMFORT_KERNELS if kernels else _COMFORT


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


def widths_of(design: Design, population: Population) -> list[Width]:
    """Widths worth considering, ascending."""
    graph, channels, most = design.graph, population.channels, design.device.widest_lanes
    if not all(isinstance(projection, Dense) for projection in graph.into(population.name)):
        most = min(2 * most, _lanes_limit(design, population))
    # More lanes that leave the number of groups as it is are of no use.
    lanes = sorted({-(-channels // groups) for groups in range(-(-channels // most), channels + 1)})
    if design.options.objective is Objective.AREA:
        return [(count, 1) for count in lanes]  # columns side by side only ever take more
    _, *more = _banks(design, population, lanes[-1])
    return [*((count, 1) for count in lanes), *((lanes[-1], banks) for banks in more)]


def _lanes_limit(design: Design, population: Population) -> int:
    """The most lanes that a user may ask for."""
    return GATHERING_LANES_LIMIT if population.name in _by_register(design) else LANES_LIMIT


def _by_register(design: Design) -> frozenset[str | None]:
    """The layers that gather what others would scatter: an image's currents are gathered in any case."""
    return design.gathered - {sparse(design.graph)}


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
