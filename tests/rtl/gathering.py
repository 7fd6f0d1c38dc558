"""Plans of gathering engines, from what a bench is about alone."""

from __future__ import annotations

import dataclasses
from typing import Any

from snnc.compiler.plan import ConstantField, EnginePlan, KernelPlan, LayoutPlan, MemoryKind, QueuePlan
from snnc.compiler.plan.projections import map_depth
from snnc.compiler.plan.residual import constant_fields_of
from snnc.rtl.engines.gather.plan import GatherKind
from snnc.rtl.walkers.gather.plan import GatherWalk
from tests.rtl.plans import convolution, engine, memory

__all__ = ["gathering"]


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
