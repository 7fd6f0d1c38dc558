"""The rules that hardware and timing model both obey, each decided here once and written into the plan.

What they cost in cycles is ``docs/timing.md``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from snnc.compiler.plan import MemoryKind, MemoryPlan, ProjectionPlan

__all__ = [
    "emission_of",
    "forwards_of",
    "map_registers",
    "pipeline_of",
    "queue_latency",
    "registered_of",
    "staged_of",
    "waits_of",
]

STAGED_WORDS: Final = 3
"""Membrane words from which on one that is visited in turn can be read a cycle before it is added to."""


def queue_latency(memory: MemoryPlan | None, *, registers: int = 0) -> int:
    """`QueuePlan.latency`; `registers` stand behind the memory."""
    return 1 if memory is None else 2 + registers


def map_registers(banks: int, *, late: bool) -> int:
    """`QueuePlan.registers` of a spike map of so many banks: what comes late is held before a bank is chosen."""
    return late * (1 + (banks > 1))


def staged_of(membrane: MemoryPlan, *, words: int, in_turn: bool, late: bool) -> bool:
    """`EnginePlan.staged`: free where words are visited in turn; else worth what it costs where block RAM is late."""
    return membrane.kind is MemoryKind.EBR and words >= STAGED_WORDS and (in_turn or late)


def registered_of(projections: Sequence[ProjectionPlan], *, pixels: bool, staged: bool, late: bool) -> bool:
    """`EnginePlan.registered`; `late` says whether a row of weights may come out of block RAM too late to be added."""
    row = projections[-1].weights.kind is MemoryKind.EBR
    return pixels or len(projections) > 1 or (row and late and not staged)


def pipeline_of(projections: Iterable[ProjectionPlan], *, registered: bool, staged: bool, further: int) -> int:
    """`EnginePlan.pipeline`; `further` are the registers that a kind of engine has beside these."""
    longest = max(projection.weights.latency for projection in projections)
    return longest + registered + staged + further


def forwards_of(*, staged: bool, in_turn: bool) -> bool:
    """`EnginePlan.forwards`."""
    return staged and not in_turn


def waits_of(*, staged: bool, words: int, returns: bool) -> bool:
    """`EnginePlan.waits`; `returns` says whether two operations that follow each other may be on one word."""
    return not staged and words > 1 and returns


def emission_of(membrane: MemoryPlan, *, staged: bool, replays: bool) -> int:
    """`EnginePlan.emission`; `replays` says whether spike words come out of a memory of their own."""
    return int(replays or (membrane.kind is MemoryKind.EBR and not staged))
