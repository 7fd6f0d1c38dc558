"""The position generator of a gathering walk: the taps of every word of a layer, step after step."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from snnc.compiler.plan import EnginePlan, ProjectionPlan, unsigned_bits
from snnc.rtl.beats import Tap, tap
from snnc.rtl.tables import constant_table, position_fields
from snnc.rtl.views import Stream
from snnc.rtl.walkers.gather.plan import GatherWalk
from snnc.rtl.walkers.image.circuit import Window, windows
from snnc.rtl.word_counter import WordCounter

__all__ = ["Walker"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begin:
    """The first tap of a word, its taps in either direction but the first, and the source rows that it needs."""

    needs: Value
    column: Value
    row: Value
    columns_left: Value
    rows_left: Value
    base: Value


class Walker(wiring.Component):
    """Visits the taps of all words of a unit in order: words by address, of each word the steps, of each step the taps
    by kernel row, kernel column and source word.

    Between two words there is a cycle in which no tap is offered: a word begins in it, or waits there until the rows
    of the source that it sees are complete. All that a tap is made of are registers. The walkers of an engine's several
    projections begin a word together (`snnc.rtl.walkers.gather.turns`).

    Parameters
    ----------
    engine
        The layer.
    projection
        With a `GatherWalk`, behind a spike map.
    unit
        Of the layer's, whose words these are.

    Members
    -------
    rows : In(range(source rows + 1))
        How many rows of the source are complete, in all steps of the sample.
    last_step : In(range(steps))
        The sample's last step; it counts once a row is complete.
    allow : In(1)
        A sample's first word may begin.
    o : Out(stream of `beats.tap`)
    release : Out(1)
        The sample's last tap moved on in the cycle before: nothing more of it will be read. Until then no word begins.
    could : Out(1)
        A word could begin (only where the engine has several projections), and
    may : In(1)
        does.
    """

    rows: Signal
    last_step: Signal
    allow: Signal
    o: Stream[Tap]
    release: Signal
    could: Signal
    may: Signal

    def __init__(self, engine: EnginePlan, projection: ProjectionPlan, unit: int = 0) -> None:
        walk, source, steps = projection.walk, projection.source_layout, projection.queue.steps
        assert isinstance(walk, GatherWalk)
        if steps is None:
            raise ValueError(f"Engine {engine.name!r} gathers spikes, which lie in a spike map")
        self._layout = engine.layout
        self._words = WordCounter(engine.layout, unit, engine.units)
        self._source = source
        self._walk = walk
        self._rows = windows(walk.kernel, 0, source.rows, engine.layout.rows)
        self._columns = windows(walk.kernel, 1, source.columns, engine.layout.columns)
        self._tap = tap([projection])
        self._together = len(engine.projections) > 1
        super().__init__(
            {
                "rows": In(range(source.rows + 1)),
                "last_step": In(unsigned_bits(steps - 1)),
                "allow": In(1),
                "o": Out(stream.Signature(self._tap)),
                "release": Out(1),
                **({"could": Out(1), "may": In(1)} if self._together else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        layout, source, kernel = self._layout, self._source, self._walk.kernel
        m.submodules.words = words = self._words
        group, column, row = position_fields(words.address, layout)
        begins = self._begins(m, group, column, row)

        # --- the tap; every field is a register ---
        out = self.o.payload
        valid, opening, first = Signal(), Signal(), Signal(init=1)
        step = Signal(len(self.last_step))
        source_group = Signal(range(source.groups)) if source.groups > 1 else Const(0, 1)
        source_column = Signal(unsigned_bits(source.columns - 1))
        source_row = Signal(unsigned_bits(source.rows - 1))
        rows_left, columns_left = (
            Signal(unsigned_bits(size - 1), name=name)
            for size, name in zip(kernel.size, ("rows_left", "columns_left"), strict=True)
        )
        base, start = Signal(len(out.base)), Signal(len(out.base))
        end_group, end_column, end_row = source_group == source.groups - 1, columns_left == 0, rows_left == 0
        last = Signal()
        position = Cat(
            source_group[: source.group_bits], source_column[: source.column_bits], source_row[: source.row_bits]
        )
        m.d.comb += [
            self.o.valid.eq(valid),
            # In the map a step's words begin at a power of two.
            out.address.eq(Cat(position, step)),
            out.base.eq(base),
            out.begins.eq(opening),
            last.eq(step == self.last_step),
            out.last.eq(last),
        ]

        # --- a word begins, or goes on to the next source word, column, row, step, word ---
        # Whether it does is known last: what follows depends on registers alone.
        begin, advance, ends_word, released = Signal(), Signal(), Signal(), Signal()
        plane = self._walk.row_stride * source.channels  # weight rows of a kernel position
        back = (source.groups - 1) * source.lanes
        lines = [(kernel.size[1] - w.taps + 1) * plane - back for w in self._columns]
        ends_column, ends_step = Signal(), Signal()
        could = ~released & (self.rows >= begins.needs) & (self.allow | ~first)
        if self._together:
            m.d.comb += [self.could.eq(could & ~valid), begin.eq(self.may)]
        else:
            m.d.comb += begin.eq(could)
        m.d.comb += [
            advance.eq(Mux(valid, self.o.ready, begin)),
            ends_column.eq(end_group & end_column),
            ends_step.eq(ends_column & end_row),
            out.ends.eq(ends_step),
            ends_word.eq(valid & ends_step & last),
        ]
        with m.If(advance):
            m.d.sync += [valid.eq(~ends_word), opening.eq(~valid)]
            with m.If(~valid | ends_column):
                m.d.sync += [source_column.eq(begins.column), columns_left.eq(begins.columns_left)]
            with m.Elif(end_group):
                m.d.sync += [source_column.eq(source_column + kernel.dilation[1]), columns_left.eq(columns_left - 1)]
            with m.If(~valid | ends_step):
                m.d.sync += [source_row.eq(begins.row), rows_left.eq(begins.rows_left)]
            with m.Elif(ends_column):
                m.d.sync += [source_row.eq(source_row + kernel.dilation[0]), rows_left.eq(rows_left - 1)]
            with m.If(~valid):
                m.d.sync += [first.eq(0), base.eq(begins.base), start.eq(begins.base)]
            with m.Else():
                further = Mux(
                    end_group, Mux(end_column, constant_table(m, "line", column, lines), plane - back), source.lanes
                )
                m.d.sync += base.eq(Mux(ends_step, start, base + further))
                if source.groups > 1:
                    m.d.sync += source_group.eq(Mux(end_group, 0, source_group + 1))
                with m.If(ends_step):
                    m.d.sync += step.eq(Mux(last, 0, step + 1))
                    with m.If(last):
                        m.d.sync += first.eq(words.last)
        m.d.comb += [words.step.eq(advance & ends_word), self.release.eq(released)]
        # What many wait for comes out of a register.
        m.d.sync += released.eq(words.step & words.last)
        return m

    def _begins(self, m: Module, group: Value, column: Value, row: Value) -> _Begin:
        """What a word begins with, from tables over its group, column and row."""
        kernel, channels = self._walk.kernel, self._source.channels
        rows, columns = self._rows, self._columns
        across = self._walk.row_stride * channels  # weight rows of a kernel position
        down = kernel.size[1] * across

        def needed(window: Window) -> int:
            return window.source + (window.taps - 1) * kernel.dilation[0] + 1

        return _Begin(
            # The map is given back with the last tap: by then its source must have written everything.
            needs=constant_table(m, "needs", row, [*(needed(w) for w in rows[:-1]), self._source.rows]),
            column=constant_table(m, "first_column", column, [w.source for w in columns]),
            row=constant_table(m, "first_row", row, [w.source for w in rows]),
            columns_left=constant_table(m, "column_taps", column, [w.taps - 1 for w in columns]),
            rows_left=constant_table(m, "row_taps", row, [w.taps - 1 for w in rows]),
            base=constant_table(m, "base_row", row, [w.kernel * down for w in rows])
            + constant_table(m, "base_column", column, [w.kernel * across for w in columns])
            + constant_table(m, "base_group", group, [k * channels for k in range(self._layout.groups)]),
        )
