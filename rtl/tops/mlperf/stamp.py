"""The time in microseconds since the start, in decimal digits."""

from math import gcd

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Stamp"]

_MICROSECOND = 1_000_000


class Stamp(wiring.Component):
    """Digits in a ring, which goes round once in each microsecond: one digit in a cycle passes through the adder.

    Parameters
    ----------
    digits
        As many as there are; the count begins again behind the largest.
    clock_hz
        Of everything here; a microsecond need not be a whole number of cycles, but has at least one for each digit.

    Members
    -------
    ask : In(1)
        Give the next microsecond; until `done`.
    digit, place, valid : Out
        A digit of it, and how many stand before it: from the last digit on, one in each cycle.
    done : Out(1)
        With the first digit, the last that is given.
    """

    ask: Signal
    digit: Signal
    place: Signal
    valid: Signal
    done: Signal

    def __init__(self, digits: int, clock_hz: int) -> None:
        if clock_hz < digits * _MICROSECOND:
            raise ValueError(f"The clock must be at least {digits} MHz, not {clock_hz!r} Hz")
        self._digits = digits
        self._clock_hz = clock_hz
        super().__init__({"ask": In(1), "digit": Out(4), "place": Out(range(digits)), "valid": Out(1), "done": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        ring = Signal(4 * self._digits)
        place = Signal(range(self._digits), init=self._digits - 1)
        goes, carry, given, nine = Signal(), Signal(), Signal(), Signal()
        low = ring[:4]
        m.d.comb += [
            nine.eq(low == 9),
            self.digit.eq(Mux(carry, Mux(nine, 0, low + 1), low)),
            self.place.eq(place),
            self.valid.eq(goes & given),
            self.done.eq(self.valid & (place == 0)),
        ]
        with m.If(goes):
            m.d.sync += [ring.eq(Cat(ring[4:], self.digit)), carry.eq(carry & nine), place.eq(place - 1)]
            with m.If(place == 0):
                m.d.sync += [place.eq(self._digits - 1), goes.eq(0)]
        # Of this many parts of a microsecond a cycle is `step`.
        common = gcd(self._clock_hz, _MICROSECOND)
        parts, step = self._clock_hz // common, _MICROSECOND // common
        part = Signal(range(parts))
        m.d.sync += part.eq(part + step)
        with m.If(part >= parts - step):
            m.d.sync += [part.eq(part - (parts - step)), goes.eq(1), carry.eq(1), given.eq(self.ask & ~self.done)]
        return m
