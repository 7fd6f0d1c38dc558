"""The memories of an engine whose words gather spikes; its spike map is that of its projection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from snnc.compiler.lanes.memories import register_memory, side_by_side
from snnc.compiler.plan import MemoryPlan
from snnc.rtl.engines.gather.plan import GatherKind
from snnc.rtl.engines.memories import Choices, LayerFacts

__all__ = ["ADDS_ROWS", "LOADS", "REPLAYS", "membrane", "own", "record", "registers", "takes"]

REPLAYS: Final = True
LOADS: Final = True
ADDS_ROWS: Final = False  # its registers hold what is read


def takes(facts: LayerFacts) -> bool:
    """A layer that is to be gathered."""
    return facts.gathered


def membrane(facts: LayerFacts) -> Choices:
    """One word's at a time, in the adders' registers."""
    width = facts.layout.lanes * facts.bounds.residual.bits
    word = register_memory(f"{facts.population.name}.membrane", width=width, depth=1, bits_used=width)
    return (side_by_side(word, facts.units),)


def own(facts: LayerFacts) -> Mapping[str, Choices]:
    """None."""
    return {}


def registers(facts: LayerFacts) -> int:
    """A weight row's address, and what is read where block RAM is late."""
    return 1 + _late(facts)


def record(facts: LayerFacts, chosen: Mapping[str, MemoryPlan]) -> GatherKind:
    """The record."""
    return GatherKind(steps=facts.time_steps, late=_late(facts))


def _late(facts: LayerFacts) -> bool:
    """Behind the choice among several projections' rows there is a register in any case."""
    return facts.device.late_block_ram and len(facts.walks) == 1
