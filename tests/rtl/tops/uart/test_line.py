"""The two ends of a serial line, one against the other and against clocks that are off."""

from __future__ import annotations

import pytest

from snnc.rtl.tops import LEAST_DIVISOR
from snnc.rtl.tops.uart.line import Receiver, Transmitter
from tests.rtl.benches import simulate


def sent(divisor, data):
    """The line, cycle by cycle."""
    unit, levels = Transmitter(divisor), []

    async def bench(ctx):
        for byte in data:
            ctx.set(unit.i.payload, byte)
            ctx.set(unit.i.valid, 1)
            while not ctx.get(unit.i.ready):
                levels.append(ctx.get(unit.line))
                await ctx.tick()
            levels.append(ctx.get(unit.line))
            await ctx.tick()
            ctx.set(unit.i.valid, 0)
        for _ in range(11 * divisor):
            levels.append(ctx.get(unit.line))
            await ctx.tick()

    simulate(unit, bench)
    return levels


def received(divisor, levels):
    unit, got = Receiver(divisor), []

    async def bench(ctx):
        for level in [*levels, *([1] * 12 * divisor)]:
            ctx.set(unit.line, level)
            if ctx.get(unit.valid):
                got.append(ctx.get(unit.data))
            if ctx.get(unit.error):
                got.append(None)
            await ctx.tick()

    simulate(unit, bench)
    return got


DATA = [0x00, 0xFF, 0x55, 0xC0, 0x80, 0x01]


@pytest.mark.parametrize("divisor", [LEAST_DIVISOR, 12, 27])
def test_what_is_sent_is_received(divisor):
    assert received(divisor, sent(divisor, DATA)) == DATA


@pytest.mark.parametrize("off", [-0.03, 0.03])
def test_a_clock_may_be_three_in_a_hundred_off(off):
    levels = sent(100, DATA)
    stretched = [levels[min(int(k / (1 + off)), len(levels) - 1)] for k in range(int(len(levels) * (1 + off)))]
    assert received(100, stretched) == DATA


def test_glitches_are_no_bytes_and_a_break_is_an_error():
    assert received(12, [1] * 20 + [0] * 3 + [1] * 200) == []
    assert received(12, [1] * 20 + [0] * 115 + [1] * 200) == [None]
