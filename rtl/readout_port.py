"""The end of the core: logits and the class, one beat per class."""

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from snnc.compiler.plan import EnginePlan, unsigned_bits
from snnc.rtl.beats import ResultBeat, result_beat
from snnc.rtl.views import Stream

__all__ = ["ReadoutPort"]


class ReadoutPort(wiring.Component):
    """Hands out the readout's membranes, one per beat, with the index of the largest so far.

    A beat is offered from two cycles after `start` on, one per cycle while the receiver takes them.

    Members
    -------
    start : In(1)
        The last membrane of a sample is being written in this cycle.
    head : In(lanes * residual_bits)
        The membrane word whose turn it is; word 0 in the cycle after `start`.
    next_word : Out(1)
        Bring the next word to the head.
    restore : Out(1)
        All membranes have been read.
    finished : Out(1)
        The last beat leaves in this cycle.
    o : Out(stream of result beats)
    """

    start: Signal
    head: Signal
    next_word: Signal
    restore: Signal
    finished: Signal
    o: Stream[ResultBeat]

    def __init__(self, plan: EnginePlan) -> None:
        self._plan = plan
        super().__init__(
            {
                "start": In(1),
                "head": In(plan.lanes * plan.residual_bits),
                "next_word": Out(1),
                "restore": Out(1),
                "finished": Out(1),
                "o": Out(stream.Signature(result_beat(plan))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan = self._plan
        beat = self.o.payload

        reading = Signal()
        lane = Signal(unsigned_bits(plan.lanes - 1))
        index = Signal.like(beat.index, reset_less=True)
        load = Signal()
        last = Signal()
        m.d.comb += [
            load.eq(reading & (~self.o.valid | self.o.ready)),
            last.eq(index == plan.neurons - 1),
            self.next_word.eq(load & (lane == plan.lanes - 1)),
            self.restore.eq(load & last),
            self.finished.eq(self.o.valid & self.o.ready & beat.last),
        ]
        with m.If(self.start):
            m.d.sync += [reading.eq(1), lane.eq(0), index.eq(0)]
        with m.Elif(load):
            m.d.sync += [
                reading.eq(~last),
                lane.eq(Mux(self.next_word, 0, lane + 1)),
                index.eq(index + 1),
            ]

        logits = Array(self.head.word_select(k, plan.residual_bits).as_signed() for k in range(plan.lanes))
        value = Signal.like(beat.logit, reset_less=True)
        current = Signal.like(beat.index, reset_less=True)
        is_last = Signal(reset_less=True)
        valid = Signal()
        with m.If(load):
            m.d.sync += [value.eq(logits[lane]), current.eq(index), is_last.eq(last), valid.eq(1)]
        with m.Elif(self.o.ready):
            m.d.sync += valid.eq(0)

        best_value = Signal.like(value)
        best_index = Signal.like(current)
        better = Signal()
        m.d.comb += [
            better.eq((current == 0) | (value > best_value)),
            self.o.valid.eq(valid),
            beat.logit.eq(value),
            beat.index.eq(current),
            beat.best.eq(Mux(better, current, best_index)),
            beat.last.eq(is_last),
        ]
        with m.If(self.o.valid & self.o.ready & better):
            m.d.sync += [best_value.eq(value), best_index.eq(current)]
        return m
