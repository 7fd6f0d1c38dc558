"""The walker of convolutions."""

import itertools
from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import connect, flipped

from snnc.compiler.plan import EnginePlan, LayoutPlan, ProjectionPlan, unsigned_bits
from snnc.rtl.beats import EventBeat, Marker, event_beat
from snnc.rtl.queue import Queue
from snnc.rtl.tables import constant_table, position_fields
from snnc.rtl.walkers.convolution.plan import ConvolutionWalk
from snnc.rtl.walkers.members import walker_members

__all__ = ["Walker"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Axis:
    """What a source position reaches along one axis; tables over all source positions.

    The targets are ``first, first + target_step, ...``, `count` of them, through the kernel positions ``tap``,
    ``tap - tap_step``, ...
    """

    first: tuple[int, ...]
    tap: tuple[int, ...]
    count: tuple[int, ...]
    target_step: int
    tap_step: int

    @staticmethod
    def of(walk: ConvolutionWalk, axis: int, source: int, target: int) -> "_Axis":
        kernel = walk.kernel
        stride, dilation, padding = kernel.stride[axis], kernel.dilation[axis], kernel.padding[axis]
        reached = [
            [
                (position, (padded - position * stride) // dilation)
                for position in range(target)
                if (padded - position * stride) % dilation == 0
                and 0 <= (padded - position * stride) // dilation < kernel.size[axis]
            ]
            for padded in (place // walk.pool + padding for place in range(source))
        ]
        steps = {
            (after[0] - before[0], before[1] - after[1])
            for pairs in reached
            for before, after in itertools.pairwise(pairs)
        }
        ((target_step, tap_step),) = steps or {(0, 0)}
        return _Axis(
            first=tuple(pairs[0][0] if pairs else 0 for pairs in reached),
            tap=tuple(pairs[0][1] if pairs else 0 for pairs in reached),
            count=tuple(len(pairs) for pairs in reached),
            target_step=target_step,
            tap_step=tap_step,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Start:
    """Where the walk of a beat's event begins, and over how much it goes; all follow from the beat in its cycle."""

    group: Value
    column: Value
    row: Value
    weight_row: Value
    row_count: Value
    column_count: Value
    reaches: Value
    """There is an event, and anything to walk over."""


class _Place:
    """Registers: where the walk of an event is, what is left of it, and what a column, a row and a line begin with."""

    def __init__(self, layout: LayoutPlan, groups: int, start: _Start) -> None:
        self.walked = Signal(name="walked", reset_less=True)  # the beat's event is done
        self.group = Signal(unsigned_bits(layout.groups - 1), name="at_group", reset_less=True)
        self.column = Signal(unsigned_bits(layout.columns - 1), name="at_column", reset_less=True)
        self.row = Signal(unsigned_bits(layout.rows - 1), name="at_row", reset_less=True)
        self.start_group = Signal.like(self.group, name="start_group")
        self.start_column = Signal.like(self.column, name="start_column")
        self.groups_left = Signal(unsigned_bits(groups - 1), name="groups_left", reset_less=True)
        self.columns_left = Signal.like(start.column_count, name="columns_left", reset_less=True)
        self.start_columns_left = Signal.like(self.columns_left, name="start_columns_left")
        self.rows_left = Signal.like(start.row_count, name="rows_left", reset_less=True)
        self.weight_row = Signal.like(start.weight_row, name="weight_row", reset_less=True)
        self.line = Signal.like(self.weight_row, name="line")


_AHEAD = 2
"""Beats that wait for the one that is walked: two pass one a cycle on, with a handshake of registers alone."""


class Walker(wiring.Component):
    """An event touches the words of the positions that see it through the kernel.

    Cycle formula: per event, rows reached x columns reached x `row_stride` groups; 1 for a beat that reaches nothing.
    With column banks, so many columns at once (`EnginePlan.columns_at_once`) count as one. With `row_stride` 1 an
    operation may have to wait (`EnginePlan.waits`).

    Beats wait in a short queue of the walker's own; the oldest is decoded, to where it begins, while the one before is
    walked.

    Members
    -------
    i : In(stream of event beats)

    Further members are those of `walker_members`.
    """

    i: stream.Interface
    allow: Signal
    issue: Signal
    word: Signal
    row: Signal
    more: Signal
    marker: Signal
    done: Signal

    def __init__(self, engine: EnginePlan, projection: ProjectionPlan) -> None:
        self._engine = engine
        self._projection = projection
        walk = projection.walk
        assert isinstance(walk, ConvolutionWalk)
        self._walk = walk
        self._at_once = engine.columns_at_once(projection)
        self._rows = _Axis.of(walk, 0, projection.source_layout.rows, engine.layout.rows)
        self._columns = _Axis.of(walk, 1, projection.source_layout.columns, engine.layout.columns)
        super().__init__(walker_members(engine, projection, event_beat(projection.source_layout)))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        layout, at_once = self._engine.layout, self._at_once

        # --- the next beat, decoded; the queue keeps walking and decoding apart from what offers ---
        m.submodules.ahead = ahead = Queue(self.i.payload.shape(), _AHEAD)
        connect(m, flipped(self.i), ahead.i)
        beat, take = ahead.o.payload, ahead.o.ready
        start = self._decoded(m, beat)

        # --- the beat that is walked ---
        busy = Signal()
        marker = Signal(Marker, reset_less=True)
        at = _Place(layout, self._walk.row_stride, start)
        m.d.comb += [
            self.word.eq(
                Cat(at.group[: layout.group_bits], at.column[: layout.column_bits], at.row[: layout.row_bits])
            ),
            self.row.eq(at.weight_row),
            self.issue.eq(busy & ~at.walked & self.allow),
            self.marker.eq(Mux(busy & at.walked, marker, Marker.NONE)),
        ]
        last_columns = Signal()
        m.d.comb += last_columns.eq(at.columns_left < at_once if max(self._columns.count) > at_once else 1)
        if at_once > 1:
            m.d.comb += self.more.eq(Mux(last_columns, at.columns_left, at_once - 1))
        end_of_event = Signal()
        ends = Signal()
        m.d.comb += [
            end_of_event.eq((at.groups_left == 0) & last_columns & (at.rows_left == 0)),
            ends.eq(self.done | (self.issue & end_of_event & (marker == Marker.NONE))),
            take.eq(~busy | ends),
        ]
        with m.If(self.issue):
            self._go_on(m, at, last_columns)
        with m.If(take):
            m.d.sync += [
                busy.eq(ahead.o.valid & (start.reaches | (beat.marker != Marker.NONE))),
                at.walked.eq(~start.reaches),
                marker.eq(beat.marker),
            ]
            self._begin(m, at, start)
        return m

    def _decoded(self, m: Module, beat: EventBeat) -> _Start:
        """Where the walk of `beat` begins, from tables over the rows, columns and channels of the source."""
        walk, layout, source = self._walk, self._engine.layout, self._projection.source_layout
        rows, columns, groups = self._rows, self._columns, walk.row_stride
        group, column, row = position_fields(beat.address, source)
        channel = Signal(unsigned_bits(source.channels - 1))
        m.d.comb += channel.eq(group * source.lanes + beat.lane)
        first_group: Value = Const(0, 1)
        if groups < layout.groups:
            starts = [walk.first_group(c, source, layout) for c in range(source.channels)]
            first_group = constant_table(m, "first_group", channel, starts)
        first_row = constant_table(m, "first_row", row, rows.first)
        first_column = constant_table(m, "first_column", column, columns.first)
        row_count = constant_table(m, "row_count", row, rows.count)
        column_count = constant_table(m, "column_count", column, columns.count)
        row_offset = constant_table(m, "row_offset", row, [tap * self._line_rows for tap in rows.tap])
        column_offset = constant_table(m, "column_offset", column, [tap * groups for tap in columns.tap])
        begins = Signal.like(self.row)
        m.d.comb += begins.eq(channel * (walk.kernel.size[0] * self._line_rows) + row_offset + column_offset)
        return _Start(
            group=first_group,
            column=first_column,
            row=first_row,
            weight_row=begins,
            row_count=row_count,
            column_count=column_count,
            reaches=beat.event & (row_count != 0) & (column_count != 0),
        )

    @property
    def _line_rows(self) -> int:
        """Weight rows of a row of the kernel."""
        return self._walk.kernel.size[1] * self._walk.row_stride

    def _begin(self, m: Module, at: _Place, start: _Start) -> None:
        m.d.sync += [
            at.groups_left.eq(self._walk.row_stride - 1),
            at.columns_left.eq(start.column_count - 1),
            at.start_columns_left.eq(start.column_count - 1),
            at.rows_left.eq(start.row_count - 1),
            at.group.eq(start.group),
            at.start_group.eq(start.group),
            at.column.eq(start.column),
            at.start_column.eq(start.column),
            at.row.eq(start.row),
            at.weight_row.eq(start.weight_row),
            at.line.eq(start.weight_row),
        ]

    def _go_on(self, m: Module, at: _Place, last_columns: Value) -> None:
        """To the next group; after the last one to the next columns, and after the last of them to the next row."""
        groups, at_once = self._walk.row_stride, self._at_once
        rows, columns = self._rows, self._columns
        with m.If(at.groups_left != 0):
            m.d.sync += [
                at.groups_left.eq(at.groups_left - 1),
                at.group.eq(at.group + 1),
                at.weight_row.eq(at.weight_row + 1),
            ]
        with m.Elif(~last_columns):
            m.d.sync += [
                at.groups_left.eq(groups - 1),
                at.group.eq(at.start_group),
                at.columns_left.eq(at.columns_left - at_once),
                at.column.eq(at.column + at_once * columns.target_step),
                at.weight_row.eq(at.weight_row - (at_once * columns.tap_step * groups + groups - 1)),
            ]
        with m.Elif(at.rows_left != 0):
            m.d.sync += [
                at.groups_left.eq(groups - 1),
                at.group.eq(at.start_group),
                at.columns_left.eq(at.start_columns_left),
                at.column.eq(at.start_column),
                at.rows_left.eq(at.rows_left - 1),
                at.row.eq(at.row + rows.target_step),
                at.weight_row.eq(at.line - rows.tap_step * self._line_rows),
                at.line.eq(at.line - rows.tap_step * self._line_rows),
            ]
        with m.Else():
            m.d.sync += at.walked.eq(1)
