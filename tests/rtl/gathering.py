"""Plans of gathering engines, from what a bench is about alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from snnc.compiler.plan import (
    ConstantField,
    EnginePlan,
    KernelPlan,
    LayoutPlan,
    MemoryKind,
    ProjectionPlan,
    QueuePlan,
)
from snnc.compiler.plan.projections import map_depth
from snnc.compiler.plan.residual import constant_fields_of
from snnc.rtl.engines.gather.plan import GatherKind
from snnc.rtl.walkers.gather.plan import GatherWalk
from tests.rtl.plans import convolution, engine, memory

__all__ = ["Tap", "gathering", "together", "words_seen"]

Tap = tuple[int, int, bool, bool, bool]
"""Address, weight row of lane 0, begins, ends, last."""


def gathering(
    source: LayoutPlan,
    target: LayoutPlan,
    *,
    steps: int = 2,
    registers: int = 0,
    neuron: dict[str, Any],
    **kernel: Any,
) -> EnginePlan:
    """A layer that gathers the spikes of `source`; `kernel` as `tests.rtl.plans.convolution` takes it.

    So many `registers` stand behind the spike map.
    """
    scattered = convolution(source, target, **kernel)
    found = scattered.walk.kernel  # type: ignore[attr-defined]
    assert isinstance(found, KernelPlan)
    depth = max(2, map_depth(source, steps))
    projection = dataclasses.replace(
        scattered,
        walk=GatherWalk(row_stride=target.groups, kernel=found),
        queue=QueuePlan(depth=depth, latency=2 + registers, memory=memory("map", source.lanes, depth), steps=steps),
    )
    plan = engine(target, [projection], membrane=MemoryKind.REGISTERS, **neuron)
    fields = constant_fields_of(plan.passes, initial=True)
    assert ConstantField.INITIAL in fields
    width = len(fields) * target.lanes * plan.residual_bits
    return dataclasses.replace(
        plan,
        kind=GatherKind(steps=steps, late=False),
        constant_fields=fields,
        constants=dataclasses.replace(plan.constants, width=width),
        membrane=dataclasses.replace(plan.membrane, depth=1, bank_depth=1),
        pipeline=2,
        emission=1,
        waits=False,
    )


def together(*plans: EnginePlan) -> EnginePlan:
    """One layer with the projections of several, which have the same target; all else is the last one's."""
    return dataclasses.replace(
        plans[-1], projections=tuple(plan.main for plan in plans), registered=True, pipeline=plans[-1].pipeline + 1
    )


def words_seen(
    plan: EnginePlan, projection: ProjectionPlan, steps: int, part: int
) -> Iterator[tuple[int, list[list[Tap]]]]:
    """By the contract's order, from the convolution's sum: the rows that each word of unit `part` needs to be complete,
    and the taps of its steps.
    """
    target, source, walk = plan.layout, projection.source_layout, projection.walk
    assert isinstance(walk, GatherWalk)
    kernel = walk.kernel
    for y in range(target.rows):
        for x in (x for x in range(target.columns) if (x + y) % plan.units == part):
            for g in range(target.groups):
                seen = [
                    (
                        v,
                        u,
                        y * kernel.stride[0] + v * kernel.dilation[0] - kernel.padding[0],
                        x * kernel.stride[1] + u * kernel.dilation[1] - kernel.padding[1],
                        k,
                    )
                    for v in range(kernel.size[0])
                    for u in range(kernel.size[1])
                    for k in range(source.groups)
                ]
                seen = [at for at in seen if 0 <= at[2] < source.rows and 0 <= at[3] < source.columns]
                needs = source.rows if y == target.rows - 1 else max(at[2] for at in seen) + 1
                of_steps = []
                for t in range(steps):
                    taps = []
                    for number, (v, u, h, w, k) in enumerate(seen):
                        address = (t << source.word_bits) + source.address(h, w, k)
                        row = ((v * kernel.size[1] + u) * target.groups + g) * source.channels + k * source.lanes
                        begins, ends = t == 0 and number == 0, number == len(seen) - 1
                        taps.append((address, row, begins, ends, t == steps - 1))
                    of_steps.append(taps)
                yield needs, of_steps
