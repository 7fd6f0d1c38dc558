"""The memories of an event-driven engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from snnc.compiler.lanes.memories import RING_WORDS, block_memory, deep_memory, register_memory, side_by_side
from snnc.compiler.plan import MemoryPlan
from snnc.rtl.engines.memories import Choices, LayerFacts
from snnc.rtl.engines.scatter.plan import ScatterKind

__all__ = ["ADDS_ROWS", "LOADS", "REPLAYS", "membrane", "own", "record", "registers", "takes"]

REPLAYS: Final = False
LOADS: Final = True
ADDS_ROWS: Final = True


def takes(facts: LayerFacts) -> bool:
    """Any layer."""
    return True


def membrane(facts: LayerFacts) -> Choices:
    """A ring of a few words that are visited in turn, and of a readout; block RAM for others."""
    layout, bits = facts.layout, facts.bounds.residual.bits
    name, width = f"{facts.population.name}.membrane", layout.lanes * bits
    used = facts.population.size * bits
    ring = register_memory(name, width=width, depth=layout.words, bits_used=used)
    if not facts.fires or layout.words == 1 or (facts.in_turn and layout.words <= RING_WORDS):
        return (ring,)
    if not facts.in_turn:
        depth = max(2, layout.in_banks(facts.column_banks).depth)
        memory = deep_memory(facts.device, name, width=width, depth=depth, bits_used=used)
        return (side_by_side(memory, facts.column_banks),)
    depth = max(2, layout.depth)
    block = block_memory(facts.device, name, width=width, depth=depth, bits_used=used, banked=False)
    return (ring,) if block is None else (block, ring)


def own(facts: LayerFacts) -> Mapping[str, Choices]:
    """Behind pixels, the image's current: as the membranes, in flip-flops while it has few words."""
    if facts.pixels is None:
        return {}
    layout, bits = facts.layout, facts.weighted.bits
    width, used = layout.lanes * bits, facts.population.size * bits
    ring = register_memory(f"{facts.population.name}.current", width=width, depth=layout.words, bits_used=used)
    depth = max(2, layout.depth)
    block = block_memory(facts.device, ring.name, width=width, depth=depth, bits_used=used, banked=False)
    return {"current": (ring,) if block is None or layout.words <= RING_WORDS else (block, ring)}


def registers(facts: LayerFacts) -> int:
    """One behind the choice of what each column bank does."""
    return int(facts.column_banks > 1)


def record(facts: LayerFacts, chosen: Mapping[str, MemoryPlan]) -> ScatterKind:
    """The record; the current belongs to the projection's digits."""
    return ScatterKind()
