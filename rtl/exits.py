"""What lets one sample at a time into a core that can cancel it."""

from enum import unique

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import enum, stream, wiring
from amaranth.lib.wiring import In, Out

from snnc.compiler.plan import InputPlan
from snnc.rtl.beats import InputBeat, Marker, input_beat
from snnc.rtl.views import Stream

__all__ = ["OneSample"]


@unique
class _State(enum.Enum, shape=2):
    SHUT = 0
    """Between two samples."""
    OPEN = 1
    """A sample passes."""
    DROPS = 2
    """The rest of one that was cancelled is dropped."""


class OneSample(wiring.Component):
    """A stream that lets a sample through when the one before it has left the core.

    What is left of a cancelled sample is dropped, a beat per cycle; the beat that passes in the cycle of the cancel is
    lost in the reset. After a reset nothing passes while something clears.

    Members
    -------
    i : In(stream of input beats)
    o : Out(stream of input beats)
    cancel : In(1)
        The sample that has begun to pass is cancelled in this cycle.
    finished : In(1)
        The last result of a sample leaves in this cycle.
    clears : In(1)
        Something is being given what a sample begins with: from the cycle after `cancel`, or `finished`, on.
    """

    i: Stream[InputBeat]
    o: Stream[InputBeat]
    cancel: Signal
    finished: Signal
    clears: Signal

    def __init__(self, plan: InputPlan) -> None:
        beats = stream.Signature(input_beat(plan))
        super().__init__({"i": In(beats), "o": Out(beats), "cancel": In(1), "finished": In(1), "clears": In(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        state = Signal(_State)
        inside = Signal()  # the sample that has begun to pass has not left yet
        ends = Signal()
        m.d.comb += [
            self.o.valid.eq(self.i.valid & (state == _State.OPEN)),
            self.i.ready.eq((self.o.ready & (state == _State.OPEN)) | (state == _State.DROPS)),
            Value.cast(self.o.payload).eq(Value.cast(self.i.payload)),
            ends.eq(self.i.valid & self.i.ready & (self.i.payload.marker == Marker.SAMPLE)),
        ]
        with m.If(self.finished):
            m.d.sync += inside.eq(0)
        with m.If((state == _State.SHUT) & ~inside & ~self.clears):
            m.d.sync += [state.eq(_State.OPEN), inside.eq(1)]
        with m.If(self.cancel & (state == _State.OPEN)):
            m.d.sync += state.eq(_State.DROPS)
        with m.If(ends):
            m.d.sync += state.eq(_State.SHUT)
        return m
