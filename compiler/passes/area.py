"""Logic cells, estimated from a plan, so that what cannot fit is refused before a minute of synthesis.

The terms follow the hardware's structure; their factors were fitted to what nextpnr reports for the networks in
``tests/compiler/test_area.py``. The serial shell is included.
"""

from __future__ import annotations

from typing import Final

from snnc.compiler.passes.memories import logic_cells
from snnc.compiler.plan import EngineKind, EnginePlan, MemoryKind, Plan, unsigned_bits

__all__ = ["engine_cells", "total_cells"]

FIXED: Final = 60
"""The shell, and what joins the engines."""

ENGINE_FIXED: Final = 60
"""A walker's counters, an operation's pipeline, the port of a queue."""


def total_cells(plan: Plan) -> int:
    """Estimated logic cells of the core in its serial shell."""
    return FIXED + sum(engine_cells(engine) for engine in plan.engines)


def engine_cells(engine: EnginePlan) -> int:
    """Estimated logic cells of one engine, its memories included."""
    (projection,) = engine.projections
    state = engine.lanes * engine.residual_bits
    address = unsigned_bits(projection.weights.depth - 1)
    cells = ENGINE_FIXED + 3 * address * engine.pipeline
    cells += sum(logic_cells(memory) for memory in engine.memories if memory.kind is not MemoryKind.REGISTERS)
    # The adder's cells hold the ring's last word; the other words are flip-flops with nothing to compute.
    ring = engine.membrane.depth if engine.membrane.kind is MemoryKind.REGISTERS else 1
    cells += state * max(1, ring)
    # What is added: a weight, or one of two constants.
    cells += state
    if projection.digits is not None:
        current = engine.lanes * projection.digits.current_bits
        scaled = engine.lanes * (projection.weight_bits + projection.digits.value_bits)
        shifter = unsigned_bits(projection.digits.value_bits)
        cells += current * engine.words + scaled * shifter
    if engine.kind is EngineKind.READOUT:
        cells += 2 * engine.residual_bits
    word = engine.lanes + unsigned_bits(engine.words - 1)
    return cells + 2 * projection.queue.depth * (word if projection.source_lanes > 1 else address) // 2
