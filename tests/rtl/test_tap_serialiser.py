"""Taps to operations: a load, an addition for each spike, the passes of a sweep, in this order and none lost."""

from __future__ import annotations

import random
from typing import Any

import pytest

from snnc.rtl.tap_serialiser import TapOperation, TapSerialiser
from tests.rtl.benches import paced, settled, simulate
from tests.rtl.gathering import gathering, together
from tests.rtl.plans import layout


@pytest.mark.parametrize("lanes", [1, 5, 8, 9, 24])
@pytest.mark.parametrize("floor", [False, True], ids=["one pass", "two passes"])
@pytest.mark.parametrize("density", [0.05, 0.5])
@pytest.mark.parametrize("gap", [0.0, 0.7])
def test_operations_of_taps(lanes: int, floor: bool, density: float, gap: float) -> None:
    plan = gathering(layout(lanes, 3, 3, lanes=lanes), layout(4, 3, 3, lanes=4), size=(3, 3), neuron={"floor": floor})
    unit = TapSerialiser(plan)
    passes = len(plan.passes)
    generator = random.Random(f"{lanes} {floor} {density}")
    taps: list[dict[str, int]] = []
    expected: list[tuple[int, int | None, int | None, bool]] = []
    for number in range(120):
        mask = sum((generator.random() < density) << lane for lane in range(lanes))
        begins, ends, last = (generator.random() < share for share in (0.2, 0.3, 0.5))
        base = generator.randrange(8)
        taps.append({"mask": mask, "base": base, "begins": begins, "ends": ends, "last": last})
        expected += [(TapOperation.LOAD.value, None, None, last)] * begins
        expected += [(TapOperation.ADD.value, base + k, None, last) for k in range(lanes) if mask >> k & 1]
        expected += [(TapOperation.SWEEP.value, None, number, last) for number in range(passes) if ends]
    taken: list[int] = []
    got: list[tuple[int, int | None, int | None, bool]] = []
    at: list[int] = []

    async def process(ctx: Any) -> None:
        offers = paced(gap, "offer")
        cycle, number, offered = 0, 0, False
        while len(got) < len(expected):
            offered = number < len(taps) and (offered or next(offers))
            ctx.set(unit.i.valid, offered)
            if offered:
                ctx.set(unit.i.payload, taps[number])
            if ctx.get(unit.issue):
                op = settled(
                    ctx, kind=unit.kind, row=unit.row, lane=unit.lane, sweep_pass=unit.sweep_pass, last=unit.last
                )
                adds, sweeps = (op["kind"] == kind.value for kind in (TapOperation.ADD, TapOperation.SWEEP))
                row, sweep_pass = op["row"] + op["lane"] if adds else None, op["sweep_pass"] if sweeps else None
                got.append((op["kind"], row, sweep_pass, bool(op["last"])))
                at.append(cycle)
            if offered and ctx.get(unit.i.ready):
                taken.append(cycle)
                number, offered = number + 1, False
            await ctx.tick()
            cycle += 1
            assert cycle < 20_000, "the unit hangs"

    simulate(unit, process)
    assert got == expected
    if not gap and density == 0.5 and lanes >= 8:
        # Enough to do hides the taps without any: an operation in every cycle.
        assert at[-1] - at[0] < 1.15 * len(expected)


def test_a_tap_keeps_its_projection() -> None:
    target = layout(4, 3, 3, lanes=4)
    plan = together(
        gathering(layout(3, 3, 3, lanes=3), target, size=(1, 1), neuron={}),
        gathering(layout(9, 3, 3, lanes=9), target, size=(3, 3), padding=(1, 1), neuron={}),
    )
    unit = TapSerialiser(plan)
    generator = random.Random(1)
    taps = [
        {"mask": generator.randrange(8 if turn == 0 else 512), "base": generator.randrange(70), "turn": turn}
        for turn in generator.choices((0, 1), k=80)
    ]
    lanes = [[k for k in range(9) if one["mask"] >> k & 1] for one in taps]
    expected = [(one["turn"], one["base"] + k) for one, found in zip(taps, lanes, strict=True) for k in found]
    got: list[tuple[int, int]] = []

    async def process(ctx: Any) -> None:
        number, cycle = 0, 0
        while len(got) < len(expected):
            ctx.set(unit.i.valid, number < len(taps))
            ctx.set(unit.i.payload, taps[min(number, len(taps) - 1)])
            if ctx.get(unit.issue):
                op = settled(ctx, turn=unit.turn, row=unit.row, lane=unit.lane)
                got.append((op["turn"], op["row"] + op["lane"]))
            number += bool(number < len(taps) and ctx.get(unit.i.ready))
            await ctx.tick()
            cycle += 1
            assert cycle < 2_000, "the unit hangs"

    simulate(unit, process)
    assert got == expected
