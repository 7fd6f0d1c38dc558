"""How many pixels come through the input port at once."""

from __future__ import annotations

from typing import Final

from snnc.compiler.ir import Convolution, Encoding, Graph, IntegrateAndFire
from snnc.compiler.plan import LayoutPlan

__all__ = ["port_lanes"]

_MOST_LANES: Final = 4

_MOST_BITS: Final = 32
"""Of a beat: a word of the buses that cores are joined to."""

_EVENT_AND_MARKER: Final = 3


def port_lanes(graph: Graph, gathered: frozenset[str]) -> int:
    """Channels of a position that a beat of the input brings: several for a convolution of an image that visits all.

    All channels where there are up to four, else 4 or 2 of them where these divide; fewer where a beat would not fit
    into 32 bits. One where the layer skips pixels of 0, which it marks one by one, and in front of every other layer.
    """
    heard = graph.out_of(graph.input.name)
    if graph.source.encoding is not Encoding.DIRECT or len(heard) != 1 or not isinstance(heard[0], Convolution):
        return 1
    layer = graph.population(heard[0].target)
    if layer.name in gathered or len(graph.into(layer.name)) != 1 or not isinstance(layer.neuron, IntegrateAndFire):
        return 1
    channels, rows, columns = graph.input.shape
    wanted = (channels,) * (channels <= _MOST_LANES) + tuple(lanes for lanes in (4, 2) if channels % lanes == 0)
    for lanes in sorted(set(wanted), reverse=True):
        layout = LayoutPlan(channels=channels, rows=rows, columns=columns, lanes=lanes)
        if layout.address_bits + _EVENT_AND_MARKER + lanes * graph.source.bits <= _MOST_BITS:
            return lanes
    return 1
