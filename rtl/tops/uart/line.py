"""Bytes on a serial line: a start bit, eight bits from the lowest, a stop bit."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from snnc.rtl.tops import LEAST_DIVISOR

__all__ = ["Receiver", "Transmitter"]


class Receiver(wiring.Component):
    """Takes bytes from the line.

    Parameters
    ----------
    divisor
        Cycles of a bit.

    Members
    -------
    line : In(1)
        Asynchronous.
    data : Out(8)
    valid : Out(1)
        A byte has come; for one cycle.
    error : Out(1)
        A byte without a stop bit has come, and is none.
    """

    line: Signal
    data: Signal
    valid: Signal
    error: Signal

    def __init__(self, divisor: int) -> None:
        if divisor < LEAST_DIVISOR:
            raise ValueError(f"A bit must take at least {LEAST_DIVISOR} cycles, not {divisor!r}")
        self._divisor = divisor
        super().__init__({"line": In(1), "data": Out(8), "valid": Out(1), "error": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # Two registers, for the first may hang between its levels for a while.
        early, level = Signal(init=1), Signal(init=1)
        m.d.sync += [early.eq(self.line), level.eq(early)]
        wait = Signal(range(self._divisor))
        bits = Signal(range(11))
        shift = Signal(8, reset_less=True)
        m.d.comb += self.data.eq(shift)
        m.d.sync += [self.valid.eq(0), self.error.eq(0)]
        with m.If(bits == 0):
            with m.If(~level):
                m.d.sync += [bits.eq(10), wait.eq(self._divisor // 2 - 1)]
        with m.Elif(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        with m.Else():
            m.d.sync += [wait.eq(self._divisor - 1), bits.eq(bits - 1)]
            with m.If((bits == 10) & level):  # a glitch, no start bit
                m.d.sync += bits.eq(0)
            with m.Elif(bits == 1):
                m.d.sync += [self.valid.eq(level), self.error.eq(~level)]
            with m.Else():
                m.d.sync += shift.eq(Cat(shift[1:], level))
        return m


class Transmitter(wiring.Component):
    """Sends bytes over the line.

    Parameters
    ----------
    divisor
        Cycles of a bit.

    Members
    -------
    i : In(stream of bytes)
    line : Out(1)
    """

    i: stream.Interface
    line: Signal

    def __init__(self, divisor: int) -> None:
        self._divisor = divisor
        super().__init__({"i": In(stream.Signature(8)), "line": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        wait = Signal(range(self._divisor))
        bits = Signal(range(11))
        shift = Signal(9, init=-1)
        level = Signal(init=1)
        m.d.comb += [self.i.ready.eq(bits == 0), self.line.eq(level)]
        m.d.sync += level.eq(shift[0] | (bits == 0))
        with m.If(bits == 0):
            with m.If(self.i.valid):
                m.d.sync += [shift.eq(Cat(0, self.i.payload)), bits.eq(10), wait.eq(self._divisor - 1)]
        with m.Elif(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        with m.Else():
            m.d.sync += [wait.eq(self._divisor - 1), bits.eq(bits - 1), shift.eq(Cat(shift[1:], 1))]
        return m
