"""The arithmetic of a pixel list engine: currents from products, and steps from currents."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snnc.compiler.ir import Reset
from snnc.compiler.plan import MemoryKind
from snnc.rtl.engines.pixel_list.neurons import PixelListNeurons
from tests.rtl.benches import simulate
from tests.rtl.memories import simulate_memories
from tests.rtl.pixel_list_engines import dense_case, engine_plan, write_contents
from tests.rtl.plans import Neuron, packed

CASES = {
    "soft": dense_case((1, 1, 1), 3, 2),
    "hard": dense_case((1, 1, 1), 2, 2, reset=Reset.HARD, shift=2),
    "half": dense_case((1, 1, 1), 5, 2, half=True, constants=MemoryKind.EBR),
    "three bits": dense_case((1, 1, 1), 2, 2, bits=3, weight_bits=5),
    "eight bits": dense_case((1, 1, 1), 1, 1, bits=8, residual_bits=18),
    "one bit": dense_case((1, 1, 1), 2, 2, bits=1),
    "summed": dense_case((1, 1, 1), 3, 3, bits=6, half=True, summed=3),
    "one of two summed": dense_case((1, 1, 1), 2, 2, bits=8, weight_bits=8, residual_bits=20, summed=1),
}


@pytest.mark.parametrize("name", CASES)
def test_a_words_steps_are_those_of_its_current(name: str, tmp_path: Path, monkeypatch: Any) -> None:
    """What a cycle adds is chosen in the cycle before, and a product is asked for two cycles before it is added."""
    case = CASES[name]
    simulate_memories(monkeypatch, tmp_path, "snnc.rtl.memories")
    plan = engine_plan(case)
    write_contents(case, plan, tmp_path)
    unit = PixelListNeurons(plan)
    _, bias, threshold, initial = case.parameters()
    generator = random.Random(case.bits)
    top = 2 ** (case.weight_bits - 1) - 1
    groups = [0, *(generator.randrange(case.layout.groups) for _ in range(8))]

    async def cycle(ctx: Any, **settings: int) -> None:
        for name, value in settings.items():
            ctx.set(getattr(unit, name), value)
        await ctx.tick()
        for name in settings:
            ctx.set(getattr(unit, name), 0)

    async def gather(ctx: Any) -> np.ndarray:
        current, digit = np.zeros(case.lanes, dtype=np.int64), 0
        for _ in range(generator.randrange(1, 7)):
            weights = [generator.randrange(-top, top + 1) for _ in range(case.lanes)]
            value, wanted = generator.randrange(2**case.bits), generator.randrange(4) > 0
            # The digit of a product comes with the next one's factors.
            await cycle(ctx, weights=packed(weights, case.weight_bits), value=value, digit=digit)
            current += np.array(weights) * value * wanted
            digit = int(wanted)
        await cycle(ctx, digit=digit)
        await cycle(ctx)
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
            await cycle(ctx)  # the held currents are chosen

            channels = [group * case.lanes + lane for lane in range(case.lanes)]
            neurons = [
                Neuron(threshold=int(threshold[c]), bias=int(bias[c]), initial=int(initial[c]), reset=case.reset)
                if c < case.channels
                else None
                for c in channels
            ]
            membranes = [0 if neuron is None else neuron.initial for neuron in neurons]
            for _ in range(case.time_steps):
                await cycle(ctx, adds=1)
                await cycle(ctx, next_sweep=1)
                ctx.set(unit.adds, 1)
                spikes, residuals = ctx.get(unit.spikes), ctx.get(unit.residuals)
                for lane, neuron in enumerate(neurons):
                    if neuron is None:
                        continue
                    fired, membranes[lane] = neuron.step(membranes[lane], int(current[lane]) << case.shift)
                    assert spikes >> lane & 1 == fired
                    found = residuals >> lane * plan.residual_bits & (1 << plan.residual_bits) - 1
                    assert found == neuron.residual(membranes[lane]) % (1 << plan.residual_bits)
                await cycle(ctx, adds=1)

    simulate(unit, process)
