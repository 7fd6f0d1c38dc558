"""The logits' way out: in order, each with the best class so far."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import pytest

from snnc.compiler.plan import ExitPlan, MemoryKind
from snnc.rtl.readout_port import ReadoutPort
from tests.rtl.benches import paced, settled, simulate
from tests.rtl.plans import engine, layout, packed

BITS = 6


def logits_of(sample: int, classes: int) -> list[int]:
    """With ties, and all below 0 in every second sample."""
    generator = random.Random(sample)
    top = -1 if sample % 2 else 3
    return [generator.randrange(-4, top + 1) for _ in range(classes)]


@pytest.mark.parametrize("classes", [1, 2, 5, 8])
@pytest.mark.parametrize("lanes", [1, 2, 3, 8])
@pytest.mark.parametrize("stall", [0.0, 0.6])
def test_a_logit_a_beat_with_the_best_class_so_far(classes: int, lanes: int, stall: float) -> None:
    plan = engine(
        layout(classes, lanes=lanes),
        readout=True,
        residual_bits=BITS,
        membrane=MemoryKind.REGISTERS,
    )
    unit = ReadoutPort(plan)

    async def process(ctx: Any) -> None:
        takes = paced(stall, "take")
        for sample in range(6):
            logits = logits_of(sample, classes)
            padded = logits + [7] * (-classes % lanes)
            words = [packed(padded[k : k + lanes], BITS) for k in range(0, len(padded), lanes)]
            ctx.set(unit.start, 1)
            ctx.set(unit.head, 2**BITS - 1)  # what is there while the last membrane is being written
            await ctx.tick()
            ctx.set(unit.start, 0)
            beats, left, turns, restored, finished = [], [], 0, [], []
            for cycle in range(1, 200):
                ctx.set(unit.head, words[turns] if turns < len(words) else 0)
                ready = next(takes)
                ctx.set(unit.o.ready, ready)
                if ctx.get(unit.o.valid) and ready:
                    payload = unit.o.payload
                    beats.append(
                        settled(ctx, logit=payload.logit, index=payload.index, best=payload.best, last=payload.last)
                    )
                    left.append(cycle)
                if ctx.get(unit.finished):
                    finished.append(cycle)
                if ctx.get(unit.restore):
                    restored.append(cycle)
                turns += ctx.get(unit.next_word)
                await ctx.tick()
                if finished:
                    break
            assert beats == [
                {
                    "logit": logit,
                    "index": k,
                    "best": logits.index(max(logits[: k + 1])),
                    "last": int(k == classes - 1),
                }
                for k, logit in enumerate(logits)
            ]
            assert finished == left[-1:]
            assert len(restored) == 1
            assert restored[0] == (left[-2] if len(left) > 1 else 1)  # the last one is read as the one before leaves
            if not stall:
                assert left == list(range(2, 2 + classes))

    simulate(unit, process)


@pytest.mark.parametrize("classes", [1, 2, 5, 8])
@pytest.mark.parametrize("lanes", [1, 2, 3, 8])
@pytest.mark.parametrize("stall", [0.0, 0.6])
def test_a_leaky_readout_of_streams_keeps_its_membranes(classes: int, lanes: int, stall: float) -> None:
    plan = engine(
        layout(classes, lanes=lanes),
        readout=True,
        leak_shift=2,
        residual_bits=BITS,
        membrane=MemoryKind.REGISTERS,
    )
    unit = ReadoutPort(dataclasses.replace(plan, population=dataclasses.replace(plan.population, stream=True)))
    takes = paced(stall, "take")

    async def process(ctx: Any) -> None:
        for sample in range(8):
            logits, keeps = logits_of(sample, classes), sample % 3 != 2
            padded = logits + [7] * (-classes % lanes)
            ring = [packed(padded[k : k + lanes], BITS) for k in range(0, len(padded), lanes)]
            before = list(ring)
            ctx.set(unit.start, 1)
            ctx.set(unit.keep, keeps)
            await ctx.tick()
            ctx.set(unit.start, 0)
            ctx.set(unit.keep, not keeps)  # of no matter from now on
            found, restored, finished = [], 0, 0
            while not finished:
                ctx.set(unit.head, ring[0])
                ctx.set(unit.o.ready, next(takes))
                if ctx.get(unit.o.valid) and ctx.get(unit.o.ready):
                    found.append(ctx.get(unit.o.payload.logit))
                restored += ctx.get(unit.restore)
                finished = ctx.get(unit.finished)
                if ctx.get(unit.next_word):
                    ring.append(ring.pop(0))
                await ctx.tick()
            assert found == logits
            assert restored == (not keeps)
            assert ring == before or not keeps

    simulate(unit, process)


@pytest.mark.parametrize("margin", [1, 3])
@pytest.mark.parametrize("classes", [2, 5, 8])
@pytest.mark.parametrize("lanes", [1, 2, 3, 8])
@pytest.mark.parametrize("attempts", [False, True])
def test_an_answer_without_a_beat_and_a_hand_out_by_itself(
    classes: int, lanes: int, attempts: bool, margin: int
) -> None:
    plan = engine(layout(classes, lanes=lanes), readout=True, residual_bits=BITS, membrane=MemoryKind.REGISTERS)
    population = dataclasses.replace(plan.population, exit=ExitPlan(margin=margin, steps=(1,)))
    queue = dataclasses.replace(plan.main.queue, steps=3 if attempts else None)
    projections = (dataclasses.replace(plan.main, queue=queue),)
    unit = ReadoutPort(dataclasses.replace(plan, population=population, projections=projections))
    generator = random.Random(classes)
    seen = set()

    async def process(ctx: Any) -> None:
        for sample in range(60):
            logits = [generator.randrange(-(2 ** (BITS - 1)), 2 ** (BITS - 1)) for _ in range(classes)]
            if sample % 3:  # near the margin, and ties
                logits = [generator.randrange(3) for _ in range(classes)]
                logits[generator.randrange(classes)] = max(logits) + generator.choice([0, margin - 1, margin])
            first, second = sorted(logits)[:-3:-1]
            ring = [packed((logits + [7] * (-classes % lanes))[k : k + lanes], BITS) for k in range(0, classes, lanes)]
            before = list(ring)
            ctx.set(unit.o.ready, sample % 2)  # of no matter while nothing is offered
            ctx.set(unit.ask, 1)
            await ctx.tick()
            ctx.set(unit.ask, 0)
            for cycle in range(1, classes + 3):
                ctx.set(unit.head, ring[0])
                assert not ctx.get(unit.o.valid)
                assert ctx.get(unit.answered) == (cycle == classes + 2)
                if ctx.get(unit.next_word):
                    ring.append(ring.pop(0))
                exits = ctx.get(unit.exits)
                # The next attempt begins with the answer, if the sample does not end with it.
                assert ctx.get(unit.restore) == (attempts and cycle == classes + 2 and not exits)
                await ctx.tick()
            assert ring == before
            assert exits == (first - second >= margin)
            seen.add((first - second, exits))
            found = []
            ctx.set(unit.o.ready, 1)
            for cycle in range(classes + 4):
                ctx.set(unit.head, ring[0])
                if ctx.get(unit.o.valid):
                    payload = unit.o.payload
                    found.append(settled(ctx, logit=payload.logit, index=payload.index, best=payload.best))
                    assert cycle == len(found)
                if ctx.get(unit.next_word):
                    ring.append(ring.pop(0))
                await ctx.tick()
            assert [beat["logit"] for beat in found] == (logits if exits else [])
            if exits:
                assert found[-1]["best"] == logits.index(first)

    simulate(unit, process)
    assert {(margin, 1), (margin - 1, 0), (0, 0)} <= seen
