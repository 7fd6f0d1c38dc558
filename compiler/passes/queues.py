"""Queues grow into the block RAM that is left."""

from __future__ import annotations

import dataclasses
from typing import Final

from snnc.compiler.passes.memories import block_memory
from snnc.compiler.plan import Plan, QueuePlan
from snnc.compiler.targets import Device
from snnc.sim.estimate import typical_cycles

__all__ = ["deepened"]

SLACK: Final = 4
"""Entries beyond a step's words: sweeps that are under way hold places, too."""


def deepened(plan: Plan, device: Device) -> Plan:
    """`plan` with queues that hold a whole step of the engine before them, as far as block RAM is left.

    Two engines work at the same time only while spike words have room between them: with a few places, an engine that
    sweeps goes at the pace of the one behind it, and cannot begin its next step. The queue that saves the most time
    grows first.
    """
    while True:
        shallow = [
            position
            for position in range(1, len(plan.engines))
            if plan.engines[position].projections[0].queue.depth < plan.engines[position - 1].words
        ]
        candidates = (_with_step_queue(plan, position, device) for position in shallow)
        affordable = (candidate for candidate in candidates if candidate.blocks <= device.block_rams)
        best = min(affordable, key=typical_cycles, default=plan)
        if typical_cycles(best) >= typical_cycles(plan):
            return plan
        plan = best


def _with_step_queue(plan: Plan, position: int, device: Device) -> Plan:
    """`plan` with a queue in front of the engine at `position` that holds a step of the one before it."""
    before, engine = plan.engines[position - 1 : position + 1]
    width, depth = before.lanes + before.layout.address_bits + 2, before.words + SLACK
    memory = block_memory(
        device, f"{engine.name}.queue", width=width, depth=depth, bits_used=before.words * width, banked=True
    )
    assert memory is not None
    (projection,) = engine.projections
    projections = (dataclasses.replace(projection, queue=QueuePlan(depth=depth, memory=memory)),)
    deeper = dataclasses.replace(engine, projections=projections)
    return dataclasses.replace(plan, engines=(*plan.engines[:position], deeper, *plan.engines[position + 1 :]))
