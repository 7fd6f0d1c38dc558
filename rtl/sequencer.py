"""What an engine does next: the events of its projections, and then what ends a step."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from snnc.compiler.plan import EnginePlan, unsigned_bits
from snnc.rtl.beats import Marker, Operation, OperationKind, operation
from snnc.rtl.neurons import leaky_readout
from snnc.rtl.walkers import witness
from snnc.rtl.word_counter import WordCounter

__all__ = ["Sequencer"]


class Sequencer(wiring.Component):
    """Issues at most one operation per cycle: a projection's events until its marker, then the next projection's, and
    with the last one's marker all passes of a sweep.

    Cycle formula: ``W = engine.words`` per pass, and ``W`` more per step after a direct-encoded source, which injects
    its current first; one cycle between two projections (`docs/timing.md`).

    Members
    -------
    i0, i1, ... : In(stream of the walkers' beats)
        One for each projection of the plan.
    allow : In(1)
        Operations may be issued.
    allow_spikes : In(1)
        Operations that give spike words may be issued.
    issue : Out(1)
        `operation` is issued in this cycle.
    operation : Out(operation)
    finished : Out(1)
        It is a step's last.
    settled : Out(1)
        It is the last one after which a word holds its membrane (only in a leaky readout, where that is not the last).
    """

    allow: Signal
    allow_spikes: Signal
    issue: Signal
    operation: Operation
    finished: Signal
    settled: Signal

    def __init__(self, plan: EnginePlan) -> None:
        self._plan = plan
        settled = {"settled": Out(1)} if leaky_readout(plan) else {}
        # Any: their classes are loaded by the name of the walk's kind.
        self._walkers: list[Any] = [
            witness(projection.walk, "circuit").Walker(plan, projection) for projection in plan.projections
        ]
        super().__init__(
            {
                **{f"i{k}": In(walker.i.signature.flip()) for k, walker in enumerate(self._walkers)},
                "allow": In(1),
                "allow_spikes": In(1),
                "issue": Out(1),
                "operation": Out(operation(plan)),
                "finished": Out(1),
                **settled,
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan, walkers = self._plan, self._walkers
        last = len(walkers) - 1
        direct = plan.main.digits is not None
        m.submodules.words = words = WordCounter(plan.layout)
        # What there is one of needs no register: synthesis cannot know that it would stay 0.
        turn = Signal(unsigned_bits(last)) if last else Const(0, 1)
        may = Signal()
        for k, walker in enumerate(walkers):
            m.submodules[f"walker{k}"] = walker
            connect(m, flipped(getattr(self, f"i{k}")), walker.i)
            m.d.comb += walker.allow.eq(may & (turn == k))

        def of_turn(values: Sequence[Value]) -> Value:
            chosen = values[0]
            for k, value in enumerate(values[1:], start=1):
                chosen = Mux(turn == k, value, chosen)
            return chosen

        marker = Signal(Marker)
        ends = Signal()  # the last projection has come to its marker
        m.d.comb += [
            marker.eq(of_turn([walker.marker for walker in walkers])),
            ends.eq((marker != Marker.NONE) & (turn == last)),
        ]
        # What ends a step: an injection, if any, and the passes of a sweep, the first of which gives spikes.
        injecting = Signal(init=1) if direct else Const(0, 1)
        sweep_pass = Signal(unsigned_bits(len(plan.passes) - 1)) if len(plan.passes) > 1 else Const(0, 1)
        spikes = ~injecting & (sweep_pass == 0)

        op = self.operation
        m.d.comb += [
            op.kind.eq(Mux(ends, Mux(injecting, OperationKind.INJECT, OperationKind.SWEEP), OperationKind.ACCUMULATE)),
            op.turn.eq(turn),
            op.sweep_pass.eq(sweep_pass),
            op.word.eq(Mux(ends, words.address, of_turn([walker.word for walker in walkers]))),
            op.row.eq(of_turn([walker.row for walker in walkers])),
            op.last.eq(words.last),
            op.marker.eq(marker),
        ]
        if plan.column_banks > 1:
            m.d.comb += op.more.eq(Mux(ends, 0, of_turn([walker.more for walker in walkers])))
        if direct:
            m.d.comb += [op.shift.eq(walkers[last].shift), op.negative.eq(walkers[last].negative)]

        works = Signal()  # on what ends the step
        m.d.comb += [
            may.eq(self.allow & ~self._conflict(m)),
            works.eq(ends & may & (~spikes | self.allow_spikes)),
            self.issue.eq(works | of_turn([walker.issue for walker in walkers])),
            words.step.eq(works),
        ]
        finished = self.finished
        m.d.comb += finished.eq(works & words.last & ~injecting & (sweep_pass == len(plan.passes) - 1))
        if leaky_readout(plan):
            m.d.comb += self.settled.eq(works & words.last & ~injecting & (sweep_pass == plan.membrane_pass))
        with m.If(works & words.last):
            if direct:
                m.d.sync += injecting.eq(finished)
            if len(plan.passes) > 1:
                with m.If(~injecting):
                    m.d.sync += sweep_pass.eq(Mux(finished, 0, sweep_pass + 1))
        hands_over = Signal()
        m.d.comb += hands_over.eq((marker != Marker.NONE) & ~ends & self.allow)
        for k, walker in enumerate(walkers):
            m.d.comb += walker.done.eq(finished if k == last else hands_over & (turn == k))
        if last:
            with m.If(hands_over | finished):
                m.d.sync += turn.eq(Mux(finished, 0, turn + 1))
        return m

    def _conflict(self, m: Module) -> Value:
        """Whether a word might be read before, or in, the cycle in which it is written.

        Only where a convolution has a single row for each position can two operations that follow each other be on the
        same word. What is forwarded goes from accumulate to accumulate: between these and sweeps there are two cycles.
        While nothing is allowed, words are being cleared, which counts as a sweep that could have been on any of them.
        """
        plan, op = self._plan, self.operation
        if plan.forwards:
            sweeps = op.kind == OperationKind.SWEEP
            issued, swept = Signal(2), Signal(2, reset_less=True)
            m.d.sync += [issued.eq(Cat(self.issue | ~self.allow, issued)), swept.eq(Cat(sweeps | ~self.allow, swept))]
            return (issued & (swept ^ sweeps.replicate(2))).any()
        if not plan.waits:
            return Const(0, 1)
        single: Value = Const(0, 1)
        for k, projection in enumerate(plan.projections):
            if projection.walk.returns:
                single |= op.turn == k
        single &= op.kind == OperationKind.ACCUMULATE
        position = Cat(op.word[plan.layout.group_bits :], Const(0, 1))
        recent = Signal()
        recent_single = Signal(reset_less=True)
        recent_position = Signal(len(position), reset_less=True)
        cleared = Signal()
        m.d.sync += [
            recent.eq(self.issue),
            recent_single.eq(single),
            recent_position.eq(position),
            cleared.eq(~self.allow),
        ]
        return cleared | (recent & (recent_position == position) & (recent_single | single))
