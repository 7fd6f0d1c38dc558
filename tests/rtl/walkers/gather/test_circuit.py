"""The position generator: every tap of every word in order, at its address and weight row, and none too early."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from snnc.compiler.plan import EnginePlan
from snnc.rtl.walkers.gather.circuit import Walker
from tests.rtl.benches import paced, settled, simulate
from tests.rtl.gathering import Tap, gathering, words_seen
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

Expected = tuple[Tap, int]
"""A tap, and the rows that must be complete."""


def taps(plan: EnginePlan, steps: int, part: int) -> Iterator[Expected]:
    """One after another."""
    for needs, of_steps in words_seen(plan, plan.main, steps, part):
        for one in itertools.chain(*of_steps):
            yield one, needs


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
                    tap, needs = expected[number]
                    assert tuple(found.values()) == tap
                    assert rows >= needs
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
