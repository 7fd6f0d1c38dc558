"""Which layers can gather spikes, and whose spikes then go into spike maps.

An engine that gathers reads its source's spikes from a map, and takes all steps of a word at once. So its source must
send every step of a word at once, too: an image engine or another that gathers. What hears one of these hears a map:
an engine that gathers, or one with this projection alone, to which the map's words are replayed step after step.
"""

from __future__ import annotations

from snnc.compiler.ir import (
    Convolution,
    Encoding,
    Graph,
    IntegrateAndFire,
    Pooling,
    Population,
    Projection,
    as_convolution,
    kernel_positions,
)

__all__ = ["gatherable", "mapped"]


def gatherable(graph: Graph) -> tuple[str, ...]:
    """The layers that can gather spikes all together, in the order of the graph; those before each can without it.

    None where there is an early exit, or no end at all: what gathers computes all steps of a word before any logit is
    known.
    """
    if graph.exit is not None or graph.stream:
        return ()
    found = [layer.name for layer in graph.layers if _could(graph, layer)]
    while True:
        fits = [name for name in found if _fits(graph, name, found)]
        if fits == found:
            return tuple(found)
        found = fits


def mapped(graph: Graph, gathered: frozenset[str]) -> frozenset[str]:
    """The layers whose spikes go into spike maps: those that gather, and what these hear."""
    return gathered | {projection.source for name in gathered for projection in graph.into(name)}


def _could(graph: Graph, layer: Population) -> bool:
    """Whether the layer's own projection and neurons allow it."""
    into = graph.into(layer.name)
    if len(into) != 1 or not isinstance(layer.neuron, IntegrateAndFire):
        return False
    (projection,) = into
    if projection.source == graph.input.name or projection.delay or not isinstance(projection, Convolution | Pooling):
        return False
    convolution = as_convolution(projection) if isinstance(projection, Pooling) else projection
    return convolution.pool == 1 and not _has_blank_window(graph, convolution)


def _has_blank_window(graph: Graph, convolution: Convolution) -> bool:
    """Whether a position of the target sees no row, or no column, of the source."""
    sizes = zip(
        graph.population(convolution.source).shape[1:], graph.population(convolution.target).shape[1:], strict=True
    )
    for axis, (source, target) in enumerate(sizes):
        seen = kernel_positions(convolution, axis, target)
        if not ((seen >= 0) & (seen < source)).any(axis=1).all():
            return True
    return False


def _fits(graph: Graph, name: str, found: list[str]) -> bool:
    """Whether what it hears sends all steps at once, and everything that hears one of the two can hear a map."""
    (projection,) = graph.into(name)
    source = projection.source
    if source not in found and not _hears_pixels(graph, source):
        return False
    return all(_hears_map(graph, other, found) for sender in (name, source) for other in graph.out_of(sender))


def _hears_pixels(graph: Graph, name: str) -> bool:
    """Whether the layer is a convolution of the image."""
    into = graph.into(name)
    direct = graph.source.encoding is Encoding.DIRECT
    return direct and len(into) == 1 and into[0].source == graph.input.name and isinstance(into[0], Convolution)


def _hears_map(graph: Graph, projection: Projection, found: list[str]) -> bool:
    alone = len(graph.into(projection.target)) == 1
    return projection.target in found or (alone and not projection.delay)
