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
    unit, units
        Which unit's they are, of how many (`LayoutPlan.columns_of`).
    first
        The number, among these, of the word that it starts with.

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

    def __init__(self, layout: LayoutPlan, unit: int = 0, units: int = 1, *, first: int = 0) -> None:
        self._layout = layout
        self._unit = unit
        self._units = units
        self._first = layout.words_of(unit, units)[first]
        super().__init__({"step": In(1), "address": Out(layout.address_bits), "last": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        layout, units = self._layout, self._units
        carry: Value = self.step
        last: Value = Const(1, 1)
        digits: list[Value] = []
        beyond, group = divmod(self._first, layout.groups)
        starting_row, column = divmod(beyond, layout.columns)
        starts = {"group": group, "column": column // units, "row": starting_row}
        row = Signal(range(layout.rows), name="row", init=starting_row)
        # With several units the low bits of a column follow from the row.
        bits = (units - 1).bit_length()
        low = (Const(self._unit, bits) - row)[:bits]
        # A dimension of one has no digit: it is always at its last.
        for name, size in (("group", layout.groups), ("column", -(-layout.columns // units)), ("row", layout.rows)):
            if name == "column" and units > 1:
                digits.append(low)
            if size == 1:
                continue
            digit = row if name == "row" else Signal(range(size), name=name, init=starts[name])
            full = Signal(name=f"{name}_full")
            m.d.comb += full.eq(
                Cat(low, digit) >= layout.columns - units if name == "column" and units > 1 else digit == size - 1
            )
            with m.If(carry):
                m.d.sync += digit.eq(digit + 1)
                with m.If(full):
                    m.d.sync += digit.eq(0)
            digits.append(digit)
            carry = carry & full
            last = last & full
        m.d.comb += [self.address.eq(Cat(digits)), self.last.eq(last)]
        return m
