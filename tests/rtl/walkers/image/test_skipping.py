"""The walk over an image that skips pixels of 0, against the walk that does not."""

from __future__ import annotations

import dataclasses
import itertools
import random
from collections.abc import Iterator
from typing import Any

import pytest

from snnc.rtl.walkers.image.skipping import SkippingWalker
from tests.rtl.benches import paced, simulate
from tests.rtl.image_engines import WALKS, Case, Tap, engine_plan, in_parts, input_plan, visits

DENSITIES = [0.0, 0.3, 1.0]


def marked(case: Case, density: float) -> dict[int, int]:
    """By the address of a kernel row's marks, without column bits: some marks."""
    generator, layout = random.Random(f"{case} {density}"), case.source_layout
    found = {}
    for row, channel in itertools.product(range(layout.rows), range(layout.channels)):
        bits = [generator.random() < density for _ in range(layout.columns)]
        found[row << layout.group_bits | channel] = sum(bit << column for column, bit in enumerate(bits))
    return found


def left_of(case: Case, of_word: list[Tap], marks: dict[int, int]) -> Iterator[Tap]:
    """Those of a word's taps that are marked, and a blank one for each kernel row without any."""
    layout, width = case.source_layout, case.kernel[1] * case.layout.groups

    def kernel_row(tap: Tap) -> int:
        return tap[1] // width

    for _, group in itertools.groupby(of_word, kernel_row):
        found = []
        for address, row, blank in group:
            column = address >> layout.group_bits & (1 << layout.column_bits) - 1
            of_row = address >> layout.group_bits + layout.column_bits << layout.group_bits
            of_row |= address & (1 << layout.group_bits) - 1
            if not blank and marks[of_row] >> column & 1:
                found.append((address, row, False))
        yield from found or [(0, 0, True)]


@pytest.mark.parametrize("name", WALKS)
@pytest.mark.parametrize("density", DENSITIES)
@pytest.mark.parametrize("idle", [0.0, 0.5])
@pytest.mark.parametrize(("part", "parts"), [(0, 1), (1, 2)])
@pytest.mark.parametrize("registered", [False, True])
def test_only_marked_taps_come(name: str, density: float, idle: float, part: int, parts: int, registered: bool) -> None:
    case = dataclasses.replace(WALKS[name], skips=True, pixels=1)
    plan = engine_plan(case)
    if parts > plan.layout.columns:
        return
    plan = in_parts(plan, parts)
    unit = SkippingWalker(plan, input_plan(case), part, registered=registered)
    marks = marked(case, density)
    sequence = visits(case, part, parts, lambda of_word: left_of(case, of_word, marks))

    words = [0]

    async def cycle(ctx: Any) -> None:
        """A clock edge, and what a memory behind the walker does at it."""
        read = marks[ctx.get(unit.mark_row)] if ctx.get(unit.reads) else None
        await ctx.tick()
        if read is not None:
            words.append(read)
            ctx.set(unit.marks, words[-1 - registered])

    async def process(ctx: Any) -> None:
        goes_on = paced(idle, "go on")
        for again in range(2):  # the second time from wherever the first one's reading ahead has come to
            ctx.set(unit.rewinds, 1)
            await cycle(ctx)
            ctx.set(unit.rewinds, 0)
            ctx.set(unit.fills, 1)
            for _ in range(unit.filling):
                await cycle(ctx)
            ctx.set(unit.fills, 0)
            for word, (address, row, blank), last_tap, last_word in sequence[: None if again else 7]:
                on = False
                while not on:
                    on = next(goes_on)
                    ctx.set(unit.moves, on)
                    await ctx.delay(1e-9)
                    assert ctx.get(unit.blank) == blank
                    if not blank:
                        assert (ctx.get(unit.address), ctx.get(unit.row)) == (address, row)
                    assert ctx.get(unit.word) == word
                    assert (ctx.get(unit.last_tap), ctx.get(unit.last_word)) == (last_tap, last_word)
                    assert ctx.get(unit.final) == (last_tap and last_word)
                    await cycle(ctx)
                ctx.set(unit.moves, 0)

    simulate(unit, process)
