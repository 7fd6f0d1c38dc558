"""The walk over an image: words, and for each the taps that lie inside, against nested loops."""

from __future__ import annotations

from typing import Any

import pytest

from snnc.rtl.walkers.image.circuit import Walker
from tests.rtl.benches import paced, settled, simulate
from tests.rtl.image_engines import WALKS, engine_plan, in_parts, input_plan, visits


@pytest.mark.parametrize("name", WALKS)
@pytest.mark.parametrize("idle", [0.0, 0.5])
@pytest.mark.parametrize(("part", "parts"), [(0, 1), (0, 2), (1, 2), (3, 4)])
def test_every_words_taps_come_in_order(name: str, idle: float, part: int, parts: int) -> None:
    case = WALKS[name]
    plan = engine_plan(case)
    if parts > plan.layout.columns:
        return
    plan = in_parts(plan, parts)
    unit = Walker(plan, input_plan(case), part)
    sequence = visits(case, part, parts) * 2

    async def process(ctx: Any) -> None:
        goes_on = paced(idle, "go on")
        for word, (address, row, blank), last_tap, last_word in sequence:
            on = False
            while not on:
                on = next(goes_on)
                ctx.set(unit.moves, on)
                shown = settled(
                    ctx,
                    word=unit.word,
                    row=unit.row,
                    blank=unit.blank,
                    last_tap=unit.last_tap,
                    last_word=unit.last_word,
                    final=unit.final,
                    address=unit.address,
                )
                if case.pixels > 1:
                    wanted = row // (case.kernel[0] * case.kernel[1] * case.layout.groups) % case.pixels
                    assert ctx.get(unit.lane) == wanted
                if blank:  # without a pixel, any; and a pixel 0 adds no weight
                    shown |= {"address": address, "row": row}
                assert shown == {
                    "address": address,
                    "word": word,
                    "row": row,
                    "blank": int(blank),
                    "last_tap": int(last_tap),
                    "last_word": int(last_word),
                    "final": int(last_tap and last_word),
                }
                await ctx.tick()

    simulate(unit, process)
