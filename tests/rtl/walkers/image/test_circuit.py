"""The walk over an image: words, and for each the taps that lie inside, against nested loops."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from snnc.rtl.engines.image.plan import ImageKind
from snnc.rtl.walkers.image.circuit import Walker
from tests.rtl.benches import paced, settled, simulate
from tests.rtl.image_engines import Case, engine_plan, input_plan

CASES = {
    "one pixel": Case(source=(1, 1, 1), channels=2, lanes=2, kernel=(1, 1)),
    "inside": Case(source=(2, 4, 5), channels=3, lanes=2, kernel=(2, 3)),
    "padding": Case(source=(1, 4, 5), channels=3, lanes=1, kernel=(3, 3), padding=(1, 1)),
    "stride": Case(source=(3, 6, 5), channels=4, lanes=2, kernel=(3, 2), stride=(2, 1), padding=(1, 1)),
    "dilation": Case(source=(2, 5, 4), channels=3, lanes=4, kernel=(2, 2), padding=(1, 0), dilation=(2, 2)),
    "tall dilation": Case(source=(1, 7, 3), channels=2, lanes=2, kernel=(3, 1), dilation=(2, 1)),
    "wide padding": Case(source=(1, 3, 3), channels=2, lanes=1, kernel=(3, 3), padding=(2, 2)),
    "no pixel": Case(source=(2, 2, 2), channels=2, lanes=2, kernel=(2, 2), padding=(4, 4), dilation=(4, 4)),
    "a row": Case(source=(1, 1, 7), channels=3, lanes=1, kernel=(1, 3), padding=(0, 1), stride=(1, 3)),
}

Tap = tuple[int, int, bool]
"""Address of the pixel, weight row, and whether there is none."""


def taps(case: Case, row: int, column: int, group: int) -> list[Tap]:
    """`docs/timing.md`: by source channel, kernel row and kernel column, those inside; or one of each."""
    stride, padding, dilation = case.stride, case.padding, case.dilation
    height, width = case.source[1:]
    rows = [u for u in range(case.kernel[0]) if 0 <= row * stride[0] + u * dilation[0] - padding[0] < height]
    columns = [v for v in range(case.kernel[1]) if 0 <= column * stride[1] + v * dilation[1] - padding[1] < width]
    found = []
    for channel in range(case.source[0]):
        for u in rows or [0]:
            for v in columns or [0]:
                address = case.source_layout.address(
                    row * stride[0] + u * dilation[0] - padding[0] if rows else 0,
                    column * stride[1] + v * dilation[1] - padding[1] if columns else 0,
                    channel,
                )
                weight = ((channel * case.kernel[0] + u) * case.kernel[1] + v) * case.layout.groups + group
                found.append((address, weight, not (rows and columns)))
    return found


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("idle", [0.0, 0.5])
@pytest.mark.parametrize(("part", "parts"), [(0, 1), (0, 2), (1, 2), (3, 4)])
def test_every_words_taps_come_in_order(name: str, idle: float, part: int, parts: int) -> None:
    case = CASES[name]
    plan = engine_plan(case)
    if parts > plan.layout.columns:
        return
    if parts > 1:  # in front of spike maps alone
        assert isinstance(plan.kind, ImageKind)
        plan = dataclasses.replace(plan, kind=dataclasses.replace(plan.kind, map_steps=2), column_banks=parts)
    unit = Walker(plan, input_plan(case), part)
    layout = case.layout
    words = [
        (layout.address(row, column, group), taps(case, row, column, group))
        for row in range(layout.rows)
        for column in range(layout.columns)
        if (column + row) % parts == part
        for group in range(layout.groups)
    ]
    sequence = [
        (word, tap, k == len(of_word) - 1, word == words[-1][0])
        for word, of_word in words * 2
        for k, tap in enumerate(of_word)
    ]

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
