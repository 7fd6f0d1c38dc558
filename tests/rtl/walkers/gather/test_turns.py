"""Walks in turn: of each step of a word one projection's taps after another's, and no word before all can begin."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from snnc.compiler.plan import EnginePlan
from snnc.rtl.walkers.gather.turns import Turns
from tests.rtl.benches import paced, settled, simulate
from tests.rtl.gathering import Tap, gathering, together, words_seen
from tests.rtl.plans import layout

BLOCK = layout(4, 5, 4, lanes=2)

CASES = {
    "identity": together(
        gathering(BLOCK, BLOCK, size=(1, 1), neuron={}),
        gathering(layout(3, 5, 4, lanes=3), BLOCK, size=(3, 3), padding=(1, 1), neuron={}),
    ),
    "stride": together(
        gathering(layout(5, 9, 7, lanes=3), BLOCK, size=(1, 1), stride=(2, 2), neuron={}),
        gathering(layout(3, 5, 4, lanes=2), BLOCK, size=(3, 3), padding=(1, 1), neuron={}),
    ),
    "three": together(
        gathering(layout(2, 5, 4, lanes=2), BLOCK, size=(3, 1), padding=(1, 0), neuron={}),
        gathering(layout(9, 5, 4, lanes=9), BLOCK, size=(1, 1), neuron={}),
        gathering(layout(1, 6, 4, lanes=1), BLOCK, size=(2, 1), neuron={}),
    ),
    "one tap each, of one step": together(
        gathering(layout(2, 5, 4, lanes=2), BLOCK, size=(1, 1), steps=1, neuron={}),
        gathering(layout(3, 5, 4, lanes=3), BLOCK, size=(1, 1), steps=1, neuron={}),
    ),
}

Expected = tuple[int, Tap, tuple[int, ...]]
"""The projection, its tap, and the rows of each source that must be complete."""


def taps(plan: EnginePlan, steps: int, part: int) -> Iterator[Expected]:
    """In the contract's order."""
    words = [words_seen(plan, projection, steps, part) for projection in plan.projections]
    last = len(words) - 1
    for of_word in zip(*words, strict=True):
        needs = tuple(rows for rows, _ in of_word)
        for t in range(steps):
            for turn, (_, of_steps) in enumerate(of_word):
                for address, row, begins, ends, final in of_steps[t]:
                    yield turn, (address, row, begins and turn == 0, ends and turn == last, final), needs


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("stall", "grow"), [(0.0, 0.0), (0.5, 0.9), (0.0, 0.97)])
@pytest.mark.parametrize(("part", "parts"), [(0, 1), (1, 2), (2, 4)])
def test_all_taps_in_order(name: str, stall: float, grow: float, part: int, parts: int) -> None:
    plan = dataclasses.replace(CASES[name], column_banks=parts)
    unit = Turns(plan, part)
    most = plan.main.queue.steps
    assert most is not None
    sizes = [projection.source_layout.rows for projection in plan.projections]

    async def process(ctx: Any) -> None:
        takes = paced(stall, "take")
        grows = [paced(grow, f"grow {k}") for k in range(len(sizes))]
        for steps in (most, 1):
            expected = list(taps(plan, steps, part))
            number, cycle = 0, 0
            rows = [0] * len(sizes)
            for k in range(len(sizes)):
                ctx.set(getattr(unit, f"last_step{k}"), steps - 1)
            while number < len(expected):
                # A sample's first word waits for what is behind, too.
                ctx.set(unit.allow, cycle > 10)
                for k, size in enumerate(sizes):
                    rows[k] += rows[k] < size and next(grows[k])
                    ctx.set(getattr(unit, f"rows{k}"), rows[k])
                ready = next(takes)
                ctx.set(unit.o.ready, ready)
                out = unit.o.payload
                if ctx.get(unit.o.valid):
                    turn, tap, needs = expected[number]
                    found = settled(
                        ctx, address=out.address, row=out.base, begins=out.begins, ends=out.ends, last=out.last
                    )
                    assert ctx.get(out.turn) == turn
                    assert tuple(found.values()) == tap
                    assert all(have >= needed for have, needed in zip(rows, needs, strict=True))
                    assert cycle > 10
                    number += ready
                assert not ctx.get(unit.release)
                await ctx.tick()
                cycle += 1
                assert cycle < 20_000, "the unit hangs"
            if not stall and not grow:
                # A cycle in front of each word, and none between its taps.
                words = sum(begins for _, (_, _, begins, _, _), _ in expected)
                assert cycle == max(11, max(sizes) - 1) + len(expected) + words
            # Once, in the cycle after the last tap; the rows that are still counted in it begin no word.
            assert (ctx.get(unit.release), ctx.get(unit.o.valid)) == (1, 0)
            await ctx.tick()
            for k in range(len(sizes)):
                ctx.set(getattr(unit, f"rows{k}"), 0)
            assert (ctx.get(unit.release), ctx.get(unit.o.valid)) == (0, 0)

    simulate(unit, process)
