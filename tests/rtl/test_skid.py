"""A skid: what comes leaves in the same cycle where it can, and one payload may wait."""

from __future__ import annotations

from typing import Any

import pytest

from snnc.rtl.skid import Skid
from tests.rtl.benches import simulate
from tests.rtl.streams import exchange

ITEMS = [(37 * k + 11) % 256 for k in range(60)]


@pytest.mark.parametrize(("gap", "stall"), [(0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.3, 0.6), (0.8, 0.8)])
def test_keeps_order_and_takes_one_more(gap: float, stall: float) -> None:
    got, taken, left = exchange(Skid(8), ITEMS, len(ITEMS), gap=gap, stall=stall)
    assert got == ITEMS
    assert all(out >= into for into, out in zip(taken, left, strict=True))
    assert all(taken[k + 1] > left[k - 1] for k in range(1, len(ITEMS) - 1))
    if not stall:
        assert taken == left


@pytest.mark.parametrize("ready", [0, 1])
def test_what_the_sender_is_told_does_not_depend_on_the_receiver(ready: int) -> None:
    async def process(ctx: Any) -> None:
        for filled in (0, 1):
            for now in (1 - ready, ready):
                ctx.set(unit.o.ready, now)
                assert ctx.get(unit.i.ready) == 1 - filled
            ctx.set(unit.o.ready, 0)
            ctx.set(unit.i.payload, 7 + filled)
            ctx.set(unit.i.valid, 1)
            await ctx.tick()
        assert (ctx.get(unit.o.valid), ctx.get(unit.o.payload)) == (1, 7)

    unit = Skid(8)
    simulate(unit, process)
