"""Driving one unit's streams in Amaranth's simulator: send, receive, with gaps and stalls."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

from amaranth.sim import Simulator

__all__ = ["exchange"]


def exchange(
    unit: Any, inputs: Iterable[Any], results: int, *, gap: float = 0.0, stall: float = 0.0, seed: int = 0
) -> tuple[list[Any], list[int], list[int]]:
    """Send `inputs` to ``unit.i`` and take `results` payloads from ``unit.o``.

    Returns
    -------
    The payloads; the cycles in which each input was taken; the cycles in which each result left.
    """
    items = list(inputs)
    taken: list[int] = []
    left: list[int] = []
    got: list[Any] = []

    async def bench(ctx: Any) -> None:
        sending, receiving = random.Random(f"{seed} send"), random.Random(f"{seed} receive")
        cycle, position, offered = 0, 0, False
        while len(got) < results:
            offered = position < len(items) and (offered or sending.random() >= gap)
            ready = receiving.random() >= stall
            ctx.set(unit.i.valid, offered)
            if offered:
                ctx.set(unit.i.payload, items[position])
            ctx.set(unit.o.ready, ready)
            enters = offered and ctx.get(unit.i.ready)
            if ready and ctx.get(unit.o.valid):
                got.append(_plain(ctx.get(unit.o.payload)))
                left.append(cycle)
            if enters:
                taken.append(cycle)
                position, offered = position + 1, False
            await ctx.tick()
            cycle += 1
            assert cycle < 100_000, "the unit hangs"

    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return got, taken, left


def _plain(payload: Any) -> Any:
    if hasattr(payload, "shape") and hasattr(payload.shape(), "members"):
        return {name: _number(payload[name]) for name in payload.shape().members}
    return _number(payload)


def _number(value: Any) -> int:
    return int(value.value if hasattr(value, "value") else value)
