"""The results of a sample, kept until the host asks for them."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from snnc.compiler.plan import EnginePlan
from snnc.rtl.beats import ResultBeat, result_beat
from snnc.rtl.views import Stream

__all__ = ["Results", "logit_bytes"]


def logit_bytes(readout: EnginePlan) -> int:
    """Bytes of a logit."""
    return -(-readout.residual_bits // 8)


class Results(wiring.Component):
    """Takes result beats and writes their logits into a buffer, a byte a cycle.

    Members
    -------
    i : In(stream of result beats)
    ended : In(1)
        The last beat of a sample went into the core.
    free : In(1)
        The buffer takes a byte.
    byte, position, write : Out
        A byte of the logits, which are signed and little-endian, and its place among them.
    ready : Out(1)
        The results of a sample are complete, and no later sample has ended.
    best : Out(16)
        Its class.
    cycles : Out(32)
        From its last beat in to its last beat out.
    """

    i: Stream[ResultBeat]
    ended: Signal
    free: Signal
    byte: Signal
    position: Signal
    write: Signal
    ready: Signal
    best: Signal
    cycles: Signal

    def __init__(self, readout: EnginePlan) -> None:
        self._bytes = logit_bytes(readout)
        super().__init__(
            {
                "i": In(stream.Signature(result_beat(readout))),
                "ended": In(1),
                "free": In(1),
                "byte": Out(8),
                "position": Out(range(readout.neurons * self._bytes)),
                "write": Out(1),
                "ready": Out(1),
                "best": Out(16),
                "cycles": Out(32),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        beat, part, place = self.i.payload, Signal(range(self._bytes)), Signal.like(self.position)
        logit = Signal(8 * self._bytes)
        moves, last = Signal(), Signal()
        m.d.comb += [
            logit.eq(beat.logit),  # extends its sign
            self.byte.eq(logit.word_select(part, 8)),
            self.position.eq(place),
            self.write.eq(self.i.valid),
            moves.eq(self.i.valid & self.free),
            last.eq(part == self._bytes - 1),
            self.i.ready.eq(moves & last),
        ]
        running, clock = Signal(), Signal(32)
        with m.If(running):
            m.d.sync += clock.eq(clock + 1)
        with m.If(moves):
            m.d.sync += [place.eq(place + 1), part.eq(part + 1)]
            with m.If(last):
                m.d.sync += part.eq(0)
                with m.If(beat.last):
                    m.d.sync += [
                        place.eq(0),
                        self.best.eq(beat.best),
                        self.cycles.eq(clock),
                        self.ready.eq(1),
                        running.eq(0),
                    ]
        with m.If(self.ended):
            m.d.sync += [running.eq(1), clock.eq(1), self.ready.eq(0)]
        return m
