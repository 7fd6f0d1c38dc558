"""The position generator: every tap of every word in order, at its address and weight row, and none too early."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from snnc.compiler.plan import EnginePlan
from snnc.rtl.walkers.gather.circuit import Walker
from snnc.rtl.walkers.gather.plan import GatherWalk
from tests.rtl.benches import paced, settled, simulate
from tests.rtl.gathering import gathering
from tests.rtl.plans import layout

CASES = {
    "one position": gathering(layout(3, lanes=3), layout(2, lanes=2), size=(1, 1), neuron={}),
    "padding": gathering(layout(3, 4, 5, lanes=3), layout(4, 4, 5, lanes=4), size=(3, 3), padding=(1, 1), neuron={}),
    "stride": gathering(layout(2, 7, 6, lanes=2), layout(3, 3, 5, lanes=3), size=(3, 2), stride=(2, 1), neuron={}),
    "groups of both": gathering(
        layout(7, 5, 3, lanes=2), layout(5, 3, 2, lanes=2), size=(3, 3), stride=(2, 2), padding=(1, 1), neuron={}
    ),
    "dilation": gathering(
        layout(4, 5, 6, lanes=3), layout(3, 5, 6, lanes=2), size=(3, 3), padding=(2, 2), dilation=(2, 2), neuron={}
    ),
    "rows that nothing sees": gathering(layout(2, 4, 2, lanes=2), layout(2, 1, 2, lanes=2), size=(1, 1), neuron={}),
    "one step": gathering(
        layout(2, 3, 3, lanes=2), layout(2, 3, 3, lanes=1), size=(3, 3), padding=(1, 1), steps=1, neuron={}
    ),
}

Expected = tuple[int, int, bool, bool, bool, int]
"""Address, weight row of lane 0, begins, ends, last, and rows that must be complete."""


def taps(plan: EnginePlan, steps: int, part: int) -> Iterator[Expected]:
    """By the contract's order, from the convolution's sum."""
    projection, target = plan.main, plan.layout
    source, walk = projection.source_layout, projection.walk
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
                for t in range(steps):
                    for number, (v, u, h, w, k) in enumerate(seen):
                        address = (t << source.word_bits) + source.address(h, w, k)
                        row = ((v * kernel.size[1] + u) * target.groups + g) * source.channels + k * source.lanes
                        begins, ends = t == 0 and number == 0, number == len(seen) - 1
                        yield address, row, begins, ends, t == steps - 1, needs


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("stall", "grow"), [(0.0, 0.0), (0.5, 0.9), (0.0, 0.97)])
@pytest.mark.parametrize(("part", "parts"), [(0, 1), (0, 2), (1, 2), (2, 4)])
def test_all_taps_in_order(name: str, stall: float, grow: float, part: int, parts: int) -> None:
    plan = dataclasses.replace(CASES[name], column_banks=parts)
    if parts > plan.layout.columns:
        return
    unit = Walker(plan, plan.main, part)
    most = plan.main.queue.steps
    assert most is not None

    async def process(ctx: Any) -> None:
        takes, grows = paced(stall, "take"), paced(grow, "grow")
        for steps in (most, 1):
            expected = list(taps(plan, steps, part))
            number, rows, cycle = 0, 0, 0
            ctx.set(unit.last_step, steps - 1)
            ctx.set(unit.allow, 0)
            while number < len(expected):
                # A sample's first word waits for what is behind, too.
                ctx.set(unit.allow, cycle > 10)
                rows += rows < plan.main.source_layout.rows and next(grows)
                ctx.set(unit.rows, rows)
                ready = next(takes)
                ctx.set(unit.o.ready, ready)
                out = unit.o.payload
                if ctx.get(unit.o.valid):
                    found = settled(
                        ctx, address=out.address, row=out.base, begins=out.begins, ends=out.ends, last=out.last
                    )
                    assert tuple(found.values()) == expected[number][:-1]
                    assert rows >= expected[number][-1]
                    assert cycle > 10
                    number += ready
                assert not ctx.get(unit.release)
                await ctx.tick()
                cycle += 1
                assert cycle < 20_000, "the unit hangs"
            # Once, in the cycle after the last tap; the rows that are still counted in it begin no word.
            assert (ctx.get(unit.release), ctx.get(unit.o.valid)) == (1, 0)
            await ctx.tick()
            ctx.set(unit.rows, 0)
            assert (ctx.get(unit.release), ctx.get(unit.o.valid)) == (0, 0)

    simulate(unit, process)
