"""The memories of an engine that gathers an image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from snnc.compiler.lanes.memories import deep_memory, register_memory, side_by_side
from snnc.compiler.plan import MemoryPlan
from snnc.rtl.engines.image.plan import ImageKind
from snnc.rtl.engines.memories import Choices, LayerFacts
from snnc.rtl.walkers.image.plan import ImageWalk, mark_depth

__all__ = ["ADDS_ROWS", "LOADS", "REPLAYS", "membrane", "own", "record", "registers", "takes"]

REPLAYS: Final = True
LOADS: Final = False  # it has no port to load its weights through; they are few
ADDS_ROWS: Final = False  # they are multiplied


def takes(facts: LayerFacts) -> bool:
    """A layer whose one projection is a convolution of the image."""
    return facts.walks == (ImageWalk,)


def membrane(facts: LayerFacts) -> Choices:
    """One word's at a time, from the first step to the last."""
    width = facts.layout.lanes * facts.bounds.residual.bits
    word = register_memory(f"{facts.population.name}.membrane", width=width, depth=1, bits_used=width)
    return (side_by_side(word, facts.units),)


def own(facts: LayerFacts) -> Mapping[str, Choices]:
    """The image, its marks where those pixels that are not 0 are gathered alone, and the spikes of all steps but the
    first, unless all of them go into maps at once.
    """
    assert facts.pixels is not None
    later, source, layout = facts.time_steps - 1, facts.source_layout, facts.layout
    wanted = [("pixels", source.lanes * facts.pixels.bits, source.depth, source.neurons * facts.pixels.bits)]
    if facts.gathered:
        wanted.append(("marks", source.columns, mark_depth(source), source.neurons))
    if later and not facts.into_maps:
        wanted.append(("spikes", later * layout.lanes, layout.depth, later * facts.population.size))
    return {
        what: (
            side_by_side(
                deep_memory(
                    facts.device, f"{facts.population.name}.{what}", width=width, depth=max(2, depth), bits_used=used
                ),
                facts.units,
            ),
        )
        for what, width, depth, used in wanted
    }


def registers(facts: LayerFacts) -> int:
    """One before the multiplier, where there is one."""
    return int(_multiplies(facts))


def _multiplies(facts: LayerFacts) -> bool:
    """Whether the device has the logic for that, or multipliers."""
    return facts.device.multiplies or facts.summed > 0


def record(facts: LayerFacts, chosen: Mapping[str, MemoryPlan]) -> ImageKind:
    """The record."""
    assert facts.pixels is not None
    return ImageKind(
        value_bits=facts.pixels.bits,
        current_bits=facts.weighted.bits,
        multiplies=_multiplies(facts),
        summed=facts.summed,
        lanes_each=facts.lanes_each,
        pixels=chosen["pixels"],
        marks=chosen.get("marks"),
        marks_registered="marks" in chosen and facts.device.late_block_ram,
        spikes=chosen.get("spikes"),
        map_steps=facts.time_steps if facts.into_maps else None,
    )
