"""Running one unit in Amaranth's simulator: with a clock, or as logic alone."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, TypeAlias

from amaranth.hdl import ClockDomain, Module, Signal, Value
from amaranth.sim import Simulator

__all__ = ["PACES", "Process", "evaluate", "paced", "settled", "simulate"]

Process: TypeAlias = Callable[[Any], Awaitable[None]]
"""A bench: takes the simulator's context. A cycle is what it sets and reads between two of its ticks."""

PACES = [(0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.3, 0.6)]
"""Shares of the cycles in which a unit's source is idle, and its receiver stalls."""


def simulate(unit: Any, process: Process) -> None:
    """Run `process` against a clocked `unit`."""
    m = Module()
    m.domains.sync = ClockDomain("sync")  # some units have no register at some points of their parameters
    m.submodules.unit = unit
    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(process)
    simulator.run()


def paced(share: float, name: str) -> Iterator[bool]:
    """Whether to act, cycle by cycle: idle in `share` of the cycles, the same ones in every run."""
    generator = random.Random(f"{name} {share}")
    while True:
        yield generator.random() >= share


def evaluate(
    build: Callable[[Module], Mapping[str, Value]],
    inputs: Mapping[str, Value],
    stimulus: list[dict[str, int]],
) -> list[dict[str, int]]:
    """What logic gives for each set of inputs; `build` makes it and names its results."""
    m = Module()
    results = {name: _held(m, value, name) for name, value in build(m).items()}
    found: list[dict[str, int]] = []

    async def process(ctx: Any) -> None:
        for values in stimulus:
            for name, value in values.items():
                ctx.set(inputs[name], value)
            await ctx.delay(1e-9)
            found.append({name: ctx.get(value) for name, value in results.items()})

    simulator = Simulator(m)
    simulator.add_testbench(process)
    simulator.run()
    return found


def _held(m: Module, value: Value, name: str) -> Signal:
    held = Signal(Value.cast(value).shape(), name=name)
    m.d.comb += held.eq(value)
    return held


def settled(ctx: Any, **signals: Any) -> dict[str, int]:
    """The values of several signals, as numbers, an enumeration's too."""
    return {
        name: int(getattr(value, "value", value)) for name, signal in signals.items() for value in [ctx.get(signal)]
    }
