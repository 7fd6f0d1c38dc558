"""What an engine does next, and when: the order of a step's operations, and the cycles between them."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import pytest

from snnc.compiler.plan import EnginePlan, MemoryKind, ProjectionPlan
from snnc.rtl.beats import Marker, OperationKind
from snnc.rtl.sequencer import Sequencer
from tests.rtl.benches import PACES, paced, settled, simulate
from tests.rtl.plans import convolution, dense, engine, layout
from tests.rtl.walks import Event, walk

SOURCE = layout(3)
IMAGE = layout(2, 3, 4)
WORDS = layout(6, lanes=2)
MAP = layout(2, 3, 4)
THIN = layout(1, 3, 4)
SEEN: dict[str, Any] = {"size": (3, 3), "padding": (1, 1)}

CASES: dict[str, EnginePlan] = {
    "dense": engine(WORDS, (dense(SOURCE, WORDS),)),
    "one word": engine(layout(2, lanes=2), (dense(SOURCE, layout(2, lanes=2)),), membrane=MemoryKind.REGISTERS),
    "passes": engine(WORDS, (dense(SOURCE, WORDS),), leak_shift=1, floor=True),
    "two dense": engine(WORDS, (dense(SOURCE, WORDS, name="side"), dense(IMAGE, WORDS))),
    "three dense": engine(
        WORDS, (dense(SOURCE, WORDS, name="a"), dense(SOURCE, WORDS, name="b"), dense(SOURCE, WORDS)), floor=True
    ),
    "pixels": engine(WORDS, (dense(SOURCE, WORDS, value_bits=3),)),
    "readout": engine(WORDS, (dense(SOURCE, WORDS),), readout=True, membrane=MemoryKind.REGISTERS),
    "leaky readout": engine(WORDS, (dense(SOURCE, WORDS),), readout=True, leak_shift=2, membrane=MemoryKind.REGISTERS),
    "map": engine(MAP, (convolution(IMAGE, MAP, **SEEN),)),
    "waits": engine(THIN, (convolution(IMAGE, THIN, size=(1, 2), padding=(0, 1)),), floor=True),
    "waits for an identity": engine(THIN, (convolution(THIN, THIN, size=(1, 1)),)),
    "forwards": engine(THIN, (convolution(IMAGE, THIN, **SEEN),), staged=True, leak_shift=2),
    "column banks": engine(MAP, (convolution(IMAGE, MAP, **SEEN),), column_banks=2),
    "a side path": engine(
        THIN,
        (convolution(THIN, THIN, size=(1, 1), name="side"), convolution(IMAGE, THIN, **SEEN)),
    ),
    "some wait": engine(
        MAP,
        (convolution(IMAGE, MAP, size=(1, 1), groups=2, row_stride=1, name="side"), convolution(IMAGE, MAP, **SEEN)),
    ),
    "both walkers": engine(
        MAP, (dense(SOURCE, MAP, name="side"), convolution(IMAGE, MAP, size=(2, 2), padding=(1, 0)))
    ),
}

Beat = tuple[Event | None, Marker, int, int]
"""The event, if any, the marker, and of pixels the digit: its position, and whether it is negative."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What is issued; `finished` where it is a step's last, `settled` where membranes stand with it."""

    kind: OperationKind
    turn: int
    word: int
    row: int = 0
    more: int = 0
    sweep_pass: int = 0
    marker: Marker = Marker.NONE
    last: bool = False
    digit: tuple[int, int] = (0, 0)
    finished: bool = False
    settled: bool = False


def step_beats(projection: ProjectionPlan, marker: Marker, generator: random.Random) -> list[Beat]:
    """Events and beats without any; the marker rides on the last event, or has a beat of its own."""
    source = projection.source_layout
    beats: list[Beat] = []
    for _ in range(generator.randrange(6)):
        # Often in a corner: there a run of accumulates ends where a sweep begins, or begins where it has ended.
        sizes = (source.channels, source.rows, source.columns)
        corner, at_end = generator.random() < 0.6, generator.random() < 0.5
        event = tuple((size - 1) * at_end if corner else generator.randrange(size) for size in sizes)
        digit = (generator.randrange(4), generator.randrange(2)) if projection.digits is not None else (0, 0)
        beats.append(((event[0], event[1], event[2]), Marker.NONE, *digit))
        if projection.walk.in_turn and generator.random() < 0.2:
            beats.append((None, Marker.NONE, 0, 0))
    if beats and generator.random() < 0.5:
        event_last, _, *digit_last = beats.pop()
        return [*beats, (event_last, marker, digit_last[0], digit_last[1])]
    return [*beats, (None, marker, 0, 0)]


def step_operations(plan: EnginePlan, beats: list[list[Beat]], marker: Marker) -> list[Operation | None]:
    """`docs/timing.md`: the projections in order, and what ends a step; None for a cycle without an operation."""
    found: list[Operation | None] = []
    for turn, projection in enumerate(plan.projections):
        for event, ends, *digit in beats[turn]:
            steps = walk(plan, projection, event) if event else []
            found += [
                Operation(
                    kind=OperationKind.ACCUMULATE,
                    turn=turn,
                    word=step.word,
                    row=step.row,
                    more=step.more,
                    digit=(digit[0], digit[1]),
                )
                for step in steps
            ]
            if event is None and ends is Marker.NONE:
                found.append(None)
        if projection is not plan.main:
            found.append(None)
    target = plan.layout
    words = [
        target.address(y, x, g) for y in range(target.rows) for x in range(target.columns) for g in range(target.groups)
    ]
    runs = [(OperationKind.INJECT, 0)] if plan.main.digits is not None else []
    runs += [(OperationKind.SWEEP, k) for k in range(len(plan.passes))]
    for kind, sweep_pass in runs:
        found += [
            Operation(
                kind=kind,
                turn=len(plan.projections) - 1,
                word=word,
                sweep_pass=sweep_pass,
                marker=marker,
                last=word == words[-1],
                finished=word == words[-1] and (kind, sweep_pass) == runs[-1],
                settled=word == words[-1] and (kind, sweep_pass) == (OperationKind.SWEEP, plan.membrane_pass),
            )
            for word in words
        ]
    return found


def must_wait(plan: EnginePlan, following: Operation, before: list[Operation | None]) -> bool:
    """`docs/timing.md`, the last paragraph on convolutions; `before` are the two cycles before, the later one last."""
    if plan.forwards:
        sweeps = following.kind is OperationKind.SWEEP
        return any(op is not None and (op.kind is OperationKind.SWEEP) != sweeps for op in before)
    if not plan.waits or before[-1] is None:
        return False
    pair = (following, before[-1])
    single = any(
        op.kind is OperationKind.ACCUMULATE
        and not plan.projections[op.turn].walk.in_turn
        and plan.projections[op.turn].row_stride == 1
        for op in pair
    )
    return single and len({op.word >> plan.layout.group_bits for op in pair}) == 1


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("idle", "stall"), PACES)
def test_a_steps_operations_come_in_order_and_in_time(name: str, idle: float, stall: float) -> None:
    plan, generator = CASES[name], random.Random(name)
    beats: list[list[Beat]] = [[] for _ in plan.projections]
    expected: list[Operation | None] = []
    for marker in [Marker.STEP, Marker.STEP, Marker.SAMPLE, Marker.SAMPLE, Marker.STEP, Marker.SAMPLE]:
        of_step = [step_beats(projection, marker, generator) for projection in plan.projections]
        expected += step_operations(plan, of_step, marker)
        for so_far, further in zip(beats, of_step, strict=True):
            so_far += further
    unit = Sequencer(plan)
    banked, direct = plan.column_banks > 1, plan.main.digits is not None
    # Clearing after a reset counts as sweeps: only an engine that never waits can be stopped at any time.
    stops = not (plan.forwards or plan.waits)
    issued: list[Operation] = []

    async def process(ctx: Any) -> None:
        sends = [paced(idle, f"send {k}") for k in range(len(beats))]
        allows, rooms = paced(stall if stops else 0.0, "allow"), paced(stall, "room")
        position, offered = [0 for _ in beats], [False for _ in beats]
        before: list[Operation | None] = [None, None]
        pending = list(expected)
        for cycle in range(6000):
            allow, room = cycle > 3 and next(allows), next(rooms) or not plan.population.fires
            ctx.set(unit.allow, allow)
            ctx.set(unit.allow_spikes, room)
            for k, projection in enumerate(plan.projections):
                more = position[k] < len(beats[k]) and cycle > 8
                offered[k] = more and (offered[k] or next(sends[k]))
                event, marker, shift, negative = beats[k][position[k]] if offered[k] else ((0, 0, 0), Marker.STEP, 1, 1)
                source, (channel, row, column) = projection.source_layout, event or (0, 0, 0)
                digit = {"shift": shift, "negative": negative} if direct else {}
                address = source.address(row, column, channel // source.lanes)
                port = getattr(unit, f"i{k}")
                ctx.set(port.valid, offered[k])
                ctx.set(
                    port.payload,
                    {
                        "address": address,
                        "lane": channel % source.lanes,
                        "event": event is not None,
                        "marker": marker,
                        **digit,
                    },
                )
            issue = bool(ctx.get(unit.issue))
            if not idle and issued:  # without a bubble
                following = pending[0]
                waits = following is not None and (
                    must_wait(plan, following, before)
                    or (not room and following.kind is OperationKind.SWEEP and following.sweep_pass == 0)
                )
                assert issue == (allow and following is not None and not waits), cycle
                if allow and following is None:
                    pending.pop(0)
            now = None
            if issue:
                while pending[0] is None:
                    pending.pop(0)
                now = pending.pop(0)
                assert now is not None
                assert allow
                assert room or now.kind is not OperationKind.SWEEP or now.sweep_pass
                assert not must_wait(plan, now, before)
                op = unit.operation
                fields = {field: getattr(op, field) for field in ("kind", "turn", "word", "sweep_pass")}
                of_kind = ["row", "more"][: 1 + banked] if now.kind is OperationKind.ACCUMULATE else ["marker", "last"]
                shown = settled(ctx, **fields, **{field: getattr(op, field) for field in of_kind})
                assert shown == {
                    field: int(getattr(value, "value", value)) for field in shown for value in [getattr(now, field)]
                }, cycle
                if direct and now.kind is OperationKind.ACCUMULATE:
                    assert (ctx.get(op.shift), ctx.get(op.negative)) == now.digit
                if banked and now.kind is not OperationKind.ACCUMULATE:
                    assert ctx.get(op.more) == 0
                issued.append(now)
            assert ctx.get(unit.finished) == (now is not None and now.finished)
            if name == "leaky readout":
                assert ctx.get(unit.settled) == (now is not None and now.settled)
            for k in range(len(beats)):
                if offered[k] and ctx.get(getattr(unit, f"i{k}").ready):
                    position[k], offered[k] = position[k] + 1, False
            before = [before[1], now]
            await ctx.tick()
            if not pending:
                break
        assert not pending, "the sequencer hangs"

    simulate(unit, process)
    assert issued == [op for op in expected if op is not None]
