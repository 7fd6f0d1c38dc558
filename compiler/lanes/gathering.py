"""Which layers can gather, and whose spikes then go into spike maps.

An engine that gathers reads its sources' spikes from maps, one for each projection, and takes all steps of a word at
once. So its sources must send every step of a word at once, too: an image engine or another that gathers. What hears
one of these hears a map: an engine that gathers, or one with this projection alone, to which the map's words are
replayed step after step.

A dense layer that hears pixels can gather a list of them (`listed`), which needs no map. A convolution of pixels
gathers them in any case, and can skip those of 0 (`sparse`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from snnc.compiler.ir import (
    Convolution,
    Dense,
    Encoding,
    Graph,
    IntegrateAndFire,
    Pooling,
    Population,
    Projection,
    as_convolution,
    kernel_positions,
)

__all__ = ["gatherable", "listed", "mapped", "scattered", "sparse", "spike_gatherers", "ways_to_gather"]

_MOST_PIXELS: Final = 0.9
"""The share of pixels that are not 0 with which skipping the others may still pay."""


def gatherable(graph: Graph) -> tuple[str, ...]:
    """The layers that can gather spikes all together, in the order of the graph; those before each can without it.

    None where there is no end at all: what gathers computes all steps of a word before any logit is known. Where there
    is an early exit, all layers between the image and the readout, or none: the image's spike map gives each sample
    again, and only what gathers takes what it is given as a sample of its own.
    """
    hindered = _hindered(graph)
    return tuple(layer.name for layer in graph.layers if layer.name not in hindered)


def ways_to_gather(graph: Graph) -> tuple[tuple[str, ...], ...]:
    """The sets of layers that may gather together, the smallest first: those up to one of them, or none.

    What would leave a layer with several projections to hear a map is not among them. Where a layer can skip pixels of
    0, it does in all of them but the first.
    """
    if (first := listed(graph)) is not None:
        return (), (first,)
    layers = gatherable(graph)
    counts = range(len(layers) + 1) if graph.exit is None else sorted({0, len(layers)})
    ways = [layers[:count] for count in counts if _closed(graph, layers[:count])]
    if (first := sparse(graph)) is None:
        return tuple(ways)
    return (), *((first, *way) for way in ways)


def _closed(graph: Graph, layers: Sequence[str]) -> bool:
    """Whether all that hears a map can, where just these layers gather spikes."""
    senders = mapped(graph, frozenset(layers))
    return all(_hears_map(graph, one, layers) for name in senders for one in graph.out_of(name))


def listed(graph: Graph) -> str | None:
    """The dense layer that hears the image, alone, and fires; None where there is none."""
    if graph.source.encoding is not Encoding.DIRECT or graph.stream:
        return None
    heard = graph.out_of(graph.input.name)
    if len(heard) != 1 or not isinstance(heard[0], Dense) or len(graph.into(heard[0].target)) != 1:
        return None
    layer = graph.population(heard[0].target)
    return layer.name if isinstance(layer.neuron, IntegrateAndFire) else None


def sparse(graph: Graph) -> str | None:
    """The convolution that hears the image and fires, if enough of the pixels are 0, or nobody knows; else None."""
    layer = next((one for one in graph.layers if _hears_pixels(graph, one.name)), None)
    if layer is None or not isinstance(layer.neuron, IntegrateAndFire) or graph.stream:
        return None
    pixels = None if graph.activity is None else graph.activity.pixels
    few = pixels is None or pixels.sum() <= _MOST_PIXELS * graph.input.size
    return layer.name if few else None


def scattered(graph: Graph) -> tuple[str, ...]:
    """Why each convolution or pooling of spikes that cannot gather them cannot, a sentence each."""
    if (ends := _ends(graph)) and any(_walks_kernels(graph, layer) for layer in graph.layers):
        return (f"No layer gathers spikes: {ends}, and words that gather take all their steps at once.",)
    hindered = _hindered(graph)
    return tuple(
        f"Layer '{layer.name}' is scattered, not gathered: {hindered[layer.name]}."
        for layer in graph.layers
        if layer.name in hindered and _walks_kernels(graph, layer)
    )


def mapped(graph: Graph, gathered: frozenset[str]) -> frozenset[str]:
    """The layers whose spikes go into spike maps: those that gather spikes, and what these hear."""
    words = spike_gatherers(graph, gathered)
    return words | {projection.source for name in words for projection in graph.into(name)}


def spike_gatherers(graph: Graph, gathered: frozenset[str]) -> frozenset[str]:
    """Those of them that gather spikes, not pixels."""
    return frozenset(name for name in gathered if not any(one.source == graph.input.name for one in graph.into(name)))


def _hindered(graph: Graph) -> dict[str, str]:
    """The layers that cannot gather, and what hinders each."""
    if ends := _ends(graph):
        return dict.fromkeys((layer.name for layer in graph.layers), ends)
    found = {layer.name: reason for layer in graph.layers if (reason := _hindrance(graph, layer))}
    while True:
        left = [layer.name for layer in graph.layers if layer.name not in found]
        more = {name: reason for name in left if (reason := _misfit(graph, name, left))}
        if not more:
            break
        found |= more
    between = [layer.name for layer in graph.layers[:-1] if not _hears_pixels(graph, layer.name)]
    scattered = next((name for name in between if name in found), None)
    if graph.exit is not None and scattered is not None:
        ends = f"samples may end early, and '{scattered}' cannot gather"
        found = dict.fromkeys((layer.name for layer in graph.layers), ends) | found
    return found


def _ends(graph: Graph) -> str:
    """What of its samples' ends hinders every layer; or nothing."""
    return "a stream has no end" if graph.stream else ""


def _walks_kernels(graph: Graph, layer: Population) -> bool:
    """Whether it has a kernel over spikes, which is what could be gathered."""
    pixels = graph.input.name if graph.source.encoding is Encoding.DIRECT else None
    into = graph.into(layer.name)
    return any(isinstance(one, Convolution | Pooling) and one.source != pixels for one in into)


def _hindrance(graph: Graph, layer: Population) -> str:
    """What of the layer's own projections and neurons hinders it; or nothing."""
    if not isinstance(layer.neuron, IntegrateAndFire):
        return "it is the readout, whose neurons do not fire"
    return next((found for one in graph.into(layer.name) if (found := _unfit(graph, one))), "")


def _unfit(graph: Graph, projection: Projection) -> str:
    """What of a projection hinders the layer that hears it; or nothing."""
    if projection.source == graph.input.name:
        return "it hears the network's input, and not a spike map"
    if projection.delay:
        return f"it hears '{projection.source}' with a delay"
    if not isinstance(projection, Convolution | Pooling):
        return "it is fully connected"
    convolution = as_convolution(projection) if isinstance(projection, Pooling) else projection
    if convolution.pool != 1:
        return f"its kernel is over sums of {convolution.pool} x {convolution.pool} windows"
    return "at some position its kernel lies outside its source" if _has_blank_window(graph, convolution) else ""


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


def _misfit(graph: Graph, name: str, found: list[str]) -> str:
    """What of the layers around it hinders it: its sources must send all steps of a word at once, and everything that
    hears it or one of them must be able to hear a map.
    """
    sources = [projection.source for projection in graph.into(name)]
    for source in sources:
        if source not in found and not _hears_pixels(graph, source):
            return f"its source '{source}' neither gathers nor hears pixels, and sends step after step"
    for sender in (name, *sources):
        for other in graph.out_of(sender):
            if not _hears_map(graph, other, found):
                return f"'{other.target}' hears '{sender}' beside others or with a delay, and no spike map serves that"
    return ""


def _hears_pixels(graph: Graph, name: str) -> bool:
    """Whether the layer is a convolution of the image."""
    into = graph.into(name)
    direct = graph.source.encoding is Encoding.DIRECT
    return direct and len(into) == 1 and into[0].source == graph.input.name and isinstance(into[0], Convolution)


def _hears_map(graph: Graph, projection: Projection, found: Sequence[str]) -> bool:
    alone = len(graph.into(projection.target)) == 1
    return projection.target in found or (alone and not projection.delay)
