"""Spike words to single events."""

import functools
import operator

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from snnc.compiler.plan import ProjectionPlan
from snnc.rtl.beats import EventBeat, Marker, SpikeWord, event_beat
from snnc.rtl.views import Payload, Stream

__all__ = ["BYTE", "SpikeSerialiser", "at_most_one", "lowest_set_bit"]

BYTE = 8
"""Lanes that are searched for a spike at a time where a search has two levels."""


def lowest_set_bit(m: Module, mask: Value) -> tuple[Value, Value]:
    """One-hot of the lowest set bit of `mask`, and the index of that bit (meaningless if there is none).

    Both are trees of logarithmic depth: rippling from bit to bit would be the longest path of a core. A level of a tree
    is one operation on all its nodes, which is a fraction of the text that one for each would be.
    """
    onehot = mask & ~Cat(Const(0, 1), *(mask[:k].any() for k in range(1, len(mask))))
    found, index = mask, list[Value]()
    while len(found) > 1:
        low, high = _pairs(found)
        index = [_level(m, "index", (low & of_low) | (~low & of_high)) for of_low, of_high in map(_pairs, index)]
        index.append(_level(m, "index", ~low))
        found = _level(m, "any", low | high)
    return onehot, Cat(index) if index else Const(0, 1)


def at_most_one(m: Module, bits: Value, size: int | None = None) -> Value:
    """Of each `size` of the bits (a power of two; by default of all), whether no two are set; the lowest first.

    A tree as above, not the ripple that removing the lowest bit would make.
    """
    found: Value = bits
    many: Value = Const(0, len(bits))
    for _ in range(((size or len(bits)) - 1).bit_length()):
        low, high = _pairs(found)
        many = _level(m, "many", functools.reduce(operator.or_, _pairs(many)) | (low & high))
        found = _level(m, "any", low | high)
    return ~many


def _pairs(values: Value) -> tuple[Value, Value]:
    """The even bits, and the odd ones: the lower and the upper of each pair, to the last of which a 0 may be added."""
    even = Cat(values, Const(0, len(values) % 2))
    return even[0::2], even[1::2]


def _level(m: Module, name: str, value: Value) -> Signal:
    """A level of a tree as a signal: what is used several times is written down once."""
    signal = Signal(len(value), name=f"{name}{len(value)}")
    m.d.comb += signal.eq(value)
    return signal


class SpikeSerialiser(wiring.Component):
    """Offers one event beat per set bit of a spike word, lowest first; the marker rides on the last one.

    One beat a cycle, also from one word to the next. A word without a set bit gives one beat without an event.

    Parameters
    ----------
    plan
        The projection whose source the spikes come from.
    word_shape
        Layout of a spike word (`beats.spike_word` of the source).

    Members
    -------
    i : In(stream of spike words)
    o : Out(stream of event beats)
    """

    i: Stream[SpikeWord]
    o: Stream[EventBeat]

    def __init__(self, plan: ProjectionPlan, word_shape: Payload[SpikeWord]) -> None:
        self._plan = plan
        super().__init__(
            {"i": In(stream.Signature(word_shape)), "o": Out(stream.Signature(event_beat(plan.source_layout)))}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        index = Signal.like(self.o.payload.lane, reset_less=True)
        rest = Signal(self._plan.source_layout.lanes, reset_less=True)  # without the bit of `index`
        final = Signal(reset_less=True)
        busy = self._hold_word(m, index, final, self.i.payload.mask.any())
        # All that is offered is a register: the search for a bit is that for the next one. Where the next word's bits
        # would follow is known early; whether they do, late, and that only lets the registers change.
        left = Signal(len(rest))
        m.d.comb += left.eq(Mux(~busy | final, self.i.payload.mask, rest))
        onehot, found = lowest_set_bit(m, left)
        few = at_most_one(m, left)
        with m.If(~busy | self.o.ready):
            m.d.sync += [index.eq(found), rest.eq(left & ~onehot), final.eq(few)]
        return m

    def _hold_word(self, m: Module, lane: Value, final: Value, any_spike: Value) -> Signal:
        """Hold a word, and offer its spike in `lane`, until the `final` one has left; whether one is held."""
        given = self.i.payload
        busy = Signal()
        word = Signal.like(given.word, reset_less=True)
        marker = Signal(Marker, reset_less=True)
        event = Signal(reset_less=True)
        m.d.comb += [
            self.o.valid.eq(busy),
            self.o.payload.address.eq(word),
            self.o.payload.lane.eq(lane),
            self.o.payload.event.eq(event),
            self.i.ready.eq(~busy | (self.o.ready & final)),
        ]
        with m.If(final):
            m.d.comb += self.o.payload.marker.eq(marker)
        with m.If(self.i.ready):
            m.d.sync += [busy.eq(self.i.valid), word.eq(given.word), marker.eq(given.marker), event.eq(any_spike)]
        return busy
