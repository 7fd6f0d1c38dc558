"""The spikes of a layer in block RAM, for what is behind it to read in an order of its own."""

from typing import Protocol

from amaranth.hdl import Cat, Module, ShapeLike, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out

from snnc.compiler.plan import EnginePlan, LayoutPlan, QueuePlan, unsigned_bits
from snnc.rtl.beats import MapWrite, map_write
from snnc.rtl.memories import block_ram
from snnc.rtl.views import Stream

__all__ = ["MapPort", "MapReader", "Reading", "SpikeMap"]


class MapPort(wiring.Signature):
    """How a spike map is read.

    Members
    -------
    address : Out(range(depth))
        ``{step, word}``.
    reads : Out(1)
        Read there.
    data : In(lanes)
        The spike word that was read last, before this cycle.
    rows : In(range(source rows + 1))
        Rows that are complete, in all steps of the sample; they are complete in order.
    last_step : In(range(steps))
        The sample's last step; it counts once a row is complete.
    release : Out(1)
        Nothing more of the sample will be read.
    """

    def __init__(self, source: LayoutPlan, queue: QueuePlan) -> None:
        assert queue.steps is not None
        super().__init__(
            {
                "address": Out(unsigned_bits(queue.depth - 1)),
                "reads": Out(1),
                "data": In(source.lanes),
                "rows": In(range(source.rows + 1)),
                "last_step": In(unsigned_bits(queue.steps - 1)),
                "release": Out(1),
            }
        )


class Reading(Protocol):
    """An interface of `MapPort`."""

    signature: MapPort
    address: Value
    reads: Value
    data: Value
    rows: Value
    last_step: Value
    release: Value


class SpikeMap(wiring.Component):
    """Holds the spikes of one sample: a word for every step of every word of the source.

    The counter of complete rows is the only handshake. A word can be read in the cycle after the one in which it is
    written; `rows` counts it then.

    Parameters
    ----------
    source
        The layer whose spikes they are.
    queue
        The map, in the plan of the projection that reads it.

    Members
    -------
    i : In(stream of `beats.map_write`)
        Always ready: who writes waits for `left` before the next sample.
    port : In(MapPort)
    left : Out(1)
        The sample has been read.
    """

    i: Stream[MapWrite]
    port: Reading
    left: Signal

    def __init__(self, source: EnginePlan, queue: QueuePlan) -> None:
        assert queue.steps is not None
        self._source = source.layout
        self._depth = queue.depth
        super().__init__(
            {
                "i": In(stream.Signature(map_write(source, queue.steps), always_ready=True)),
                "port": In(MapPort(source.layout, queue)),
                "left": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        port, beat = self.port, self.i.payload
        rows, last_step = Signal.like(port.rows), Signal.like(port.last_step)
        word = block_ram(
            m,
            "memory",
            width=self._source.lanes,
            depth=self._depth,
            read=port.address,
            reads=port.reads,
            write=self.i.valid,
            write_address=Cat(beat.word[: self._source.word_bits], beat.step),
            value=beat.mask,
        )
        m.d.comb += [port.data.eq(word), port.rows.eq(rows), port.last_step.eq(last_step), self.left.eq(port.release)]
        with m.If(self.i.valid & beat.final):
            m.d.sync += last_step.eq(beat.step)
        with m.If(port.release):
            m.d.sync += rows.eq(0)
        with m.Elif(self.i.valid & beat.completes):
            m.d.sync += rows.eq(rows + 1)
        return m


class MapReader(wiring.Component):
    """Addresses to spike words, one a cycle: what is offered in a cycle is read, and offered from the next one on.

    Parameters
    ----------
    address_bits, lanes
        Of the memory.
    tag
        What goes along with a word: the shape of the payloads' further field.
    late
        A register behind the memory: words are offered a cycle later.

    Members
    -------
    i : In(stream of ``{address, tag}``)
    o : Out(stream of ``{mask, tag}``)
    address : Out(address_bits)
        To the memory, which is read where `reads` is 1;
    reads : Out(1)
    data : In(lanes)
        what it held there, from the cycle after on.
    """

    i: stream.Interface
    o: stream.Interface
    address: Signal
    reads: Signal
    data: Signal

    def __init__(self, address_bits: int, lanes: int, tag: ShapeLike, *, late: bool) -> None:
        self._late = late
        super().__init__(
            {
                "i": In(stream.Signature(StructLayout({"address": address_bits, "tag": tag}))),
                "o": Out(stream.Signature(StructLayout({"mask": lanes, "tag": tag}))),
                "address": Out(address_bits),
                "reads": Out(1),
                "data": In(lanes),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        given, out = self.i.payload, self.o.payload
        read, tag = Signal(), Signal.like(given.tag, reset_less=True)
        leaves = Signal()
        # While a word waits nothing else is read.
        m.d.comb += [self.i.ready.eq(~read | leaves), self.address.eq(given.address), self.reads.eq(self.i.ready)]
        with m.If(self.i.ready):
            m.d.sync += [read.eq(self.i.valid), tag.eq(given.tag)]
        if not self._late:
            m.d.comb += [self.o.valid.eq(read), out.mask.eq(self.data), out.tag.eq(tag), leaves.eq(self.o.ready)]
            return m
        valid, word, its_tag = Signal(), Signal.like(self.data, reset_less=True), Signal.like(tag, reset_less=True)
        m.d.comb += [
            leaves.eq(~valid | self.o.ready),
            self.o.valid.eq(valid),
            out.mask.eq(word),
            out.tag.eq(its_tag),
        ]
        with m.If(leaves):
            m.d.sync += [valid.eq(read), word.eq(self.data), its_tag.eq(tag)]
        return m
