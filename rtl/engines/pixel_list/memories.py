"""The memories of an engine that gathers a list of pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from snnc.compiler.lanes.memories import deep_memory, register_memory
from snnc.compiler.plan import MemoryPlan
from snnc.rtl.engines.memories import Choices, LayerFacts
from snnc.rtl.engines.pixel_list.plan import PixelListKind, list_width, spikes_depth
from snnc.rtl.walkers.dense.plan import DenseWalk

__all__ = ["ADDS_ROWS", "LOADS", "REPLAYS", "membrane", "own", "record", "registers", "takes"]

REPLAYS: Final = True
LOADS: Final = True
ADDS_ROWS: Final = False  # they are multiplied


def takes(facts: LayerFacts) -> bool:
    """A layer that is to gather, that fires, and whose one projection is a dense one of the image."""
    return facts.gathered and facts.walks == (DenseWalk,) and facts.pixels is not None and facts.fires


def membrane(facts: LayerFacts) -> Choices:
    """One word's at a time, from the first step to the last."""
    width = facts.layout.lanes * facts.bounds.residual.bits
    return (register_memory(f"{facts.population.name}.membrane", width=width, depth=1, bits_used=width),)


def own(facts: LayerFacts) -> Mapping[str, Choices]:
    """The list, unless the one word hears pixels as they come; the spikes of all steps but the first."""
    assert facts.pixels is not None
    layout, source, later = facts.layout, facts.source_layout, facts.time_steps - 1
    wanted = []
    if layout.words > 1:
        width = list_width(facts.sources, facts.pixels.bits)
        wanted.append(("pixels", width, source.neurons, source.neurons * width))
    if later:
        depth = spikes_depth(facts.time_steps, layout.address_bits)
        wanted.append(("spikes", layout.lanes, depth, later * facts.population.size))
    return {
        what: (
            deep_memory(
                facts.device, f"{facts.population.name}.{what}", width=width, depth=max(2, depth), bits_used=used
            ),
        )
        for what, width, depth, used in wanted
    }


def registers(facts: LayerFacts) -> int:
    """One behind the two products of a weight."""
    return 1


def record(facts: LayerFacts, chosen: Mapping[str, MemoryPlan]) -> PixelListKind:
    """The record."""
    assert facts.pixels is not None
    return PixelListKind(
        value_bits=facts.pixels.bits,
        current_bits=facts.weighted.bits,
        steps=facts.time_steps,
        pixels=chosen.get("pixels"),
        spikes=chosen.get("spikes"),
        summed=facts.summed,
        lanes_each=facts.lanes_each,
    )
