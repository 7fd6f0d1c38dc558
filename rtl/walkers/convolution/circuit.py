"""The walker of convolutions."""

import itertools
from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import connect, flipped

from snnc.compiler.plan import EnginePlan, ProjectionPlan, unsigned_bits
from snnc.rtl.beats import Marker, event_beat
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
        super().__init__(walker_members(engine, projection, event_beat(projection.source_layout)))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        projection, layout = self._projection, self._engine.layout
        walk = projection.walk
        assert isinstance(walk, ConvolutionWalk)
        kernel = walk.kernel
        groups, at_once = walk.row_stride, self._engine.columns_at_once(projection)
        rows = _Axis.of(walk, 0, projection.source_layout.rows, layout.rows)
        columns = _Axis.of(walk, 1, projection.source_layout.columns, layout.columns)

        # --- the next beat, decoded; the queue keeps walking and decoding apart from what offers ---
        m.submodules.ahead = ahead = Queue(self.i.payload.shape(), _AHEAD)
        connect(m, flipped(self.i), ahead.i)
        beat, take = ahead.o.payload, ahead.o.ready
        group, column, row = position_fields(beat.address, projection.source_layout)
        channel = Signal(unsigned_bits(projection.source_layout.channels - 1))
        m.d.comb += channel.eq(group * projection.source_layout.lanes + beat.lane)
        line_rows = kernel.size[1] * groups  # weight rows of a row of the kernel
        first_group: Value = Const(0, 1)
        if groups < layout.groups:
            source = projection.source_layout
            starts = [walk.first_group(c, source, layout) for c in range(source.channels)]
            first_group = constant_table(m, "first_group", channel, starts)
        first_row = constant_table(m, "first_row", row, rows.first)
        first_column = constant_table(m, "first_column", column, columns.first)
        row_count = constant_table(m, "row_count", row, rows.count)
        column_count = constant_table(m, "column_count", column, columns.count)
        row_offset = constant_table(m, "row_offset", row, [tap * line_rows for tap in rows.tap])
        column_offset = constant_table(m, "column_offset", column, [tap * groups for tap in columns.tap])
        begins = Signal.like(self.row)
        m.d.comb += begins.eq(channel * (kernel.size[0] * line_rows) + row_offset + column_offset)
        reaches = beat.event & (row_count != 0) & (column_count != 0)

        # --- the beat that is walked ---
        busy = Signal()
        walked = Signal(reset_less=True)  # the beat's event is done
        marker = Signal(Marker, reset_less=True)
        at_group = Signal(unsigned_bits(layout.groups - 1), reset_less=True)
        at_column = Signal(unsigned_bits(layout.columns - 1), reset_less=True)
        at_row = Signal(unsigned_bits(layout.rows - 1), reset_less=True)
        start_group = Signal.like(at_group)
        start_column = Signal.like(at_column)
        groups_left = Signal(unsigned_bits(groups - 1), reset_less=True)
        columns_left = Signal.like(column_count, reset_less=True)
        start_columns_left = Signal.like(columns_left)
        rows_left = Signal.like(row_count, reset_less=True)
        weight_row = Signal.like(self.row, reset_less=True)
        line = Signal.like(weight_row)

        m.d.comb += [
            self.word.eq(
                Cat(at_group[: layout.group_bits], at_column[: layout.column_bits], at_row[: layout.row_bits])
            ),
            self.row.eq(weight_row),
            self.issue.eq(busy & ~walked & self.allow),
            self.marker.eq(Mux(busy & walked, marker, Marker.NONE)),
        ]
        last_columns = Signal()
        m.d.comb += last_columns.eq(columns_left < at_once if max(columns.count) > at_once else 1)
        if at_once > 1:
            m.d.comb += self.more.eq(Mux(last_columns, columns_left, at_once - 1))
        end_of_event = Signal()
        ends = Signal()
        m.d.comb += [
            end_of_event.eq((groups_left == 0) & last_columns & (rows_left == 0)),
            ends.eq(self.done | (self.issue & end_of_event & (marker == Marker.NONE))),
            take.eq(~busy | ends),
        ]

        with m.If(self.issue):
            with m.If(groups_left != 0):
                m.d.sync += [
                    groups_left.eq(groups_left - 1),
                    at_group.eq(at_group + 1),
                    weight_row.eq(weight_row + 1),
                ]
            with m.Elif(~last_columns):
                m.d.sync += [
                    groups_left.eq(groups - 1),
                    at_group.eq(start_group),
                    columns_left.eq(columns_left - at_once),
                    at_column.eq(at_column + at_once * columns.target_step),
                    weight_row.eq(weight_row - (at_once * columns.tap_step * groups + groups - 1)),
                ]
            with m.Elif(rows_left != 0):
                m.d.sync += [
                    groups_left.eq(groups - 1),
                    at_group.eq(start_group),
                    columns_left.eq(start_columns_left),
                    at_column.eq(start_column),
                    rows_left.eq(rows_left - 1),
                    at_row.eq(at_row + rows.target_step),
                    weight_row.eq(line - rows.tap_step * line_rows),
                    line.eq(line - rows.tap_step * line_rows),
                ]
            with m.Else():
                m.d.sync += walked.eq(1)

        with m.If(take):
            m.d.sync += [
                busy.eq(ahead.o.valid & (reaches | (beat.marker != Marker.NONE))),
                walked.eq(~reaches),
                marker.eq(beat.marker),
                groups_left.eq(groups - 1),
                columns_left.eq(column_count - 1),
                start_columns_left.eq(column_count - 1),
                rows_left.eq(row_count - 1),
                at_group.eq(first_group),
                start_group.eq(first_group),
                at_column.eq(first_column),
                start_column.eq(first_column),
                at_row.eq(first_row),
                weight_row.eq(begins),
                line.eq(begins),
            ]
        return m
