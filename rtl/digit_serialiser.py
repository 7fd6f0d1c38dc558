"""Integer values to signed digits."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from snnc.compiler.plan import InputPlan
from snnc.rtl.beats import DigitBeat, InputBeat, Marker, digit_beat, input_beat
from snnc.rtl.recoding import DigitRegister
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
        busy = Signal()
        address = Signal.like(self.i.payload.address, reset_less=True)
        marker = Signal(Marker, reset_less=True)
        m.submodules.digits = digits = DigitRegister(self._plan.value_bits)
        m.d.comb += [
            digits.value.eq(Mux(self.i.payload.event, self.i.payload.value, 0)),
            digits.load.eq(self.i.valid & self.i.ready),
            digits.take.eq(self.o.ready),
            self.o.valid.eq(busy),
            self.o.payload.address.eq(address),
            self.o.payload.event.eq(digits.event),
            self.o.payload.shift.eq(digits.factor),
            self.o.payload.negative.eq(digits.negative),
            self.i.ready.eq(~busy | (self.o.ready & digits.final)),
        ]
        with m.If(digits.final):
            m.d.comb += self.o.payload.marker.eq(marker)
        with m.If(self.i.ready):
            m.d.sync += [busy.eq(self.i.valid), address.eq(self.i.payload.address), marker.eq(self.i.payload.marker)]
        return m
