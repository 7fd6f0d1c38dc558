"""The walker of all-to-all synapses."""

from enum import unique
from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out

from snnc.compiler.plan import EnginePlan, LayoutPlan, ProjectionPlan
from snnc.rtl.beats import Marker, OperationKind, digit_beat, event_beat, operation
from snnc.rtl.tables import constant_table, position_fields
from snnc.rtl.word_counter import WordCounter

__all__ = ["DenseWalker"]


@unique
class _Phase(enum.Enum, shape=2):
    EVENT = 0
    """The beat's event, or the first operation after a beat that has none."""
    INJECT = 1
    SWEEP = 2


class DenseWalker(wiring.Component):
    """Every event touches all words of the target; every marker sweeps all of them.

    Cycle formula, with ``W = engine.words``: ``W`` per event, ``W`` per marker, and ``W`` more per marker after a
    direct-encoded source; 1 for a beat with neither (`docs/timing.md`).

    Members
    -------
    i : In(stream of event beats, or of digit beats after a direct-encoded source)
    allow : In(1)
        Operations may be issued.
    allow_sweep : In(1)
        Sweep operations may be issued.
    issue : Out(1)
        `operation` is issued in this cycle.
    operation : Out(operation)
    """

    i: stream.Interface
    allow: Signal
    allow_sweep: Signal
    issue: Signal
    operation: data.View

    def __init__(self, engine: EnginePlan, projection: ProjectionPlan) -> None:
        self._engine = engine
        self._projection = projection
        digits, source = projection.digits, projection.source_layout
        beat = digit_beat(source, digits.value_bits) if digits else event_beat(source)
        super().__init__(
            {
                "i": In(stream.Signature(beat)),
                "allow": In(1),
                "allow_sweep": In(1),
                "issue": Out(1),
                "operation": Out(operation(engine, projection)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        direct = self._projection.digits is not None
        layout, stride = self._engine.layout, self._projection.row_stride
        beat = self.i.payload
        phase = Signal(_Phase)
        has_marker = Signal()
        m.submodules.words = words = WordCounter(layout)
        m.d.comb += has_marker.eq(beat.marker != Marker.NONE)

        now = Signal(_Phase)
        m.d.comb += now.eq(phase)
        with m.If((phase == _Phase.EVENT) & ~beat.event):
            m.d.comb += now.eq(_Phase.INJECT if direct else _Phase.SWEEP)

        kind = {
            _Phase.EVENT: OperationKind.ACCUMULATE,
            _Phase.INJECT: OperationKind.INJECT,
            _Phase.SWEEP: OperationKind.SWEEP,
        }
        with m.Switch(now):
            for key, value in kind.items():
                with m.Case(key):
                    m.d.comb += self.operation.kind.eq(value)
        number = words.address
        if layout.depth != layout.words:  # addresses have gaps, weight rows have none
            number = Signal(range(layout.words))
            with m.If(words.step):
                m.d.sync += number.eq(number + 1)
                with m.If(words.last):
                    m.d.sync += number.eq(0)
        # A row is index * stride + number; a power of two as stride makes that a concatenation.
        index = _source_index(m, beat, self._projection.source_layout, self._projection.pool)
        if stride & (stride - 1) == 0:
            row = Cat(number[: stride.bit_length() - 1], index)
        else:
            row = index * stride + number
        m.d.comb += [
            self.operation.word.eq(words.address),
            self.operation.row.eq(row),
            self.operation.last.eq(words.last),
            self.operation.marker.eq(beat.marker),
        ]
        if direct:
            m.d.comb += [self.operation.shift.eq(beat.shift), self.operation.negative.eq(beat.negative)]

        works = Signal()
        done = Signal()
        with m.Switch(now):
            with m.Case(_Phase.EVENT):
                m.d.comb += [works.eq(self.i.valid & self.allow), done.eq(~has_marker)]
            with m.Case(_Phase.INJECT):
                m.d.comb += works.eq(self.i.valid & self.allow & has_marker)
            with m.Case(_Phase.SWEEP):
                m.d.comb += [works.eq(self.i.valid & self.allow & self.allow_sweep & has_marker), done.eq(1)]
        m.d.comb += [self.issue.eq(works), words.step.eq(works)]
        empty = ~beat.event & ~has_marker
        m.d.comb += self.i.ready.eq((works & words.last & done) | (empty & self.allow))

        with m.If(works):
            m.d.sync += phase.eq(now)
            with m.If(words.last):
                with m.Switch(now):
                    with m.Case(_Phase.EVENT):
                        after = _Phase.INJECT if direct else _Phase.SWEEP
                        with m.If(has_marker):
                            m.d.sync += phase.eq(after)
                    with m.Case(_Phase.INJECT):
                        m.d.sync += phase.eq(_Phase.SWEEP)
                    with m.Case(_Phase.SWEEP):
                        m.d.sync += phase.eq(_Phase.EVENT)
        return m


def _source_index(m: Module, beat: Any, source: LayoutPlan, pool: int) -> Any:
    """``(position * groups + group) * lanes + lane`` of the pooled source (`ProjectionPlan.walker`)."""
    group, column, row = position_fields(beat.address, source)
    if pool > 1:
        column = constant_table(m, "pooled_column", column, [x // pool for x in range(source.columns)])
        row = constant_table(m, "pooled_row", row, [y // pool for y in range(source.rows)])
        column = column[: (source.columns // pool - 1).bit_length()]
    word = _joined(Cat(column, row), source.groups, group)
    return word if source.lanes == 1 else _joined(word, source.lanes, beat.lane)


def _joined(high: Any, base: int, low: Any) -> Any:
    """``high * base + low`` with ``low < base``: a concatenation where it can be one."""
    if base & (base - 1) == 0:
        return Cat(low[: base.bit_length() - 1], high)
    return high * base + low if len(high) else low
