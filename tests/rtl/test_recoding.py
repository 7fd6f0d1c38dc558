"""Signed digits against the non-adjacent form, found from below one digit at a time."""

from __future__ import annotations

from typing import Any

import pytest
from amaranth.hdl import Signal

from snnc.rtl.recoding import DigitRegister, ValueRegister, signed_digits
from tests.rtl.benches import evaluate, paced, settled, simulate

Digit = tuple[int, int]
"""Position, and whether it is negative."""


def digits(value: int) -> list[Digit]:
    """The non-zero digits of the non-adjacent form: where the value is odd, the one that leaves a multiple of 4."""
    found, position = [], 0
    while value:
        if value % 2:
            digit = 2 - value % 4
            found.append((position, int(digit < 0)))
            value -= digit
        value, position = value // 2, position + 1
    return found


@pytest.mark.parametrize("bits", [1, 2, 3, 5, 8])
def test_every_value_has_its_non_adjacent_form(bits: int) -> None:
    value = Signal(bits)
    found = evaluate(
        lambda m: dict(zip(("places", "negative"), signed_digits(value), strict=True)),
        {"value": value},
        [{"value": number} for number in range(2**bits)],
    )
    for number, item in enumerate(found):
        places = [k for k in range(bits + 1) if item["places"] >> k & 1]
        assert [(k, item["negative"] >> k & 1) for k in places] == digits(number)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("idle", [0.0, 0.5])
def test_a_register_shows_one_digit_after_the_other(bits: int, idle: float) -> None:
    async def process(ctx: Any) -> None:
        takes = paced(idle, "take")
        for value in range(2**bits):
            ctx.set(register.value, value)
            ctx.set(register.load, 1)
            ctx.set(register.take, value % 2)  # a load wins
            await ctx.tick()
            ctx.set(register.load, 0)
            ctx.set(register.value, ~value)
            expected = digits(value)
            assert ctx.get(register.event) == bool(expected)
            for k, digit in enumerate(expected):
                taken = False
                while not taken:
                    taken = next(takes)
                    ctx.set(register.take, taken)
                    shown = settled(ctx, factor=register.factor, negative=register.negative)
                    assert (shown["factor"], shown["negative"]) == digit
                    assert ctx.get(register.event)
                    assert ctx.get(register.final) == (k == len(expected) - 1)
                    await ctx.tick()
            # The last one stays; the value 0 has none.
            ctx.set(register.take, 1)
            await ctx.tick()
            ctx.set(register.take, 0)
            assert (ctx.get(register.event), ctx.get(register.final)) == (bool(expected), 1)
            if expected:
                assert (ctx.get(register.factor), ctx.get(register.negative)) == expected[-1]

    register = DigitRegister(bits)
    simulate(register, process)


@pytest.mark.parametrize("bits", [1, 4])
def test_a_value_is_one_digit_for_those_who_multiply(bits: int) -> None:
    async def process(ctx: Any) -> None:
        for value in [*range(2**bits), 0, 1]:
            ctx.set(register.value, value)
            ctx.set(register.load, 1)
            await ctx.tick()
            ctx.set(register.value, ~value)
            ctx.set(register.load, 0)
            for _ in range(2):  # and it stays
                shown = settled(
                    ctx,
                    event=register.event,
                    final=register.final,
                    factor=register.factor,
                    negative=register.negative,
                )
                assert shown == {"event": int(value > 0), "final": 1, "factor": value, "negative": 0}
                await ctx.tick()

    register = ValueRegister(bits)
    simulate(register, process)
