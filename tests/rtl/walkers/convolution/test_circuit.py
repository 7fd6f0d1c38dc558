"""The walker of convolutions: the positions that see an event, and when each beat has its turn."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import pytest

from snnc.compiler.plan import EnginePlan, LayoutPlan, ProjectionPlan
from snnc.rtl.beats import Marker
from snnc.rtl.walkers.convolution.circuit import Walker
from tests.rtl.benches import PACES, paced, settled, simulate
from tests.rtl.plans import convolution, engine, layout
from tests.rtl.walks import Event, Step, walk

Beat = tuple[Event | None, int]
"""The event, if any, and the marker."""

AHEAD = 2


def case(source: LayoutPlan, target: LayoutPlan, *, banks: int = 1, **geometry: Any) -> EnginePlan:
    return engine(target, (convolution(source, target, **geometry),), column_banks=banks)


CASES = {
    "identity": case(layout(1, 3, 3), layout(1, 3, 3), size=(1, 1)),
    "padding": case(layout(2, 4, 5), layout(1, 4, 5), size=(3, 3), padding=(1, 1)),
    "stride": case(layout(3, 5, 6, lanes=2), layout(4, 3, 3, lanes=2), size=(3, 3), stride=(2, 2), padding=(1, 1)),
    "gaps": case(layout(1, 6, 7), layout(3, 2, 3), size=(1, 2), stride=(3, 3)),
    "dilation": case(layout(2, 7, 6), layout(2, 3, 2), size=(3, 2), dilation=(2, 4)),
    "dilated columns": case(layout(1, 2, 8), layout(2, 2, 4), size=(1, 3), dilation=(1, 2)),
    "both": case(layout(1, 8, 9), layout(2, 3, 4), size=(3, 3), stride=(2, 2), dilation=(2, 1), padding=(1, 1)),
    "pool": case(layout(2, 6, 8), layout(2, 3, 4), size=(3, 3), padding=(1, 1), pool=2),
    "pool of odd sizes": case(layout(1, 9, 6), layout(3, 2, 2, lanes=2), size=(2, 1), pool=3),
    "groups of words": case(layout(5, 3, 3, lanes=4), layout(7, 3, 3, lanes=2), size=(3, 3), padding=(1, 1)),
    "depthwise": case(layout(4, 4, 4), layout(4, 4, 4), size=(3, 3), padding=(1, 1), groups=4, row_stride=1),
    "depthwise lanes": case(
        layout(6, 3, 3, lanes=4), layout(6, 3, 3, lanes=2), size=(2, 2), padding=(1, 0), groups=6, row_stride=1
    ),
    "groups": case(layout(4, 4, 3), layout(8, 4, 3, lanes=2), size=(3, 3), padding=(1, 1), groups=2, row_stride=2),
    "two banks": case(layout(2, 4, 6), layout(2, 4, 6, lanes=2), banks=2, size=(3, 3), padding=(1, 1)),
    "four banks": case(layout(1, 4, 7), layout(3, 4, 7), banks=4, size=(3, 5), padding=(1, 2)),
    "banks and stride": case(layout(1, 5, 9), layout(2, 3, 5), banks=2, size=(3, 5), stride=(2, 2), padding=(1, 2)),
    "banks of no use": case(layout(1, 5, 9), layout(2, 5, 5), banks=2, size=(1, 1), stride=(1, 2)),
}


def beats_for(projection: ProjectionPlan, count: int = 40) -> list[Beat]:
    source, generator = projection.source_layout, random.Random(projection.source_layout.neurons)
    beats: list[Beat] = []
    for _ in range(count):
        event = (
            generator.randrange(source.channels),
            generator.randrange(source.rows),
            generator.randrange(source.columns),
        )
        beats.append((event if generator.random() < 0.85 else None, generator.choice([0, 0, 0, 1, 2])))
    return beats


@dataclass
class Oracle:
    """A queue of two beats, and the one in the register, cycle by cycle."""

    plan: EnginePlan
    queue: list[Beat] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)  # still to be issued
    marker: int = 0
    busy: bool = False

    def advance(self, entering: Beat | None, allow: bool, done: bool) -> None:
        """To the next cycle."""
        issued = allow and bool(self.steps)
        if issued:
            self.steps = self.steps[1:]
        leaves = done or (issued and not self.steps and not self.marker)
        if leaves or not self.busy:
            self.busy, self.marker = False, 0
            if self.queue:
                event, self.marker = self.queue.pop(0)
                self.steps = walk(self.plan, self.plan.main, event) if event else []
                self.busy = bool(self.steps or self.marker)
        if entering is not None:
            self.queue.append(entering)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("idle", "stall"), PACES)
def test_an_event_walks_what_sees_it(name: str, idle: float, stall: float) -> None:
    plan = CASES[name]
    source, beats = plan.main.source_layout, beats_for(plan.main)
    walker, oracle = Walker(plan, plan.main), Oracle(plan)
    issues = 0

    async def process(ctx: Any) -> None:
        nonlocal issues
        sends, allows = paced(idle, "send"), paced(stall, "allow")
        position, offered = 0, False
        for _ in range(10_000):
            offered = position < len(beats) and (offered or next(sends))
            event, marker = beats[position] if offered else ((0, 0, 0), 2)
            channel, row, column = event or (source.channels - 1, 0, 0)
            ctx.set(walker.i.valid, offered)
            ctx.set(
                walker.i.payload,
                {
                    "address": source.address(row, column, channel // source.lanes),
                    "lane": channel % source.lanes,
                    "event": event is not None,
                    "marker": Marker(marker),
                },
            )
            allow = next(allows)
            comes_to = oracle.marker if oracle.busy and not oracle.steps else 0
            done = comes_to != 0 and next(allows)
            ctx.set(walker.allow, allow)
            ctx.set(walker.done, done)

            entering = offered and len(oracle.queue) < AHEAD
            assert (offered and ctx.get(walker.i.ready)) == entering
            assert ctx.get(walker.issue) == (allow and bool(oracle.steps))
            assert settled(ctx, m=walker.marker)["m"] == comes_to
            if ctx.get(walker.issue):
                step, issues = oracle.steps[0], issues + 1
                more = ctx.get(walker.more) if plan.column_banks > 1 else 0
                assert Step(word=ctx.get(walker.word), row=ctx.get(walker.row), more=more) == step
            oracle.advance(beats[position] if entering else None, allow, done)
            if entering:
                position, offered = position + 1, False
            await ctx.tick()
            if position == len(beats) and not oracle.queue and not oracle.busy:
                return
        raise AssertionError("the walker hangs")

    simulate(walker, process)
    assert issues
