"""Integer values to signed digits."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from snnc.compiler.plan import InputPlan
from snnc.rtl.beats import DigitBeat, InputBeat, Marker, digit_beat, input_beat
from snnc.rtl.recoding import signed_digits
from snnc.rtl.spike_serialiser import lowest_set_bit
from snnc.rtl.views import Stream

__all__ = ["DigitSerialiser"]


class DigitSerialiser(wiring.Component):
    """Recodes a value to its non-adjacent form and offers one beat per non-zero digit, lowest position first.

    Parameters
    ----------
    plan
        The network's input; its values have ``value_bits`` bits, their digits the positions ``0 .. value_bits``.

    Members
    -------
    i : In(stream of input beats)
    o : Out(stream of digit beats)
    """

    i: Stream[InputBeat]
    o: Stream[DigitBeat]

    def __init__(self, plan: InputPlan) -> None:
        self._plan = plan
        super().__init__(
            {
                "i": In(stream.Signature(input_beat(plan))),
                "o": Out(stream.Signature(digit_beat(plan.layout, plan.value_bits))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        positions = self._plan.value_bits + 1
        busy = Signal()
        address = Signal.like(self.i.payload.address, reset_less=True)
        marker = Signal(Marker, reset_less=True)
        digits = Signal(positions, reset_less=True)
        negative = Signal(positions, reset_less=True)

        onehot, index = lowest_set_bit(digits)
        rest = Signal(positions)
        m.d.comb += rest.eq(digits & ~onehot)
        final = ~rest.any()

        m.d.comb += [
            self.o.valid.eq(busy),
            self.o.payload.address.eq(address),
            self.o.payload.event.eq(digits.any()),
            self.o.payload.shift.eq(index),
            self.o.payload.negative.eq((negative & onehot).any()),
            self.i.ready.eq(~busy | (self.o.ready & final)),
        ]
        with m.If(final):
            m.d.comb += self.o.payload.marker.eq(marker)

        found, below = signed_digits(self.i.payload.value)
        with m.If(self.i.ready):
            m.d.sync += [
                busy.eq(self.i.valid),
                address.eq(self.i.payload.address),
                marker.eq(self.i.payload.marker),
                digits.eq(found & self.i.payload.event.replicate(positions)),
                negative.eq(below),
            ]
        with m.Elif(self.o.ready):
            m.d.sync += digits.eq(rest)
        return m
