"""The count of microseconds against the cycles that have passed."""

from __future__ import annotations

import pytest

from snnc.rtl.tops.mlperf.stamp import Stamp
from tests.rtl.benches import simulate

DIGITS = 4


def times(clock_hz, pauses):
    """Cycle at which each time was complete, and the time."""
    unit, found = Stamp(DIGITS, clock_hz), []

    async def bench(ctx):
        cycle = 0
        for pause in pauses:
            await ctx.tick().repeat(pause)
            cycle += pause
            ctx.set(unit.ask, 1)
            digits: dict[int, int] = {}
            while len(digits) < DIGITS:
                if ctx.get(unit.valid):
                    digits[ctx.get(unit.place)] = ctx.get(unit.digit)
                    assert ctx.get(unit.done) == (len(digits) == DIGITS)
                await ctx.tick()
                cycle += 1
            ctx.set(unit.ask, 0)
            found.append((cycle, int("".join(str(digits[place]) for place in range(DIGITS)))))

    simulate(unit, bench)
    return found


@pytest.mark.parametrize("clock_hz", [4_000_000, 4_700_000, 12_000_000, 30_375_000])
def test_each_time_is_that_of_the_cycles_before_it(clock_hz):
    found = times(clock_hz, [2, 1, 11, 200, 3, 3, 999, 5000, 17])
    for cycle, time in found:
        assert time == (cycle - DIGITS) * 1_000_000 // clock_hz


def test_the_count_begins_again_behind_the_largest():
    (_, before), (_, after) = times(4_000_000, [4 * 9_990, 80])
    assert before > 9_980
    assert after < 30


def test_a_clock_with_fewer_cycles_than_digits_is_refused():
    with pytest.raises(ValueError, match="at least 4 MHz"):
        Stamp(DIGITS, 3_999_999)
