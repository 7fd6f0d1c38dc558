"""Which kind of engine computes each layer, where several could."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import assert_never

from snnc.compiler.design import Considered, Design, Engines
from snnc.compiler.errors import OptionError, UnsupportedError
from snnc.compiler.ir import Encoding, Graph, Population, Projection
from snnc.compiler.lanes.area import total_cells
from snnc.compiler.lanes.fit import lacking
from snnc.compiler.lanes.gathering import scattered, sparse, ways_to_gather
from snnc.compiler.lanes.order import walk_order
from snnc.compiler.lanes.search import choose_lanes, cost_of, could_fit
from snnc.sim.models.timing.estimate import estimate, expected

__all__ = ["choose_engines", "fits_somehow"]


def choose_engines(design: Design) -> Design:
    """Choose the layers that gather, and with them the lanes and the whole plan (`choose_lanes`).

    As `Options.engines` says; where that is open (`Engines.AUTO`), the layers up to one of them gather, or none: these
    get the best lanes that they can have, and of those that the device holds the one is taken that is best by the same
    measure, `cost_of`. From all on, layers are given up from the last one on for as long as that is better. A layer
    that can skip pixels of 0 does so in all of these, and last of all the best of them is tried without.
    `Design.considered` says what was compared. Of lanes that the user gave, only those that are possible count.

    Where all should gather, `Design.notes` says which cannot, and why.
    """
    for population in design.graph.layers:
        _check_built(design.graph, population)
    if design.options.engines is Engines.GATHER:
        design = replace(design, notes=scattered(design.graph))
    activity = expected(design.graph)

    def rank(one: Design) -> tuple[bool, float]:
        plan = one.complete_plan
        return bool(lacking(plan, one.device)), cost_of(plan, one.options.objective, activity)

    scattered_all, *more = _ways(design)
    found: list[Design] = []
    refused: list[OptionError] = []
    for one in (scattered_all, *reversed(more)):
        try:
            found.append(choose_lanes(one))
        except OptionError as error:
            refused.append(error)
            continue
        if len(found) > 2 and rank(found[-1]) >= rank(found[-2]):
            break
    if not found:
        raise refused[-1]
    best = min(found, key=rank)
    if design.options.engines is Engines.AUTO and (skipping := sparse(design.graph)) in best.gathered:
        # What marks the pixels takes logic and block RAM that other layers may have more use for.
        found.append(choose_lanes(design.gathering(best.gathered - {skipping})))
        best = min(best, found[-1], key=rank)
    return replace(best, considered=tuple(_considered(one) for one in found))


def fits_somehow(design: Design) -> bool:
    """Whether the device takes the network with any kinds of engines and widths that a search begins with."""
    return any(could_fit(one) for one in _ways(design))


def _ways(design: Design) -> Iterator[Design]:
    """The design with each set of layers that may gather spikes; the smallest first."""
    ways = ways_to_gather(design.graph)
    match design.options.engines:
        case Engines.SCATTER:
            ways = ways[:1]
        case Engines.GATHER:
            ways = ways[-1:]
        case Engines.AUTO:
            pass
        case _ as unreachable:
            assert_never(unreachable)
    for layers in ways:
        yield design.gathering(frozenset(layers))


def _considered(design: Design) -> Considered:
    plan = design.complete_plan
    return Considered(
        gathered=tuple(engine.name for engine in plan.engines if engine.name in design.gathered),
        widths=tuple(engine.width for engine in plan.engines),
        cycles=estimate(plan, expected(design.graph)).cycles,
        cells=total_cells(plan),
        blocks=plan.blocks,
        sprams=plan.sprams,
        lacks=lacking(plan, design.device),
    )


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
