"""The marks of an image: pixels in any order and at any pace, read back, and cleared."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import pytest

from snnc.compiler.plan import LayoutPlan, MemoryKind
from snnc.rtl.engines.image.marks import Marks
from snnc.rtl.walkers.image.plan import mark_depth
from tests.rtl.benches import paced, simulate
from tests.rtl.image_engines import memory
from tests.rtl.memories import simulate_memories

IMAGES = [(1, 1, 1), (1, 1, 7), (1, 5, 1), (1, 4, 6), (3, 4, 5)]


@pytest.mark.parametrize("shape", IMAGES)
@pytest.mark.parametrize("idle", [0.0, 0.5])
@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("registered", [False, True])
def test_what_was_marked_is_read_and_cleared(
    shape: tuple[int, int, int],
    idle: float,
    ordered: bool,
    registered: bool,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    simulate_memories(monkeypatch, tmp_path, "snnc.rtl.memories")
    channels, rows, columns = shape
    image = LayoutPlan(channels=channels, rows=rows, columns=columns, lanes=1)
    depth = mark_depth(image)
    unit = Marks(memory("marks", MemoryKind.EBR, columns, depth), image, registered=registered)
    generator = random.Random(f"{shape} {ordered}")
    pixels = list(itertools.product(range(rows), range(columns), range(channels)))

    async def process(ctx: Any) -> None:
        goes_on = paced(idle, "marks")
        for _ in range(3):
            # As early as it may be.
            ctx.set(unit.mark, 1)
            await ctx.tick()
            ctx.set(unit.mark, 0)
            await ctx.tick().repeat(2)
            for word in range(depth):
                ctx.set(unit.clear, 1)
                ctx.set(unit.cleared, word)
                await ctx.tick()
            ctx.set(unit.clear, 0)
            marks = [place for place in pixels if generator.random() < 0.5] + generator.choices(pixels, k=3)
            if ordered:
                marks.sort()
            for row, column, channel in marks:
                while not next(goes_on):
                    await ctx.tick()
                ctx.set(unit.mark, 1)
                ctx.set(unit.address, image.address(row, column, channel))
                await ctx.tick()
                ctx.set(unit.mark, 0)
            for _ in range(unit.delay):
                await ctx.tick()
            for row, channel in itertools.product(range(rows), range(channels)):
                ctx.set(unit.reads, 1)
                ctx.set(unit.row, row << image.group_bits | channel)
                await ctx.tick()
                ctx.set(unit.row, 0)
                if registered:
                    await ctx.tick()
                ctx.set(unit.reads, 0)
                await ctx.tick()
                assert ctx.get(unit.marks) == sum(
                    1 << column for column in range(columns) if (row, column, channel) in marks
                )

    simulate(unit, process)
