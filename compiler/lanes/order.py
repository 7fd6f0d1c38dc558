"""In which order engines walk what they hear, and whose queues may fill."""

from __future__ import annotations

from snnc.compiler.ir import Graph, Population, Projection

__all__ = ["paced", "walk_order"]


def walk_order(graph: Graph, population: Population) -> tuple[Projection, ...]:
    """The projections into a population as each step walks them, the main one last.

    What comes from earlier steps is there already and goes first; then by the place of the source in the graph, so that
    an engine waits for the nearest one at the end. With this order no queue's depth can make a deadlock: of the engines
    that are behind in their step, the first one in the graph always finds its inputs sent, and those it sends to walk
    up to them. (But for two projections of one source and target, which `paced` sees to.)
    """
    place = {name: k for k, name in enumerate(population.name for population in graph.populations)}
    into = graph.into(population.name)
    return tuple(sorted(into, key=lambda projection: (projection.delay == 0, place[projection.source])))


def paced(graph: Graph) -> frozenset[Projection]:
    """Projections in front of which a short queue will do, for which its source waits; one of those from a population.

    They are main projections, and the only ones of a step from their source to their target: of two, the second would
    fill while the first is walked. The others have room for all the words of a sample: branches then never keep each
    other waiting.
    """
    chosen: dict[str, Projection] = {}
    for population in graph.layers:
        *sides, main = walk_order(graph, population)
        if main.delay == 0 and all(side.delay or side.source != main.source for side in sides):
            chosen.setdefault(main.source, main)
    return frozenset(chosen.values())
