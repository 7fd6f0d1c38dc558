"""Integers as signed digits."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from snnc.compiler.plan import unsigned_bits
from snnc.rtl.spike_serialiser import at_most_one, lowest_set_bit

__all__ = ["DigitRegister", "ValueRegister", "signed_digits"]


def signed_digits(value: Value) -> tuple[Value, Value]:
    """Non-zero positions of the non-adjacent form of `value` as a mask, and a mask that has the negative ones of them.

    The non-adjacent form has the fewest non-zero digits of all signed binary forms: no two neighbours are non-zero
    (Reitwiesner 1960). With ``h = x >> 1`` and ``s = x + h``, its non-zero positions are ``s ^ h``, and a digit is
    negative where ``h`` has a 1 there (Prodinger 2000).

    Parameters
    ----------
    value
        Unsigned, of ``b`` bits; the digits have the positions ``0 .. b``.
    """
    half = value >> 1
    return ((value + half) ^ half)[: len(value) + 1], half


class DigitRegister(wiring.Component):
    """Holds one value and shows its non-zero digits one by one, lowest position first.

    Parameters
    ----------
    bits
        Of a value.

    Members
    -------
    value : In(bits)
    load : In(1)
        Take `value`; not before the last digit of the one before is shown.
    take : In(1)
        Go on to the next digit; the last one stays.
    event : Out(1)
        There are digits: the value is not 0.
    final : Out(1)
        There is no further one.
    factor : Out(range(bits + 1))
    negative : Out(1)
        It stands for ``+-(1 << factor)``.
    """

    value: Signal
    load: Signal
    take: Signal
    event: Signal
    final: Signal
    factor: Signal
    negative: Signal

    def __init__(self, bits: int) -> None:
        super().__init__(
            {
                "value": In(bits),
                "load": In(1),
                "take": In(1),
                "event": Out(1),
                "final": Out(1),
                "factor": Out(unsigned_bits(bits)),
                "negative": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        positions = len(self.value) + 1
        # All that is shown is a register: the search for a digit is that for the next one.
        rest = Signal(positions, reset_less=True)
        below = Signal(positions, reset_less=True)
        event, negative = Signal(reset_less=True), Signal(reset_less=True)
        factor = Signal.like(self.factor, reset_less=True)
        final = Signal(init=1)
        m.d.comb += [
            self.event.eq(event),
            self.final.eq(final),
            self.factor.eq(factor),
            self.negative.eq(negative),
        ]

        # The lowest digit stands where the value's lowest 1 does, and is the only one where that is the only 1: neither
        # has to wait for the recoding's sum. After the last digit comes a value, or nothing.
        found, signs = signed_digits(self.value)
        left = Signal(positions)
        m.d.comb += left.eq(Mux(final, self.value, rest))
        onehot, index = lowest_set_bit(m, left)
        single = at_most_one(m, left)
        with m.If(self.load | (self.take & ~final)):
            m.d.sync += [
                factor.eq(index),
                negative.eq((Mux(final, signs, below) & onehot).any()),
                rest.eq(Mux(final, found, rest) & ~onehot),
                final.eq(single),
            ]
        with m.If(self.load):
            m.d.sync += [event.eq(self.value.any()), below.eq(signs)]
        return m


class ValueRegister(wiring.Component):
    """Holds one value; what `DigitRegister` is for those who multiply, with the same members.

    Members
    -------
    factor : Out(bits)
        The value itself.
    negative : Out(1)
        Never.
    """

    value: Signal
    load: Signal
    take: Signal
    event: Signal
    final: Signal
    factor: Signal
    negative: Signal

    def __init__(self, bits: int) -> None:
        super().__init__(
            {
                "value": In(bits),
                "load": In(1),
                "take": In(1),
                "event": Out(1),
                "final": Out(1),
                "factor": Out(bits),
                "negative": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        factor = Signal.like(self.factor, reset_less=True)
        with m.If(self.load):
            m.d.sync += factor.eq(self.value)
        # The value may come late out of a block RAM: what it is compared with stands behind the register.
        m.d.comb += [self.factor.eq(factor), self.event.eq(factor.any()), self.final.eq(1)]
        return m
