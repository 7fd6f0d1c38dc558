"""Room in the queues behind an engine, by the contract's own count; and the spike words that go to them."""

from __future__ import annotations

import random
from typing import Any

import pytest

from snnc.compiler.plan import MemoryKind
from snnc.rtl.beats import Marker
from snnc.rtl.credits import MapOutput, SpikeOutput
from tests.rtl.benches import paced, settled, simulate
from tests.rtl.plans import engine, layout

PIPELINE = 2

Word = tuple[int, int, int]
"""Word, mask, marker."""


@pytest.mark.parametrize("behind", [(2,), (3, 2), (8,), (9,), (12, 3), (1,)], ids=str)
@pytest.mark.parametrize("emission", [0, 1])
@pytest.mark.parametrize(("idle", "stall"), [(0.0, 0.0), (0.0, 0.9), (0.4, 0.5)])
def test_an_operation_may_be_issued_while_every_queue_has_room(
    behind: tuple[int, ...], emission: int, idle: float, stall: float
) -> None:
    """Timing: ``entries + issued but not through before n < depth``, in every queue; a word enters at x + E."""
    plan = engine(layout(6, lanes=2), membrane=MemoryKind.EBR if emission else MemoryKind.REGISTERS)
    assert plan.emission == emission
    unit = SpikeOutput(plan, behind)
    generator = random.Random(f"{behind}")
    queues: list[list[Word]] = [[] for _ in behind]
    refused = entered = 0

    async def process(ctx: Any) -> None:
        nonlocal refused, entered
        issues = paced(idle, "issue")
        leaves = [paced(stall, f"leave {k}") for k in range(len(behind))]
        executing: dict[int, tuple[Word, bool]] = {}
        for cycle in range(400):
            executing.pop(cycle - emission - 1, None)  # through
            allowed = all(len(queue) + len(executing) < depth for queue, depth in zip(queues, behind, strict=True))
            assert ctx.get(unit.allow) == allowed, cycle
            issued = allowed and next(issues)
            refused += not allowed
            ctx.set(unit.issue, issued)
            if issued:
                word = (generator.randrange(3), generator.choice([0, 0, 1, 3]), generator.choice([1, 2]))
                executing[cycle + PIPELINE] = (word, generator.random() < 0.3)

            (word, last), executes = executing.get(cycle, ((1, 3, 1), True)), cycle in executing
            ctx.set(unit.execute, executes)
            ctx.set(unit.beat, {"word": word[0], "mask": word[1], "marker": Marker(word[2])})
            ctx.set(unit.last, last)
            left = [bool(queue) and next(leave) for queue, leave in zip(queues, leaves, strict=True)]
            ctx.set(unit.left, sum(bit << k for k, bit in enumerate(left)))

            out = unit.o.payload
            sent = settled(ctx, word=out.word, mask=out.mask, marker=out.marker)
            (word, last) = executing.get(cycle - emission, ((0, 0, 0), False))
            assert ctx.get(unit.o.valid) == (word[1] != 0 or last), cycle
            for queue, leaves_now in zip(queues, left, strict=True):
                if leaves_now:
                    queue.pop(0)
            if word[1] or last:
                assert sent == {"word": word[0], "mask": word[1], "marker": word[2] * last}
                entered += 1
                for queue, depth in zip(queues, behind, strict=True):
                    queue.append(word)
                    assert len(queue) <= depth
            await ctx.tick()

    simulate(unit, process)
    assert entered > 20
    # A queue as deep as what is under way is long never fills where words leave at once.
    assert refused or stall < 0.9


@pytest.mark.parametrize("maps", [1, 3])
def test_a_sample_waits_until_every_map_has_been_read(maps: int) -> None:
    unit = MapOutput(engine(layout(6, lanes=2)), 2, maps)
    generator = random.Random(maps)

    async def process(ctx: Any) -> None:
        unread, sent = 0, None
        for _ in range(300):
            assert ctx.get(unit.allow) == (unread == 0)
            ends = unread == 0 and generator.random() < 0.3
            left = 0 if ends else generator.randrange(1 << maps) & unread
            beat = {"step": generator.randrange(2), "word": generator.randrange(3), "mask": generator.randrange(4)}
            executes = generator.random() < 0.5
            ctx.set(unit.ends, ends)
            ctx.set(unit.left, left)
            ctx.set(unit.execute, executes)
            ctx.set(unit.beat, {**beat, "final": 1, "completes": 0})
            out = unit.o.payload
            if sent is not None:
                assert settled(ctx, step=out.step, word=out.word, mask=out.mask) == sent
            assert ctx.get(unit.o.valid) == (sent is not None)
            sent = beat if executes else None
            await ctx.tick()
            unread = (1 << maps) - 1 if ends else unread & ~left

    simulate(unit, process)
