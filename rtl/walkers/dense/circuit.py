"""The walker of all-to-all synapses."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import Out, connect, flipped

from snnc.compiler.plan import EnginePlan, LayoutPlan, ProjectionPlan, unsigned_bits
from snnc.rtl.beats import Marker, digit_beat, event_beat
from snnc.rtl.queue import Queue
from snnc.rtl.tables import constant_table, position_fields
from snnc.rtl.walkers.dense.plan import DenseWalk
from snnc.rtl.walkers.members import walker_members
from snnc.rtl.word_counter import WordCounter

__all__ = ["Walker", "joined", "source_index", "word_number"]


class Walker(wiring.Component):
    """Every event touches all words of the target.

    Cycle formula: ``W = engine.words`` per event; 1 for a beat with neither event nor marker (`docs/timing.md`).

    When a beat with a marker leaves depends on all of the engine. Behind a map whose block RAM is late a queue of two
    keeps that from the serialiser and from what is in front of it, which are as wide as a spike word.

    Members
    -------
    i : In(stream of event beats, or of digit beats after a direct-encoded source)
    shift, negative : Out
        Of the digit (only after a direct-encoded source).

    Further members are those of `walker_members`.
    """

    i: stream.Interface
    allow: Signal
    issue: Signal
    word: Signal
    row: Signal
    marker: Signal
    done: Signal
    shift: Signal
    negative: Signal

    def __init__(self, engine: EnginePlan, projection: ProjectionPlan) -> None:
        self._engine = engine
        self._projection = projection
        digits, source = projection.digits, projection.source_layout
        beat = digit_beat(source, digits.value_bits) if digits else event_beat(source)
        of_digits = {"shift": Out(unsigned_bits(digits.value_bits)), "negative": Out(1)} if digits else {}
        super().__init__(walker_members(engine, projection, beat) | of_digits)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        walk, layout = self._projection.walk, self._engine.layout
        assert isinstance(walk, DenseWalk)
        stride = walk.row_stride
        given: stream.Interface = self.i
        if self._projection.buffered:
            m.submodules.queue = queue = Queue(given.payload.shape(), 2)
            connect(m, flipped(given), queue.i)
            given = queue.o
        beat = given.payload
        has_marker = Signal()
        walked = Signal()  # the beat's event is done
        m.submodules.words = words = WordCounter(layout)
        number = word_number(m, layout, words)
        index = source_index(m, beat.address, beat.lane, self._projection.source_layout, walk.pool)
        m.d.comb += [self.word.eq(words.address), self.row.eq(joined(index, stride, number))]
        if self._projection.digits is not None:
            m.d.comb += [self.shift.eq(beat.shift), self.negative.eq(beat.negative)]

        event = Signal()
        ends = Signal()
        m.d.comb += [
            has_marker.eq(beat.marker != Marker.NONE),
            event.eq(given.valid & beat.event & ~walked),
            self.issue.eq(event & self.allow),
            words.step.eq(self.issue),
            ends.eq(self.issue & words.last),
            self.marker.eq(Mux(given.valid & ~event, beat.marker, Marker.NONE)),
            # A beat without anything takes a cycle in which nothing is issued.
            given.ready.eq(Mux(has_marker, self.done, ends | (~beat.event & self.allow))),
        ]
        with m.If(self.done):
            m.d.sync += walked.eq(0)
        with m.Elif(ends & has_marker):
            m.d.sync += walked.eq(1)
        return m


def word_number(m: Module, layout: LayoutPlan, words: WordCounter) -> Value:
    """The number of the word that is counted: addresses have gaps, weight rows have none."""
    if layout.depth == layout.words:
        return words.address
    number = Signal(range(layout.words))
    with m.If(words.step):
        m.d.sync += number.eq(number + 1)
        with m.If(words.last):
            m.d.sync += number.eq(0)
    return number


def source_index(m: Module, address: Value, lane: Value, source: LayoutPlan, pool: int) -> Value:
    """``(position * groups + group) * lanes + lane`` of the pooled source (`DenseWalk`)."""
    group, column, row = position_fields(address, source)
    if pool > 1:
        column = constant_table(m, "pooled_column", column, [x // pool for x in range(source.columns)])
        row = constant_table(m, "pooled_row", row, [y // pool for y in range(source.rows)])
        column = column[: (source.columns // pool - 1).bit_length()]
    word = joined(Cat(column, row), source.groups, group)
    return word if source.lanes == 1 else joined(word, source.lanes, lane)


def joined(high: Value, base: int, low: Value) -> Value:
    """``high * base + low`` with ``low < base``: a concatenation where it can be one."""
    if base & (base - 1) == 0:
        return Cat(low[: base.bit_length() - 1], high)
    return high * base + low if len(high) else low
