"""How long a design is held in reset, in cycles of its clock."""

from __future__ import annotations

import pytest
from amaranth.hdl import Module, ResetSignal, Signal
from amaranth.sim import Simulator

from snnc.rtl.tops import SHELL_HOLD, STARTUP_SECONDS
from snnc.rtl.tops.startup import hold_in_reset


@pytest.mark.parametrize("cycles", [1, 7, 600])
def test_the_reset_lasts_so_many_cycles_from_the_start_and_after_each_reset(cycles):
    m, clock, reset, held = Module(), Signal(), Signal(), Signal()
    hold_in_reset(m, clock=clock, reset=reset, cycles=cycles)
    m.d.comb += held.eq(ResetSignal())

    async def bench(ctx):
        async def edges_in_reset():
            count = 0
            while ctx.get(held):
                ctx.set(clock, 1)
                await ctx.delay(1e-7)
                ctx.set(clock, 0)
                await ctx.delay(1e-7)
                count += 1
                assert count < cycles + 10
            return count

        await ctx.delay(1e-3)  # a clock that starts late
        assert ctx.get(held)
        assert await edges_in_reset() == cycles + 1
        ctx.set(reset, 1)  # lock is lost in the middle of anything
        for level in (1, 0, 1, 0):
            ctx.set(clock, level)
            await ctx.delay(1e-7)
        assert ctx.get(held)
        ctx.set(reset, 0)
        assert await edges_in_reset() == cycles + 1

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()


def test_it_outlasts_the_zeros_of_block_ram_several_times():
    assert STARTUP_SECONDS >= 4 * 10e-6
    assert SHELL_HOLD >= 100e6 * STARTUP_SECONDS


def test_a_lock_that_rises_at_any_time_is_waited_for_in_cycles_of_the_clock():
    m, clock, locked, held = Module(), Signal(), Signal(), Signal()
    hold_in_reset(m, clock=clock, reset=~locked, cycles=7, asynchronous=True)
    m.d.comb += held.eq(ResetSignal())

    async def bench(ctx):
        async def edges(most):
            for count in range(most):
                if not ctx.get(held):
                    return count
                for level in (1, 0):
                    ctx.set(clock, level)
                    await ctx.delay(1e-7)
            return most

        assert await edges(50) == 50
        ctx.set(locked, 1)
        assert await edges(50) == 7 + 1 + 2  # two registers

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
