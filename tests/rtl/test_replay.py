"""Replays: a map's words in order of steps, none before its row is complete, none that says nothing."""

from __future__ import annotations

import random
from typing import Any

import pytest

from snnc.rtl.beats import Marker
from snnc.rtl.replay import Replay
from tests.rtl.benches import PACES, paced, settled, simulate
from tests.rtl.gathering import gathering
from tests.rtl.plans import engine, layout


@pytest.mark.parametrize("density", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(("gap", "stall"), PACES)
@pytest.mark.parametrize("attempts", [False, True])
@pytest.mark.parametrize("registers", [0, 1, 2])
def test_words_leave_step_after_step(density: float, gap: float, stall: float, attempts: bool, registers: int) -> None:
    source = layout(5, rows=3, columns=2, lanes=2)
    plan = gathering(source, layout(2, 3, 2, lanes=2), steps=3, registers=registers, size=(1, 1), neuron={})
    unit = Replay(engine(source), plan.main, attempts=attempts)
    generator = random.Random(f"{density} {gap} {stall}")
    words = [source.address(y, x, k) for y in range(3) for x in range(2) for k in range(3)]
    rows_of = [y for y in range(3) for _ in range(6)]

    async def process(ctx: Any) -> None:
        grows, takes = paced(gap, "grow"), paced(stall, "take")
        for number, steps in enumerate((3, 1, 2)):
            asked = attempts and number == 1
            end = Marker.ANSWER if asked else Marker.SAMPLE
            held = {
                (t, word): generator.randrange(1, 4) if generator.random() < density else 0
                for t in range(steps)
                for word in words
            }
            expected = [
                (
                    word,
                    held[t, word],
                    (Marker.NONE if word != words[-1] else Marker.STEP if t < steps - 1 else end).value,
                )
                for t in range(steps)
                for word in words
                if held[t, word] or word == words[-1]
            ]
            got: list[tuple[int, int, int]] = []
            rows, address, held_data, released, cycle = 0, 0, 0, 0, 0
            ctx.set(unit.port.last_step, steps - 1)
            if attempts:
                ctx.set(unit.port.asks, asked)
            while not (released and len(got) == len(expected)):
                rows += rows < 3 and not released and next(grows)
                ctx.set(unit.port.rows, 0 if released else rows)
                step, word = divmod(address, 1 << source.word_bits)
                # What is not complete yet is noise.
                known = (step, word) in held and rows_of[words.index(word)] < rows
                read = held[step, word] if known else generator.randrange(4)
                ctx.set(unit.port.data, held_data if registers > 1 else read)
                ready = next(takes)
                ctx.set(unit.o.ready, ready)
                if registers > 1 and ctx.get(unit.port.moves):
                    held_data = read
                if ctx.get(unit.port.reads):
                    address = ctx.get(unit.port.address)
                released += ctx.get(unit.port.release)
                if ready and ctx.get(unit.o.valid):
                    out = unit.o.payload
                    found = settled(ctx, word=out.word, mask=out.mask, marker=out.marker)
                    got.append((found["word"], found["mask"], found["marker"]))
                await ctx.tick()
                cycle += 1
                assert cycle < 5_000, "the unit hangs"
            assert got == expected
            assert released == 1

    simulate(unit, process)
