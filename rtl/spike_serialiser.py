"""Spike words to single events."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from snnc.compiler.plan import ProjectionPlan
from snnc.rtl.beats import EventBeat, Marker, SpikeWord, event_beat
from snnc.rtl.views import Payload, Stream

__all__ = ["SpikeSerialiser", "at_most_one", "lowest_set_bit"]


def lowest_set_bit(mask: Value) -> tuple[Value, Value]:
    """One-hot of the lowest set bit of `mask`, and the index of that bit (meaningless if there is none).

    Both are trees of logarithmic depth: rippling from bit to bit would be the longest path of a core.
    """
    below: list[Value] = [Const(0, 1)]
    for k in range(1, len(mask)):
        below.append(mask[:k].any())
    onehot = Cat(mask[k] & ~below[k] for k in range(len(mask)))

    def any_and_index(part: Value) -> tuple[Value, list[Value]]:
        if len(part) == 1:
            return part[0], []
        middle = 1 << ((len(part) - 1).bit_length() - 1)
        low_any, low = any_and_index(part[:middle])
        high_any, high = any_and_index(part[middle:])
        high += [Const(0, 1)] * (len(low) - len(high))
        return low_any | high_any, [*(Mux(low_any, a, b) for a, b in zip(low, high, strict=True)), ~low_any]

    return onehot, Cat(any_and_index(mask)[1]) if len(mask) > 1 else Const(0, 1)


def at_most_one(bits: Value) -> Value:
    """Whether no two of `bits` are set: a tree, not the ripple that removing the lowest bit would make."""

    def any_and_many(part: Value) -> tuple[Value, Value]:
        if len(part) == 1:
            return part[0], Const(0, 1)
        middle = len(part) // 2
        low_any, low_many = any_and_many(part[:middle])
        high_any, high_many = any_and_many(part[middle:])
        return low_any | high_any, low_many | high_many | (low_any & high_any)

    return ~any_and_many(bits)[1]


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
        lanes = self._plan.source_layout.lanes
        busy = Signal()
        word = Signal.like(self.i.payload.word, reset_less=True)
        marker = Signal(Marker, reset_less=True)
        event = Signal(reset_less=True)
        index = Signal.like(self.o.payload.lane, reset_less=True)
        rest = Signal(lanes, reset_less=True)  # without the bit of `index`
        final = Signal(reset_less=True)

        m.d.comb += [
            self.o.valid.eq(busy),
            self.o.payload.address.eq(word),
            self.o.payload.lane.eq(index),
            self.o.payload.event.eq(event),
            self.i.ready.eq(~busy | (self.o.ready & final)),
        ]
        with m.If(final):
            m.d.comb += self.o.payload.marker.eq(marker)
        with m.If(self.i.ready):
            m.d.sync += [
                busy.eq(self.i.valid),
                word.eq(self.i.payload.word),
                marker.eq(self.i.payload.marker),
                event.eq(self.i.payload.mask.any()),
            ]
        # All that is offered is a register: the search for a bit is that for the next one. Where the next word's bits
        # would follow is known early; whether they do, late, and that only lets the registers change.
        left = Signal(lanes)
        m.d.comb += left.eq(Mux(~busy | final, self.i.payload.mask, rest))
        onehot, found = lowest_set_bit(left)
        with m.If(~busy | self.o.ready):
            m.d.sync += [index.eq(found), rest.eq(left & ~onehot), final.eq(at_most_one(left))]
        return m
