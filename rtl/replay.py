"""A spike map's words as a stream of spike words, step after step."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import Out, connect, flipped

from snnc.compiler.plan import EnginePlan, ProjectionPlan
from snnc.rtl.beats import Marker, SpikeWord, spike_word
from snnc.rtl.queue import Queue
from snnc.rtl.spike_map import MapPort, MapReader, Reading
from snnc.rtl.tables import position_fields
from snnc.rtl.views import Stream
from snnc.rtl.word_counter import WordCounter

__all__ = ["Replay"]


class Replay(wiring.Component):
    """Reads a spike map in the order of steps, then of words, each as soon as its row is complete.

    A word a cycle, those without a spike and without a marker as well, which it leaves out. A register says whether the
    next word's row is complete, and a queue of two stands behind the memory: no path leads from what was read, or from
    who takes it, back to what is read next.

    Parameters
    ----------
    source
        The layer whose spikes they are.
    projection
        That hears them, with a spike map; perhaps with registers behind its memory.
    attempts
        Samples are computed in attempts: those that are asked for their answer end with `Marker.ANSWER`.

    Members
    -------
    port : Out(MapPort)
    o : Out(stream of spike words)
    """

    port: Reading
    o: Stream[SpikeWord]

    def __init__(self, source: EnginePlan, projection: ProjectionPlan, *, attempts: bool = False) -> None:
        self._source = source.layout
        self._registers = projection.queue.registers
        self._attempts = attempts
        super().__init__(
            {
                "port": Out(MapPort(projection, attempts=attempts)),
                "o": Out(stream.Signature(spike_word(source))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        port, layout = self.port, self._source
        m.submodules.words = words = WordCounter(layout)
        step = Signal.like(port.last_step)
        tag = data.StructLayout({"word": layout.address_bits, "marker": Marker})
        m.submodules.reader = reader = MapReader(len(port.address), layout.lanes, tag, registers=self._registers)
        given, read = reader.i.payload, reader.o.payload
        group, column, row = position_fields(words.address, layout)
        moves, last, complete, ends_row, ends_sample, released = (Signal() for _ in range(6))
        ends: Value = Value.cast(Marker.SAMPLE)
        if self._attempts:
            ends = Mux(port.asks, Marker.ANSWER, Marker.SAMPLE)
        m.d.comb += [
            last.eq(step == port.last_step),
            ends_row.eq((group == layout.groups - 1) & (column == layout.columns - 1)),
            reader.i.valid.eq(complete),
            moves.eq(reader.i.valid & reader.i.ready),
            words.step.eq(moves),
            ends_sample.eq(moves & words.last & last),
            # What many wait for comes out of a register.
            port.release.eq(released),
            given.address.eq(Cat(words.address[: layout.word_bits], step)),
            given.tag.word.eq(words.address),
            given.tag.marker.eq(Mux(words.last, Mux(last, ends, Marker.STEP), Marker.NONE)),
        ]
        reader.reads_from(m, port)
        with m.If(moves & words.last):
            m.d.sync += step.eq(Mux(last, 0, step + 1))
        m.d.sync += released.eq(ends_sample)
        # Whether the row of the next word is complete: a register, since whatever counts depends on it.
        with m.If(ends_sample | released):
            m.d.sync += complete.eq(0)
        with m.Else():
            m.d.sync += complete.eq(Mux(moves & ends_row, words.last | (port.rows > row + 1), port.rows > row))

        m.submodules.queue = queue = Queue(self.o.payload.shape(), 2)
        word = queue.i.payload
        m.d.comb += [
            queue.i.valid.eq(reader.o.valid & (read.mask.any() | (read.tag.marker != Marker.NONE))),
            reader.o.ready.eq(queue.i.ready),
            word.word.eq(read.tag.word),
            word.mask.eq(read.mask),
            word.marker.eq(read.tag.marker),
        ]
        connect(m, queue.o, flipped(self.o))
        return m
