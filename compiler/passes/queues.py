"""Queues grow into the block RAM that is left."""

from __future__ import annotations

import dataclasses
from typing import Final

from snnc.compiler.passes.memories import queue_memories
from snnc.compiler.plan import EnginePlan, Plan, QueuePlan
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
        candidates = (
            _with_step_queue(plan, engine, k, device)
            for source in plan.engines
            for engine, k in plan.listeners(source.name)
            if plan.fills(engine, engine.projections[k]) and engine.projections[k].queue.depth < source.words
        )
        affordable = (candidate for candidate in candidates if candidate.blocks <= device.block_rams)
        best = min(affordable, key=typical_cycles, default=plan)
        if typical_cycles(best) >= typical_cycles(plan):
            return plan
        plan = best


def _with_step_queue(plan: Plan, engine: EnginePlan, k: int, device: Device) -> Plan:
    """`plan` with a queue in front of an engine's projection `k` that holds a step of its source."""
    projection = engine.projections[k]
    depth = plan.engine(projection.source).words + SLACK
    *_, memory = queue_memories(device, f"{engine.name}.queue", projection.source_layout, depth)
    deeper = dataclasses.replace(projection, queue=QueuePlan(depth=depth, memory=memory))
    projections = (*engine.projections[:k], deeper, *engine.projections[k + 1 :])
    changed = dataclasses.replace(engine, projections=projections)
    return dataclasses.replace(
        plan, engines=tuple(changed if other.name == engine.name else other for other in plan.engines)
    )
