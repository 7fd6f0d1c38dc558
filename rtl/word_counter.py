"""Counts the words of a layout in the order of their addresses."""

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from snnc.compiler.plan import LayoutPlan

__all__ = ["WordCounter"]


class WordCounter(wiring.Component):
    """Goes through the addresses that stand for words, lowest first, and begins anew after the last.

    Parameters
    ----------
    layout
        Of the words.
    first
        The number of the word that it starts with.

    Members
    -------
    step : In(1)
        Go on to the next word.
    address : Out(layout.address_bits)
    last : Out(1)
        `address` is that of the last word.
    """

    step: Signal
    address: Signal
    last: Signal

    def __init__(self, layout: LayoutPlan, first: int = 0) -> None:
        self._layout = layout
        self._first = first
        super().__init__({"step": In(1), "address": Out(layout.address_bits), "last": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        layout = self._layout
        carry: Value = self.step
        last: Value = Const(1, 1)
        digits = []
        beyond = self._first
        # A dimension of one has no digit: it is always at its last.
        for name, size in (("group", layout.groups), ("column", layout.columns), ("row", layout.rows)):
            if size == 1:
                continue
            beyond, start = divmod(beyond, size)
            digit = Signal(range(size), name=name, init=start)
            full = Signal(name=f"{name}_full")
            m.d.comb += full.eq(digit == size - 1)
            with m.If(carry):
                m.d.sync += digit.eq(digit + 1)
                with m.If(full):
                    m.d.sync += digit.eq(0)
            digits.append(digit)
            carry = carry & full
            last = last & full
        m.d.comb += [self.address.eq(Cat(digits)), self.last.eq(last)]
        return m
