"""A sample's tensor, from memory into the core's input port."""

import functools
import operator

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from snnc.compiler.ir import Encoding
from snnc.compiler.plan import InputPlan
from snnc.rtl.beats import InputBeat, Marker, input_beat
from snnc.rtl.views import Stream

__all__ = ["Feeder", "sample_bytes"]

_BYTE = 8


def sample_bytes(plan: InputPlan, time_steps: int) -> int:
    """Bytes of a sample's tensor: one for each pixel, or in each step one for every eight places of spikes."""
    places = plan.layout.neurons
    return places if plan.encoding is Encoding.DIRECT else time_steps * -(-places // _BYTE)


class Feeder(wiring.Component):
    """Sends a sample once. Places go by row, column and channel, the channel fastest; of spikes, the lowest bit first.

    Parameters
    ----------
    plan
        The network's input.
    time_steps
        Of every sample.
    first
        Address of the sample's first byte.
    address_bits
        Of the memory.

    Members
    -------
    start : In(1)
        Begin; for one cycle.
    address, data : Out, In
        The memory's byte at the address of the cycle before.
    o : Out(stream of input beats)
    done : Out(1)
        The last beat passes.
    """

    start: Signal
    address: Signal
    data: Signal
    o: Stream[InputBeat]
    done: Signal

    def __init__(self, plan: InputPlan, time_steps: int, *, first: int, address_bits: int) -> None:
        self._plan = plan
        self._steps = time_steps
        self._first = first
        super().__init__(
            {
                "start": In(1),
                "address": Out(address_bits),
                "data": In(_BYTE),
                "o": Out(stream.Signature(input_beat(plan))),
                "done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pixels = self._plan.encoding is Encoding.DIRECT
        beat, layout = self.o.payload, self._plan.layout
        sizes = {"channel": layout.groups, "column": layout.columns, "row": layout.rows}
        if layout.lanes > 1:
            sizes = {"lane": layout.lanes, **sizes}
        counts = {name: Signal(range(size), name=name) for name, size in sizes.items()}
        step, bit = Signal(range(max(self._steps, 2))), Signal(range(_BYTE))
        byte = Signal(_BYTE)
        last, final, moves, offered = Signal(), Signal(), Signal(), Signal()
        ends: dict[str, Value] = {name: count == sizes[name] - 1 for name, count in counts.items()}
        m.d.comb += [
            last.eq(functools.reduce(operator.and_, ends.values())),
            final.eq(step == self._steps - 1),
            self.done.eq(self.o.valid & self.o.ready & (beat.marker == Marker.SAMPLE)),
        ]
        marker = Mux(final, Const(Marker.SAMPLE.value, 2), Const(Marker.STEP.value, 2))
        at = 0
        for name in ("channel", "column", "row"):
            width = (sizes[name] - 1).bit_length()
            m.d.comb += Value.cast(beat.address)[at : at + width].eq(counts[name])
            at += width
        fires = byte[0]
        if pixels:
            fires, value = byte.any(), Value.cast(byte)
            if layout.lanes > 1:
                bits = self._plan.value_bits
                held = Signal((layout.lanes - 1) * bits)
                value = Cat(held, byte[:bits])
                fires = value.any() & ends["lane"]
                with m.If(moves):
                    m.d.sync += held.eq(value[bits:])
            m.d.comb += beat.value.eq(value)
        with m.If(moves):
            carried: Value = Const(1)
            for name, count in counts.items():
                with m.If(carried):
                    m.d.sync += count.eq(Mux(ends[name], 0, count + 1))
                carried = carried & ends[name]
            m.d.sync += [bit.eq(bit + 1), byte.eq(byte >> 1)]
            with m.If(last):
                m.d.sync += [bit.eq(0), step.eq(Mux(final, 0, step + 1))]
        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += self.address.eq(self._first)
                with m.If(self.start):
                    m.next = "READ"
            with m.State("READ"):
                m.next = "TAKE"
            with m.State("TAKE"):
                m.d.sync += [byte.eq(self.data), self.address.eq(self.address + 1)]
                m.next = "GIVE"
            with m.State("GIVE"):
                # Pixels of 0, and a place without a spike, are sent only where something ends with them.
                m.d.comb += [offered.eq(fires), self.o.valid.eq(offered | last)]
                m.d.comb += [beat.event.eq(offered), Value.cast(beat.marker).eq(Mux(last, marker, 0))]
                with m.If(self.o.ready | ~self.o.valid):
                    m.d.comb += moves.eq(1)
                    if pixels:
                        m.next = "READ"
                        with m.If(last):
                            m.next = "STEPS" if self._steps > 1 else "IDLE"
                    else:
                        with m.If((bit == _BYTE - 1) | last):
                            m.next = "READ"
                        with m.If(last & final):
                            m.next = "IDLE"
            if pixels and self._steps > 1:
                with m.State("STEPS"):
                    m.d.comb += [self.o.valid.eq(1), Value.cast(beat.marker).eq(marker)]
                    with m.If(self.o.ready):
                        m.d.sync += step.eq(Mux(final, 0, step + 1))
                        with m.If(final):
                            m.next = "IDLE"
        return m
