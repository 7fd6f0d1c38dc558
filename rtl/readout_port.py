"""The end of the core: logits and the class, one beat per class."""

from amaranth.hdl import Array, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from snnc.compiler.plan import EnginePlan, unsigned_bits
from snnc.rtl.beats import ResultBeat, result_beat
from snnc.rtl.neurons import goes_on
from snnc.rtl.views import Stream

__all__ = ["ReadoutPort"]


class ReadoutPort(wiring.Component):
    """Hands out the readout's membranes, one per beat, with the index of the largest so far.

    A beat is offered from two cycles after `start` on, one per cycle while the receiver takes them.

    Where the population has an exit it can be asked instead whether a sample ends here: it goes through the membranes
    in the same way, a word a cycle, without offering them. Only the largest so far is kept, and whether it exceeds all
    others by the margin: a larger one must exceed the largest before it by the margin, any other one must stay as far
    below. Where a sample ends, the hand-out begins by itself with the answer. Behind a spike map, what is asked is an
    attempt: where the sample does not end, the membranes are restored with the answer.

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

    In a leaky readout of streams alone:

    keep : In(1)
        With `start`: the membranes stay as they are, and word 0 comes to the head again; there is no `restore`.

    With an exit alone:

    ask : In(1)
        As `start`, of a step that does not end the sample.
    answered : Out(1)
        There is an answer in this cycle, the number of classes and two cycles after `ask`.
    exits : Out(1)
        And it ends the sample.
    halts : Out(1)
        The same as a register with nothing behind it; high after a reset, too.
    """

    start: Signal
    head: Signal
    next_word: Signal
    restore: Signal
    finished: Signal
    o: Stream[ResultBeat]
    keep: Signal
    ask: Signal
    answered: Signal
    exits: Signal
    halts: Signal

    def __init__(self, plan: EnginePlan) -> None:
        self._plan = plan
        self._exit = plan.population.exit
        asked = {} if self._exit is None else {"ask": In(1), "answered": Out(1), "exits": Out(1), "halts": Out(1)}
        kept = {"keep": In(1)} if goes_on(plan) else {}
        super().__init__(
            {
                "start": In(1),
                "head": In(plan.lanes * plan.residual_bits),
                "next_word": Out(1),
                "restore": Out(1),
                "finished": Out(1),
                "o": Out(stream.Signature(result_beat(plan))),
                **kept,
                **asked,
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
        valid = Signal()
        # What is asked for is held in `valid` like any beat, but goes on without being offered.
        asking: Value = Const(0)
        begins: Value = self.start
        holds: Value = self.o.valid
        ready: Value = self.o.ready
        ends: Value = lane == plan.lanes - 1
        if self._exit is not None:
            asking = Signal(name="asking")
            begins, holds, ready = self.start | self.ask | self.exits, valid, self.o.ready | asking
            # Word 0 comes to the head again; a single one stays there.
            ends = (ends | (asking & last)) if plan.words > 1 else (ends & ~asking)
        restores = load & last
        if goes_on(plan):
            keeping = Signal()
            with m.If(self.start):
                m.d.sync += keeping.eq(self.keep)
            ends = (ends | (keeping & last)) if plan.words > 1 else (ends & ~keeping)
            restores &= ~keeping
        if self._exit is not None:
            restores &= ~asking
            if plan.main.queue.steps is not None:
                restores |= self.answered & ~self.exits
        m.d.comb += [
            load.eq(reading & (~holds | ready)),
            last.eq(index == plan.neurons - 1),
            self.next_word.eq(load & ends),
            self.restore.eq(restores),
            self.finished.eq(self.o.valid & self.o.ready & beat.last),
        ]
        with m.If(begins):
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
        with m.If(load):
            m.d.sync += [value.eq(logits[lane]), current.eq(index), is_last.eq(last), valid.eq(1)]
        with m.Elif(ready):
            m.d.sync += valid.eq(0)

        # Of the largest so far its complement is kept: a carry chain then adds what registers hold, and a logit exceeds
        # the largest by 1 more than the sum.
        complement = Signal.like(value)
        best_index = Signal.like(current)
        better = Signal()
        excess = value + complement
        m.d.comb += [
            better.eq((current == 0) | ~excess[-1]),
            self.o.valid.eq(valid if self._exit is None else valid & ~asking),
            beat.logit.eq(value),
            beat.index.eq(current),
            beat.best.eq(Mux(better, current, best_index)),
            beat.last.eq(is_last),
        ]
        with m.If(holds & ready & better):
            m.d.sync += [complement.eq(~value), best_index.eq(current)]
        if self._exit is not None:
            assert isinstance(asking, Signal)
            self._answer(m, self._exit.margin, asking, asking & valid, is_last, current == 0, value, better)
        return m

    def _answer(
        self,
        m: Module,
        margin: int,
        asking: Signal,
        judges: Value,
        last: Value,
        first: Value,
        value: Signal,
        better: Value,
    ) -> None:
        """Judge a logit, which is `better` than all before it or not: the margin is in what is kept of the largest, so
        that both questions are one carry chain each, beside the one that finds which is larger.
        """
        above, below = ~value - (margin - 1), ~value + margin
        reached = Signal(above.shape(), reset_less=True)
        missed = Signal(below.shape(), reset_less=True)
        with m.If(judges & better):
            m.d.sync += [reached.eq(above), missed.eq(below)]
        sure, so_far = Signal(), Signal(reset_less=True)
        m.d.comb += sure.eq(first | Mux(better, value + reached >= 0, so_far & (value + missed < 0)))
        with m.If(judges):
            m.d.sync += so_far.eq(sure)
        # One register for all who are told: a second one would be as far from the first as these are from here.
        halts = Signal(init=1)
        m.d.sync += [self.answered.eq(judges & last), halts.eq(judges & last & sure)]
        m.d.comb += [self.halts.eq(halts), self.exits.eq(self.answered & halts)]
        with m.If(self.ask):
            m.d.sync += asking.eq(1)
        with m.Elif(judges & last):
            m.d.sync += asking.eq(0)
