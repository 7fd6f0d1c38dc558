"""A delay between a population's spikes and their effect."""

from enum import unique

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import enum, stream, wiring
from amaranth.lib.wiring import In, Out

from snnc.compiler.plan import EnginePlan
from snnc.rtl.beats import Marker, SpikeWord, spike_word
from snnc.rtl.views import Stream

__all__ = ["Delay"]


_MOST_LEFT = 3
"""Samples of which something may be left to be dropped at the same time."""


@unique
class _State(enum.Enum, shape=2):
    CLOSED = 0
    """The step's spikes have passed."""
    LEAD = 1
    """Gives a step without spikes."""
    PASS = 2
    """Gives the source's next step."""


class Delay(wiring.Component):
    """Hands on a source's steps `delay` steps later: the first ones are empty, and a sample's last ones are dropped.

    One step is given for each step of the engine that listens, and none ahead of it: only that engine knows which step
    is a sample's last. Empty steps are given while earlier samples are being dropped, but for the third.

    Parameters
    ----------
    source
        The population whose spikes they are.
    delay
        In time steps, at least 1.

    Members
    -------
    i : In(stream of spike words)
    o : Out(stream of spike words)
    step : In(1)
        The engine that listens has come to the end of a step;
    sample : In(1)
        it is the sample's last one.
    """

    i: Stream[SpikeWord]
    o: Stream[SpikeWord]
    step: Signal
    sample: Signal

    def __init__(self, source: EnginePlan, delay: int) -> None:
        if delay < 1:
            raise ValueError(f"A delay must be at least 1 step, not {delay!r}")
        self._delay = delay
        word = stream.Signature(spike_word(source))
        super().__init__({"i": In(word), "o": Out(word), "step": In(1), "sample": In(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        state = Signal(_State, init=_State.LEAD)
        given = Signal(range(self._delay + 1), init=1)  # empty steps of this sample, the one at hand included
        # Samples that have left something to be dropped: the engine may be ahead of a source that stands behind it.
        left = Signal(range(_MOST_LEFT + 1))
        drops = left != 0
        word, out = self.i.payload, self.o.payload
        m.d.comb += [out.word.eq(word.word), out.mask.eq(word.mask), out.marker.eq(word.marker)]
        with m.Switch(state):
            with m.Case(_State.LEAD):
                m.d.comb += [self.o.valid.eq(left != _MOST_LEFT), out.mask.eq(0), out.marker.eq(Marker.STEP)]
            with m.Case(_State.PASS):
                m.d.comb += self.o.valid.eq(self.i.valid & ~drops)
        m.d.comb += self.i.ready.eq(drops | ((state == _State.PASS) & self.o.ready))
        with m.If(self.o.valid & self.o.ready & (out.marker != Marker.NONE)):
            m.d.sync += state.eq(_State.CLOSED)
        dropped = drops & self.i.valid & (word.marker == Marker.SAMPLE)
        m.d.sync += left.eq(left + (self.step & self.sample) - dropped)
        with m.If(self.step):
            leads = self.sample | (given != self._delay)
            m.d.sync += state.eq(Mux(leads, _State.LEAD, _State.PASS))
            with m.If(self.sample):
                m.d.sync += given.eq(1)
            with m.Elif(leads):
                m.d.sync += given.eq(given + 1)
        return m
