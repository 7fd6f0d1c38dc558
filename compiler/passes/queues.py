"""Queues grow into the block RAM that is left."""

from __future__ import annotations

import dataclasses

from snnc.compiler.passes.memories import block_memory
from snnc.compiler.plan import EnginePlan, Plan, QueuePlan
from snnc.compiler.targets import Device
from snnc.sim.estimate import typical_cycles

__all__ = ["deepened"]

SLACK = 4
"""Entries beyond a step's words: sweeps that are under way hold places, too."""


def deepened(plan: Plan, device: Device) -> Plan:
    """`plan` with queues that hold a whole step of the engine before them, as far as block RAM is left.

    Two engines work at the same time only while spike words have room between them: with a few places, an engine that
    sweeps goes at the pace of the one behind it, and cannot begin its next step. The queue that saves the most time
    grows first.
    """
    while True:
        candidates = [
            plan if queue is None else _with_queue(plan, position, queue)
            for position in range(1, len(plan.engines))
            for queue in [_step_queue(plan.engines[position], plan.engines[position - 1], device)]
        ]
        affordable = [candidate for candidate in candidates if candidate.blocks <= device.block_rams]
        best = min(affordable, key=typical_cycles, default=plan)
        if typical_cycles(best) >= typical_cycles(plan):
            return plan
        plan = best


def _with_queue(plan: Plan, position: int, queue: QueuePlan) -> Plan:
    engines = list(plan.engines)
    (projection,) = engines[position].projections
    projections = (dataclasses.replace(projection, queue=queue),)
    engines[position] = dataclasses.replace(engines[position], projections=projections)
    return dataclasses.replace(plan, engines=tuple(engines))


def _step_queue(engine: EnginePlan, before: EnginePlan, device: Device) -> QueuePlan | None:
    """The queue in front of `engine` that holds a step of `before`; None where the planned one does already."""
    (projection,) = engine.projections
    depth = before.words + SLACK
    if before.words <= projection.queue.depth:
        return None
    width = before.lanes + before.layout.address_bits + 2
    memory = block_memory(
        device,
        f"{engine.name}.queue",
        width=width,
        depth=depth,
        bits_used=before.words * width,
        banked=True,
    )
    assert memory is not None
    return QueuePlan(depth=depth, memory=memory)
