from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from snnc.rtl.block_queue import BlockQueue
from snnc.rtl.queue import Queue
from tests.rtl.memories import simulate_memories
from tests.rtl.streams import exchange

ITEMS = [(37 * k + 11) % 256 for k in range(60)]


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 7])
@pytest.mark.parametrize(("gap", "stall"), [(0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.3, 0.6), (0.8, 0.8)])
def test_keeps_order_under_gaps_and_stalls(depth: int, gap: float, stall: float) -> None:
    got, taken, left = exchange(Queue(8, depth), ITEMS, len(ITEMS), gap=gap, stall=stall)
    assert got == ITEMS
    # What enters in one cycle can leave in the next, no sooner, and no more than `depth` are ever inside.
    assert all(out > into for into, out in zip(taken, left, strict=True))
    assert all(taken[k + depth] > left[k] for k in range(len(ITEMS) - depth))


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_sustains_one_transfer_a_cycle(depth: int) -> None:
    _, taken, left = exchange(Queue(8, depth), ITEMS, len(ITEMS))
    assert taken == list(range(len(ITEMS)))
    assert left == list(range(1, len(ITEMS) + 1))


@pytest.mark.parametrize("depth", [2, 3, 5, 8])
@pytest.mark.parametrize(("gap", "stall"), [(0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.3, 0.6), (0.8, 0.8)])
def test_block_ram_keeps_order_too(
    depth: int, gap: float, stall: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulate_memories(monkeypatch, tmp_path, "snnc.rtl.memories")
    got, taken, left = exchange(BlockQueue(8, depth), ITEMS, len(ITEMS), gap=gap, stall=stall)
    assert got == ITEMS
    assert all(out > into + 1 for into, out in zip(taken, left, strict=True))
    assert all(taken[k + depth] > left[k] for k in range(len(ITEMS) - depth))
    if not gap and not stall and depth > 2:
        assert taken == list(range(len(ITEMS)))
        assert left == list(range(2, len(ITEMS) + 2))


def test_fills_to_its_depth_and_no_further() -> None:
    # A receiver that never takes: exactly `depth` entries go in before the queue refuses.
    from amaranth.sim import Simulator

    queue = Queue(8, 3)
    accepted: list[int] = []

    async def bench(ctx: Any) -> None:
        ctx.set(queue.i.valid, 1)
        for _ in range(8):
            accepted.append(ctx.get(queue.i.ready))
            await ctx.tick()

    simulator = Simulator(queue)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert accepted == [1, 1, 1, 0, 0, 0, 0, 0]


def test_refuses_to_be_empty() -> None:
    with pytest.raises(ValueError, match="depth must be at least 1"):
        Queue(8, 0)
