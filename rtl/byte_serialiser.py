"""Wide spike words to single events, through a search that is no deeper than that of a byte."""

import functools
import operator

from amaranth.hdl import Cat, Module, Mux, Signal

from snnc.rtl.spike_serialiser import BYTE, SpikeSerialiser, at_most_one, lowest_set_bit

__all__ = ["ByteSerialiser"]


class ByteSerialiser(SpikeSerialiser):
    """A `SpikeSerialiser`, cycle for cycle, that stands in front of a queue: what it offers comes out of a search.

    The lowest spike of every byte is found beside the lowest byte with a spike. That a spike is its byte's or the
    word's last, and which bytes remain when it has gone, is in registers or follows from them beside all that: nothing
    waits for the search, and no path goes through all lanes one after the other. A `SpikeSerialiser` offers a register
    instead, whose value the search through all lanes is for.
    """

    def elaborate(self, platform: object) -> Module:
        m = Module()
        lanes = self._plan.source_layout.lanes
        starts = range(0, lanes, BYTE)
        given = self.i.payload
        # The spikes that are still to be offered; which bytes have any, whether one at most has, and which have one at
        # most.
        rest = Signal(lanes, reset_less=True)
        filled = Signal(len(starts), reset_less=True)
        alone = Signal(reset_less=True)
        single = Signal(len(starts), reset_less=True)

        first, number = lowest_set_bit(m, filled)
        searched = [lowest_set_bit(m, rest[at : at + BYTE]) for at in starts]
        # As signals: an expression would be written down again wherever a bit of it is used.
        byte, lowest = Signal.like(filled), Signal.like(rest)
        m.d.comb += [byte.eq(first), lowest.eq(Cat(bit for bit, _ in searched))]
        index = functools.reduce(operator.or_, (Mux(byte[k], found, 0) for k, (_, found) in enumerate(searched)))
        lane = index if len(starts) == 1 else Cat(index[: BYTE.bit_length() - 1], number)
        final = Signal()
        m.d.comb += final.eq(alone & single.all())
        given_filled = Cat(given.mask[at : at + BYTE].any() for at in starts)
        busy = self._hold_word(m, lane, final, given_filled.any())

        left = rest & ~(lowest & Cat(byte[at // BYTE] for at in range(lanes)))
        emptied = byte & single
        # Whether the next word follows is known early; whether anything moves, late, and that only lets registers
        # change.
        with m.If(~busy | self.o.ready):
            with m.If(~busy | final):
                m.d.sync += [
                    rest.eq(given.mask),
                    filled.eq(given_filled),
                    alone.eq(at_most_one(m, given_filled)),
                    single.eq(at_most_one(m, given.mask, BYTE)),
                ]
            with m.Else():
                m.d.sync += [
                    rest.eq(left),
                    filled.eq(filled & ~emptied),
                    alone.eq(Mux(emptied.any(), at_most_one(m, filled & ~byte), alone)),
                    single.eq(single | (byte & at_most_one(m, rest & ~lowest, BYTE))),
                ]
        return m
