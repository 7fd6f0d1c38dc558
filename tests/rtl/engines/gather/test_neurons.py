"""The neurons of a gathering engine against those of the contract, word after word."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from snnc.compiler.ir import Reset
from snnc.compiler.plan import MemoryKind
from snnc.rtl.engines.gather.neurons import GatherNeurons
from tests.rtl.benches import simulate
from tests.rtl.gathering import gathering
from tests.rtl.memories import simulate_memories
from tests.rtl.plans import Neuron, layout, packed, write_words

KINDS: dict[str, dict[str, Any]] = {
    "soft": {},
    "hard": {"reset": Reset.HARD},
    "leak": {"leak_shift": 2},
    "floor": {"floor": True},
    "hard leak floor": {"reset": Reset.HARD, "leak_shift": 1, "floor": True},
}


@pytest.mark.parametrize("constants", [MemoryKind.LUT, MemoryKind.EBR])
@pytest.mark.parametrize("kind", KINDS)
def test_words_take_all_steps(
    kind: str, constants: MemoryKind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulate_memories(monkeypatch, tmp_path, "snnc.rtl.memories")
    settings = {**KINDS[kind], "constants": constants}
    plan = gathering(layout(4, 2, 2, lanes=4), layout(5, 2, 2, lanes=2), size=(1, 1), neuron=settings)
    generator = random.Random(kind)
    neurons = [
        Neuron(
            threshold=generator.randrange(1, 60),
            bias=generator.randrange(-20, 20),
            initial=generator.randrange(20),
            reset=KINDS[kind].get("reset", Reset.SOFT),
            leak_shift=KINDS[kind].get("leak_shift"),
            floor=-generator.randrange(30) if KINDS[kind].get("floor") else None,
        )
        for _ in range(6)
    ]
    bits, lanes = plan.residual_bits, plan.lanes
    grouped = [neurons[k : k + lanes] for k in range(0, len(neurons), lanes)]
    fields = [[each.constants()[field] for field in plan.constant_fields for each in group] for group in grouped]
    write_words(tmp_path, plan.constants, [packed(values, bits) for values in fields])
    unit = GatherNeurons(plan)

    async def process(ctx: Any) -> None:
        words = [*range(len(grouped)), *(generator.randrange(len(grouped)) for _ in range(6))]

        async def cycle(following: int, **settings: int) -> None:
            ctx.set(unit.next_group, following)
            for name, value in settings.items():
                ctx.set(getattr(unit, name), value)
            await ctx.tick()
            for name in settings:
                ctx.set(getattr(unit, name), 0)

        for number, group in enumerate(words):
            following = words[(number + 1) % len(words)]
            await cycle(group)
            ctx.set(unit.group, group)
            await cycle(group, works=1)
            membranes = [each.initial for each in grouped[group]]
            steps = generator.randrange(1, 4)
            for step in range(steps):
                sums = [0] * lanes
                for _ in range(generator.randrange(5)):
                    await cycle(group)  # nothing happens
                    weights = [generator.randrange(-7, 8) for _ in range(lanes)]
                    await cycle(group, works=1, add=1, weights=packed(weights, plan.main.weight_bits))
                    sums = [total + weight for total, weight in zip(sums, weights, strict=True)]
                stepped = [each.step(v, i) for each, v, i in zip(grouped[group], membranes, sums, strict=True)]
                fired, membranes = [spikes for spikes, _ in stepped], [after for _, after in stepped]
                for k in range(len(plan.passes)):
                    closes = step == steps - 1 and k == len(plan.passes) - 1
                    ctx.set(unit.sweep, 1)
                    ctx.set(unit.sweep_pass, k)
                    if k == 0:
                        assert ctx.get(unit.spikes) == packed(fired, 1)
                    found = ctx.get(unit.residuals)
                    if k == len(plan.passes) - 1:
                        expected = [each.residual(v) for each, v in zip(grouped[group], membranes, strict=True)]
                        assert found == packed(expected, bits)
                    await cycle(following if closes else group, works=1, sweep=1, sweep_pass=k, clear=closes)

    simulate(unit, process)
