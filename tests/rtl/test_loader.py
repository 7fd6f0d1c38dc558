"""The loader: every word to its place, whatever the pauses, and again after a reset."""

from __future__ import annotations

import random
from typing import Any

import pytest
from amaranth.hdl import ResetInserter, Signal
from amaranth.sim import Simulator

from snnc.compiler.plan import MemoryKind, MemoryPlan
from snnc.rtl.loader import Loader

Writes = dict[tuple[int, int, int], int]
"""Of each memory, row and chunk: the word that was written."""


def memory(width: int, depth: int) -> MemoryPlan:
    return MemoryPlan(
        name=f"m{width}x{depth}",
        kind=MemoryKind.SPRAM,
        width=width,
        depth=depth,
        bank_depth=depth,
        blocks=0,
        sprams=-(-width // 16),
        bits_used=width * depth,
        bits_paid=width * depth,
    )


def places(memories: list[MemoryPlan]) -> list[tuple[int, int, int]]:
    """Where the words of a load go, in order."""
    return [
        (position, row, chunk)
        for position, item in enumerate(memories)
        for row in range(item.depth)
        for chunk in range(item.chunks)
    ]


def load(memories: list[MemoryPlan], words: list[int], *, gap: float = 0.0, reset_after: int | None = None) -> Writes:
    """Offer `words` until the loader is done, and some more; after `reset_after` of them, reset it and start again."""
    loader, reset = Loader(memories), Signal()
    writes: Writes = {}
    generator = random.Random(gap)

    async def bench(ctx: Any) -> None:
        async def run(stop: int | None) -> None:
            nonlocal writes
            position, offered = 0, False
            while position != stop and not ctx.get(loader.done):
                offered = offered or generator.random() >= gap
                ctx.set(loader.i.valid, offered)
                # What shows in a pause is no word.
                ctx.set(loader.i.payload, words[position] if offered else 0xDEAD)
                assert ctx.get(loader.i.ready)
                written = record(ctx)
                assert len(written) == offered, "a word is written once, and nothing without a word"
                if offered:
                    writes |= written
                    position, offered = position + 1, False
                await ctx.tick()

        def record(ctx: Any) -> Writes:
            found: Writes = {}
            for k, item in enumerate(memories):
                port = getattr(loader, f"memory{k}")
                mask = ctx.get(port.write)
                assert ctx.get(port.loading) == (not ctx.get(loader.done))
                row, data = ctx.get(port.row), ctx.get(port.data)
                found |= {(k, row, chunk): data for chunk in range(item.chunks) if mask >> chunk & 1}
            return found

        if reset_after is not None:
            await run(reset_after)
            ctx.set(loader.i.valid, 0)
            ctx.set(reset, 1)
            await ctx.tick()
            ctx.set(reset, 0)
            writes.clear()
        await run(None)
        ctx.set(loader.i.valid, 1)
        for _ in range(5):
            assert not ctx.get(loader.i.ready)
            assert not record(ctx), "a loaded memory must not change"
            await ctx.tick()

    simulator = Simulator(ResetInserter(reset)(loader))
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return writes


SHAPES = {
    "one chunk, one row": [(5, 1)],
    "one memory of four chunks": [(64, 9)],
    "several, one chunk among them": [(40, 5), (16, 3), (17, 8)],
    "the deepest first": [(16, 33), (33, 2)],
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("gap", [0.0, 0.6])
@pytest.mark.parametrize("reset", [False, True])
def test_every_word_goes_to_its_place(name: str, gap: float, reset: bool) -> None:
    memories = [memory(width, depth) for width, depth in SHAPES[name]]
    order = places(memories)
    words = [(k * 40503 + 77) % 2**16 for k in range(len(order))]
    writes = load(memories, words, gap=gap, reset_after=len(words) // 2 if reset else None)
    assert writes == dict(zip(order, words, strict=True))


def test_a_reset_loads_again_from_the_start() -> None:
    memories = [memory(20, 3)]
    order = places(memories)
    assert load(memories, list(range(len(order))), reset_after=5) == dict(zip(order, range(6), strict=True))


def test_nothing_to_load_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one memory"):
        Loader([])
