"""The walk over an image: words, and for each the taps that lie inside, against nested loops."""

from __future__ import annotations

import dataclasses
import itertools
import random
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
    "all of it": Case(source=(2, 4, 5), channels=3, lanes=2, kernel=(3, 3), padding=(1, 1), skips=False),
    "a row": Case(source=(1, 1, 7), channels=3, lanes=1, kernel=(1, 3), padding=(0, 1), stride=(1, 3)),
}

Tap = tuple[int, int, bool]
"""Address of the pixel, weight row, and whether there is none."""


def taps(case: Case, row: int, column: int, group: int, seen: tuple[set[int], set[int]]) -> list[Tap]:
    """`docs/timing.md`: by source channel, kernel row and kernel column, those inside that are walked; or one."""
    stride, padding, dilation = case.stride, case.padding, case.dilation
    rows = [u for u in range(case.kernel[0]) if row * stride[0] + u * dilation[0] - padding[0] in seen[0]]
    columns = [v for v in range(case.kernel[1]) if column * stride[1] + v * dilation[1] - padding[1] in seen[1]]
    found = []
    for channel in range(case.source[0]):
        for u in rows:
            for v in columns:
                address = case.source_layout.address(
                    row * stride[0] + u * dilation[0] - padding[0],
                    column * stride[1] + v * dilation[1] - padding[1],
                    channel,
                )
                weight = ((channel * case.kernel[0] + u) * case.kernel[1] + v) * case.layout.groups + group
                found.append((address, weight, False))
    return found or [(0, 0, True)]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("idle", [0.0, 0.5])
@pytest.mark.parametrize("density", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(("part", "parts"), [(0, 1), (0, 2), (1, 2), (3, 4)])
def test_every_words_taps_come_in_order(name: str, idle: float, density: float, part: int, parts: int) -> None:
    case = CASES[name]
    plan = engine_plan(case)
    if parts > plan.layout.columns:
        return
    if parts > 1:  # in front of spike maps alone
        assert isinstance(plan.kind, ImageKind)
        plan = dataclasses.replace(plan, kind=dataclasses.replace(plan.kind, map_steps=2), column_banks=parts)
    unit = Walker(plan, input_plan(case), part)
    layout, generator = case.layout, random.Random(f"{name} {density}")

    async def process(ctx: Any) -> None:
        goes_on = paced(idle, "go on")
        for _ in range(3):
            seen: tuple[set[int], set[int]] = set(), set()
            ctx.set(unit.restarts, 1)
            ctx.set(unit.clears, 1)
            await ctx.tick()
            ctx.set(unit.clears, 0)
            for channel, row, column in itertools.product(*map(range, case.source)):
                marked = generator.random() < density**2 or density == 1.0
                ctx.set(unit.pixel, case.source_layout.address(row, column, channel))
                ctx.set(unit.marks, marked)
                if marked:
                    seen[0].add(row)
                    seen[1].add(column)
                await ctx.tick()
            ctx.set(unit.marks, 0)
            ctx.set(unit.restarts, 0)
            ctx.set(unit.primes, 1)
            await ctx.tick()
            await ctx.tick()
            ctx.set(unit.primes, 0)
            if not case.skips:
                seen = set(range(case.source[1])), set(range(case.source[2]))
            words = [
                (layout.address(row, column, group), taps(case, row, column, group, seen))
                for row in range(layout.rows)
                for column in range(layout.columns)
                if (column + row) % parts == part
                for group in range(layout.groups)
            ]
            for word, of_word in words:
                for k, (address, row, blank) in enumerate(of_word):
                    last_tap, last_word = k == len(of_word) - 1, word == words[-1][0]
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
            ctx.set(unit.moves, 0)

    simulate(unit, process)
