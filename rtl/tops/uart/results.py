"""The results of a sample, kept until the host asks for them."""

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from snnc.compiler.plan import EnginePlan
from snnc.rtl.beats import ResultBeat, result_beat
from snnc.rtl.tops.uart.places import HEADER_BYTES, logit_bytes
from snnc.rtl.views import Stream

__all__ = ["Results"]


class Results(wiring.Component):
    """Takes result beats and writes them into a buffer, a byte a cycle: the logits as they come, then what is before
    them, cycles (from the sample's last beat in to its last beat out, 4 bytes) and class (2 bytes).

    Where a network has an early exit, results may be complete before the sample's last beat went in: after 0 cycles.

    Members
    -------
    i : In(stream of result beats)
    ended : In(1)
        The last beat of a sample went into the core.
    free : In(1)
        The buffer takes a byte.
    byte, position, write : Out
        A byte and its place; logits are signed, all is little-endian.
    ready : Out(1)
        The results of a sample are complete, and no later sample has ended.
    """

    i: Stream[ResultBeat]
    ended: Signal
    free: Signal
    byte: Signal
    position: Signal
    write: Signal
    ready: Signal

    def __init__(self, readout: EnginePlan) -> None:
        self._bytes = logit_bytes(readout)
        self._exits = readout.population.exit is not None
        super().__init__(
            {
                "i": In(stream.Signature(result_beat(readout))),
                "ended": In(1),
                "free": In(1),
                "byte": Out(8),
                "position": Out(range(HEADER_BYTES + readout.neurons * self._bytes)),
                "write": Out(1),
                "ready": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        beat, part, place = (
            self.i.payload,
            Signal(range(max(self._bytes, 2))),
            Signal.like(self.position, init=HEADER_BYTES),
        )
        logit, clock = Signal(8 * self._bytes), Signal(32)
        best = Signal.like(beat.best)
        header, running = Signal(), Signal()
        completes, early = Signal(), Signal()
        m.d.comb += [
            logit.eq(beat.logit),  # extends its sign
            self.position.eq(place),
        ]
        with m.If(running):
            m.d.sync += clock.eq(clock + 1)
        with m.If(header):
            m.d.comb += [self.write.eq(1), self.byte.eq(Cat(clock, best).word_select(place[:3], 8))]
            with m.If(self.free):
                m.d.sync += place.eq(place + 1)
                with m.If(place == HEADER_BYTES - 1):
                    # Which is the place of the first logit.
                    m.d.sync += [header.eq(0), self.ready.eq(1)]
        with m.Else():
            m.d.comb += [self.write.eq(self.i.valid), self.byte.eq(logit.word_select(part, 8))]
            with m.If(self.i.valid & self.free):
                m.d.sync += [place.eq(place + 1), part.eq(part + 1)]
                with m.If(part == self._bytes - 1):
                    m.d.comb += self.i.ready.eq(1)
                    m.d.sync += part.eq(0)
                    with m.If(beat.last):
                        m.d.comb += completes.eq(1)
                        m.d.sync += [header.eq(1), place.eq(0), best.eq(beat.best), running.eq(0), clock.eq(clock)]
        begins: Value = self.ended
        if self._exits:
            begins = self.ended & ~early & ~completes
            with m.If(completes & ~running):
                m.d.sync += [early.eq(1), clock.eq(0), self.ready.eq(0)]
            with m.If(self.ended):
                m.d.sync += early.eq(0)
        with m.If(begins):
            m.d.sync += [running.eq(1), clock.eq(1), self.ready.eq(0)]
        return m
