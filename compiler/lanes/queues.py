"""Queues grow into the block RAM that is left."""

from __future__ import annotations

import dataclasses
from typing import Final

from snnc.compiler.lanes.memories import queue_memories
from snnc.compiler.lanes.rules import queue_latency
from snnc.compiler.plan import Plan, QueuePlan
from snnc.compiler.targets import Device
from snnc.sim.models.timing.estimate import Activity, estimate

__all__ = ["deepened", "deepest"]

SLACK: Final = 4
"""Entries beyond a step's words: sweeps that are under way hold places, too."""


def deepened(plan: Plan, device: Device, activity: Activity) -> Plan:
    """`plan` with queues that hold a whole step of the engine before them, as far as block RAM is left.

    Two engines work at the same time only while spike words have room between them: with a few places, an engine that
    sweeps goes at the pace of the one behind it, and cannot begin its next step. All are deep to begin with, since one
    of two bottlenecks alone is worth nothing; then those that save the least time are given up, while there are too
    many, or while that costs no time.
    """
    shallow = _shallow(plan)
    deep = deepest(plan, device)
    cycles = estimate(deep, activity).cycles
    while shallow:
        given_up = {at: _with_queue(deep, *at, queue) for at, queue in shallow.items()}
        without = {at: estimate(plan, activity).cycles for at, plan in given_up.items()}
        at = min(without, key=lambda at: without[at])
        if deep.blocks <= device.block_rams and without[at] > cycles:
            break
        deep, cycles = given_up[at], without[at]
        del shallow[at]
    return deep


def deepest(plan: Plan, device: Device) -> Plan:
    """`plan` with all queues as deep as `deepened` may make them, however many block RAMs that takes."""
    for name, k in _shallow(plan):
        plan = _with_queue(plan, name, k, _step_queue(plan, name, k, device))
    return plan


def _shallow(plan: Plan) -> dict[tuple[str, int], QueuePlan]:
    """By engine and projection, the queues that hold less than a step and may hold their sources back."""
    return {
        (engine.name, k): engine.projections[k].queue
        for source in plan.engines
        for engine, k in plan.listeners(source.name)
        if plan.fills(engine, engine.projections[k]) and engine.projections[k].queue.depth < source.words
    }


def _step_queue(plan: Plan, name: str, k: int, device: Device) -> QueuePlan:
    """A queue in front of projection `k` of an engine that holds a step of its source."""
    projection = plan.engine(name).projections[k]
    depth = plan.engine(projection.source).words + SLACK
    *_, memory = queue_memories(device, f"{name}.queue", projection.source_layout, depth)
    return QueuePlan(depth=depth, latency=queue_latency(memory), memory=memory)


def _with_queue(plan: Plan, name: str, k: int, queue: QueuePlan) -> Plan:
    """`plan` with another queue in front of projection `k` of an engine."""
    engines = []
    for engine in plan.engines:
        if engine.name == name:
            changed = dataclasses.replace(engine.projections[k], queue=queue)
            projections = (*engine.projections[:k], changed, *engine.projections[k + 1 :])
            engine = dataclasses.replace(engine, projections=projections)
        engines.append(engine)
    return dataclasses.replace(plan, engines=tuple(engines))
