"""A front end for sensors: samples of several channels become the events that a network takes."""

import itertools
from collections.abc import Sequence
from typing import cast

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from snnc.compiler.plan import InputPlan, unsigned_bits
from snnc.rtl.beats import InputBeat, Marker, input_beat
from snnc.rtl.views import Stream

__all__ = ["SendOnDelta"]


class SendOnDelta(wiring.Component):
    """A send-on-delta encoder for each channel, all of them one subtractor; the contract is that of
    `snnc.distill.data.send_on_delta`, which this equals event for event.

    A sample of every channel is a time step of the network. The samples come one after the other, channel 0 first, and
    what each gives is offered from the next cycle on: a sample per cycle, as long as the receiver takes what is
    offered. An event is a beat; the last channel's beat carries the step's marker, with or without an event. After a
    reset the first step tells the references, and has no event.

    Parameters
    ----------
    plan
        The network's input: events, two addresses for each channel, up and down.
    thresholds
        Of each channel, at least 1, in units of a sample.
    bits
        Of a sample, two's complement.
    every
        Steps between two answers of a network for streams; None asks for none.

    Members
    -------
    i : In(stream of signed(bits))
    o : Out(stream of `beats.input_beat`)
    """

    i: stream.Interface
    o: Stream[InputBeat]

    def __init__(self, plan: InputPlan, thresholds: Sequence[int], bits: int, *, every: int | None = None) -> None:
        channels = len(thresholds)
        if not channels or (plan.layout.channels, plan.layout.neurons) != (2 * channels, 2 * channels):
            raise ValueError(f"{channels} channels have {2 * channels} addresses, not those of {plan.layout.shape}")
        if bits < 1 or any(threshold < 1 for threshold in thresholds):
            raise ValueError(f"Samples of {bits!r} bits and thresholds of {tuple(thresholds)!r} must be at least 1")
        if every is not None and every < 1:
            raise ValueError(f"There must be at least 1 step between two answers, not {every!r}")
        self._thresholds = tuple(thresholds)
        self._bits = bits
        self._every = every
        super().__init__({"i": In(stream.Signature(signed(bits))), "o": Out(stream.Signature(input_beat(plan)))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        channels, bits = len(self._thresholds), self._bits
        sample = cast(Signal, self.i.payload)
        channel = Signal(range(channels))
        last = channel == channels - 1
        told = Signal()  # the references are: the first step is over
        # A ring: the channel whose sample comes next is at the head.
        references = [Signal(signed(bits), name=f"reference{k}", reset_less=True) for k in range(channels)]
        widest = max(self._thresholds)
        threshold = Array(Const(value, unsigned_bits(widest)) for value in self._thresholds)[channel]

        takes = Signal()
        change = Signal(signed(bits + 1))
        up, down, speaks = Signal(), Signal(), Signal()
        m.d.comb += [
            self.i.ready.eq(~self.o.valid | self.o.ready),
            takes.eq(self.i.valid & self.i.ready),
            change.eq(sample - references[0]),
            up.eq(told & (change >= threshold)),
            down.eq(told & (-change >= threshold)),
            speaks.eq(up | down),
        ]
        beat = self.o.payload
        with m.If(self.i.ready):
            m.d.sync += self.o.valid.eq(self.i.valid & (speaks | last))
        with m.If(takes):
            m.d.sync += [
                channel.eq(Mux(last, 0, channel + 1)),
                told.eq(told | last),
                beat.address.eq(Mux(speaks, Cat(down, channel), 0)),
                beat.event.eq(speaks),
                beat.marker.eq(Mux(last, self._marker(m, takes & last), Marker.NONE)),
                references[-1].eq(Mux(speaks | ~told, sample, references[0])),
                *(here.eq(behind) for here, behind in itertools.pairwise(references)),
            ]
        return m

    def _marker(self, m: Module, ends: Value) -> Signal:
        """What ends the step that is at hand."""
        marker = Signal(Marker, name="marker")
        if self._every is None:
            m.d.comb += marker.eq(Marker.STEP)
            return marker
        step = Signal(range(self._every))
        answers = step == self._every - 1
        m.d.comb += marker.eq(Mux(answers, Marker.ANSWER, Marker.STEP))
        with m.If(ends):
            m.d.sync += step.eq(Mux(answers, 0, step + 1))
        return marker
