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
        Take `value`; wins over `take`.
    take : In(1)
        Go on to the next digit.
    event : Out(1)
        There is a digit: the value is not 0.
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
        digits = Signal(positions, reset_less=True)
        negative = Signal(positions, reset_less=True)
        # What decides about the next cycle comes from a register: the mask's logic ends there.
        final = Signal(reset_less=True)
        onehot, index = lowest_set_bit(digits)
        found, below = signed_digits(self.value)
        following = Signal(positions)
        m.d.comb += [
            following.eq(Mux(self.load, found, digits & ~onehot)),
            self.event.eq(digits.any()),
            self.final.eq(final),
            self.factor.eq(index),
            self.negative.eq((negative & onehot).any()),
        ]
        with m.If(self.load | self.take):
            m.d.sync += [digits.eq(following), final.eq(at_most_one(following))]
        with m.If(self.load):
            m.d.sync += negative.eq(below)
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
        event = Signal(reset_less=True)
        factor = Signal.like(self.factor, reset_less=True)
        with m.If(self.load):
            m.d.sync += [factor.eq(self.value), event.eq(self.value.any())]
        m.d.comb += [self.factor.eq(factor), self.event.eq(event), self.final.eq(1)]
        return m
