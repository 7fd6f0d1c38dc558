"""The walker of dense projections: every word for every event, without a bubble."""

from __future__ import annotations

import random
from typing import Any

import pytest

from snnc.compiler.plan import LayoutPlan
from snnc.rtl.beats import Marker
from snnc.rtl.walkers.dense.circuit import Walker
from tests.rtl.benches import PACES, paced, settled, simulate
from tests.rtl.plans import dense, engine, layout
from tests.rtl.walks import Event, Step, walk

Beat = tuple[Event | None, int]
"""The event, if any, and the marker."""


def beats_for(source: LayoutPlan, count: int = 30) -> list[Beat]:
    generator = random.Random(source.neurons)
    beats: list[Beat] = []
    for _ in range(count):
        event = (
            generator.randrange(source.channels),
            generator.randrange(source.rows),
            generator.randrange(source.columns),
        )
        beats.append((event if generator.random() < 0.8 else None, generator.choice([0, 0, 1, 2])))
    return beats


CASES = {
    "one to one": (layout(1), layout(1), 1),
    "words": (layout(6, lanes=3), layout(5, lanes=2), 1),
    "strides of two": (layout(4, lanes=2), layout(8, lanes=2), 1),
    "positions": (layout(3, 2, 3, lanes=2), layout(4, lanes=4), 1),
    "odd groups": (layout(5, 2, 3, lanes=2), layout(6, lanes=2), 1),
    "gaps in the target": (layout(2), layout(3, 2, 3), 1),
    "pool": (layout(2, 4, 6), layout(3), 2),
    "pool by three": (layout(3, 3, 9, lanes=2), layout(3, lanes=2), 3),
    "pool to one": (layout(3, 2, 2), layout(2), 2),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("idle", "stall"), PACES)
def test_an_event_walks_all_words(name: str, idle: float, stall: float) -> None:
    source, target, pool = CASES[name]
    plan = engine(target, (dense(source, target, pool=pool),))
    walker, beats = Walker(plan, plan.main), beats_for(source)

    async def process(ctx: Any) -> None:
        sends, allows = paced(idle, "send"), paced(stall, "allow")
        for event, marker in beats:
            while not next(sends):
                ctx.set(walker.i.valid, 0)
                ctx.set(walker.allow, 1)
                assert (ctx.get(walker.issue), settled(ctx, m=walker.marker)["m"]) == (0, 0)
                await ctx.tick()
            channel, row, column = event or (0, 0, 0)
            address, lane = source.address(row, column, channel // source.lanes), channel % source.lanes
            ctx.set(walker.i.valid, 1)
            ctx.set(
                walker.i.payload,
                {"address": address, "lane": lane, "event": event is not None, "marker": Marker(marker)},
            )
            steps: list[Step | None] = [*walk(plan, plan.main, event)] if event else []
            # A beat with neither takes a cycle in which nothing is issued; a marker is done when the engine says so.
            for step in steps or ([] if marker else [None]):
                last = step is None or (step == steps[-1] and not marker)
                allowed = False
                while not allowed:
                    allowed = next(allows)
                    ctx.set(walker.allow, allowed)
                    assert ctx.get(walker.issue) == (allowed and step is not None)
                    assert settled(ctx, m=walker.marker)["m"] == 0
                    assert ctx.get(walker.i.ready) == (allowed and last)
                    if step is not None:
                        assert (ctx.get(walker.word), ctx.get(walker.row)) == (step.word, step.row)
                    await ctx.tick()
            done = not marker
            while not done:
                done = next(allows)
                ctx.set(walker.allow, next(allows))
                ctx.set(walker.done, done)
                assert ctx.get(walker.issue) == 0
                assert settled(ctx, m=walker.marker)["m"] == marker
                assert ctx.get(walker.i.ready) == done
                await ctx.tick()
            ctx.set(walker.done, 0)
        ctx.set(walker.i.valid, 0)

    simulate(walker, process)


def test_a_digit_passes_with_its_operations() -> None:
    source, target = layout(4), layout(3)
    plan = engine(target, (dense(source, target, value_bits=4),))
    walker = Walker(plan, plan.main)

    async def process(ctx: Any) -> None:
        ctx.set(walker.i.valid, 1)
        ctx.set(walker.allow, 1)
        for address, shift, negative in [(2, 4, 0), (0, 0, 1), (3, 3, 1)]:
            ctx.set(
                walker.i.payload,
                {"address": address, "event": 1, "marker": Marker.NONE, "shift": shift, "negative": negative},
            )
            for step in walk(plan, plan.main, (address, 0, 0)):
                assert (ctx.get(walker.word), ctx.get(walker.row)) == (step.word, step.row)
                assert (ctx.get(walker.shift), ctx.get(walker.negative)) == (shift, negative)
                await ctx.tick()

    simulate(walker, process)
