"""The word counter: addresses of words in order, over the gaps between them."""

from __future__ import annotations

from typing import Any

import pytest

from snnc.compiler.plan import LayoutPlan
from snnc.rtl.word_counter import WordCounter
from tests.rtl.benches import paced, simulate
from tests.rtl.plans import layout


@pytest.mark.parametrize("idle", [0.0, 0.6])
@pytest.mark.parametrize(
    "plan",
    [
        layout(1),
        layout(5),
        layout(7, lanes=4),
        layout(1, 3, 5),
        layout(3, 2, 4),
        layout(5, 3, 3, lanes=2),
        layout(2, 1, 6),
        layout(2, 3, 7),
        layout(5, 4, 4, lanes=2),
    ],
    ids=lambda plan: f"{plan.shape} by {plan.lanes}",
)
@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize(("unit", "units"), [(0, 1), (0, 2), (1, 2), (0, 4), (3, 4)])
def test_visits_row_then_column_then_group(plan: LayoutPlan, unit: int, units: int, idle: float, first: int) -> None:
    if units > plan.columns:
        return
    words = []
    for row in range(plan.rows):
        columns = [column for column in range(plan.columns) if (column + row) % units == unit]
        words += [plan.address(row, column, group) for column in columns for group in range(plan.groups)]

    async def process(ctx: Any) -> None:
        steps = paced(idle, "step")
        for address in (words * 3)[first % len(words) :]:
            goes_on = False
            while not goes_on:
                goes_on = next(steps)
                ctx.set(counter.step, goes_on)
                assert ctx.get(counter.address) == address
                assert ctx.get(counter.last) == (address == words[-1])
                await ctx.tick()

    counter = WordCounter(plan, unit, units, first=first % len(words))
    simulate(counter, process)
