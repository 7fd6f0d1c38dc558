"""The arithmetic of an image engine: currents from digits, and steps from currents."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snnc.compiler.ir import Reset
from snnc.compiler.plan import MemoryKind
from snnc.rtl.engines.image.neurons import ImageNeurons
from tests.rtl.benches import simulate
from tests.rtl.image_engines import Case, engine_plan, write_images
from tests.rtl.memories import simulate_memories
from tests.rtl.plans import Neuron, packed

CASES = {
    "soft": Case(source=(1, 1, 1), channels=3, lanes=2, kernel=(1, 1)),
    "hard": Case(source=(1, 1, 1), channels=2, lanes=2, kernel=(1, 1), reset=Reset.HARD, shift=2),
    "half": Case(source=(1, 1, 1), channels=5, lanes=2, kernel=(1, 1), half=True, constants=MemoryKind.EBR),
    "three bits": Case(source=(1, 1, 1), channels=2, lanes=2, kernel=(1, 1), bits=3, weight_bits=5),
    "eight bits": Case(source=(1, 1, 1), channels=1, lanes=1, kernel=(1, 1), bits=8, residual_bits=18),
    "one bit": Case(source=(1, 1, 1), channels=2, lanes=2, kernel=(1, 1), bits=1),
    "products": Case(source=(1, 1, 1), channels=3, lanes=3, kernel=(1, 1), bits=5, multiplies=True, half=True),
    "summed": Case(source=(1, 1, 1), channels=3, lanes=3, kernel=(1, 1), bits=5, multiplies=True, half=True, summed=3),
    "one of two summed": Case(
        source=(1, 1, 1), channels=2, lanes=2, kernel=(1, 1), bits=8, residual_bits=16, multiplies=True, summed=1
    ),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("idle", [0.0, 0.4])
def test_a_words_steps_are_those_of_its_current(name: str, idle: float, tmp_path: Path, monkeypatch: Any) -> None:
    """A word gathers while the one before takes its steps."""
    case = CASES[name]
    simulate_memories(monkeypatch, tmp_path, "snnc.rtl.memories")
    write_images(case, tmp_path)
    plan, unit = engine_plan(case), ImageNeurons(engine_plan(case))
    _, bias, threshold, initial = case.parameters()
    generator = random.Random(case.bits)
    top = 2 ** (case.weight_bits - 1) - 1
    groups = [0, *(generator.randrange(case.layout.groups) for _ in range(8))]

    sign = 0  # of the next cycle

    async def cycle(ctx: Any, next_sign: int | None = None, **settings: int) -> None:
        """What is added in the next cycle has the sign `next_sign`: of nothing, any."""
        nonlocal sign
        ctx.set(unit.sign, sign)
        sign = generator.randrange(2) if next_sign is None else next_sign
        ctx.set(unit.next_sign, sign)
        for name, value in settings.items():
            ctx.set(getattr(unit, name), value)
        await ctx.tick()
        for name in settings:
            ctx.set(getattr(unit, name), 0)

    async def gather(ctx: Any) -> np.ndarray:
        current = np.zeros(case.lanes, dtype=np.int64)
        coming: dict[str, int] = {}  # of the cycle after that in which a factor is said
        left = generator.randrange(1, 7)
        while left or coming:
            now, coming, said = coming, {}, {}
            if left and generator.random() >= idle:
                left -= 1
                weights = [generator.randrange(-top, top + 1) for _ in range(case.lanes)]
                negative = 0 if case.multiplies else generator.randrange(2)
                factor = generator.randrange(2**case.bits if case.multiplies else case.bits + 1)
                row = {"weights": packed(weights, case.weight_bits)}
                # In front of multipliers there is a register.
                said = {"next_factor": factor, "next_digit": 1, **(row if case.multiplies else {})}
                coming = {"next_sign": negative, **({} if case.multiplies else row)}
                current += np.array(weights) * (factor if case.multiplies else 1 << factor) * (-1) ** negative
            await cycle(ctx, now.pop("next_sign", None), **now, **said)
        await cycle(ctx, 0)  # the last one is added; it is handed over as it is
        return current

    async def process(ctx: Any) -> None:
        for number, group in enumerate(groups):
            ctx.set(unit.group, group)
            ctx.set(unit.next_group, group)
            if number % 3 == 0:  # what was gathered is dropped
                await gather(ctx)
                await cycle(ctx, clear=1)
            current = await gather(ctx)
            await cycle(ctx, transfer=1)

            channels = [group * case.lanes + lane for lane in range(case.lanes)]
            neurons = [
                Neuron(threshold=int(threshold[c]), bias=int(bias[c]), initial=int(initial[c]), reset=case.reset)
                if c < case.channels
                else None
                for c in channels
            ]
            membranes = [0 if neuron is None else neuron.initial for neuron in neurons]
            for _ in range(case.time_steps):
                await cycle(ctx, first=1)
                ctx.set(unit.sweep, 1)
                spikes, residuals = ctx.get(unit.spikes), ctx.get(unit.residuals)
                for lane, neuron in enumerate(neurons):
                    if neuron is None:
                        continue
                    fired, membranes[lane] = neuron.step(membranes[lane], int(current[lane]) << case.shift)
                    assert spikes >> lane & 1 == fired
                    found = residuals >> lane * plan.residual_bits & (1 << plan.residual_bits) - 1
                    assert found == neuron.residual(membranes[lane]) % (1 << plan.residual_bits)
                await cycle(ctx, sweep=1)
            await cycle(ctx)

    simulate(unit, process)
