"""What a gathering engine sees at its taps, as a run of its operations."""

import functools
import operator

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import enum, stream, wiring
from amaranth.lib.wiring import In, Out

from snnc.compiler.plan import EnginePlan, unsigned_bits
from snnc.rtl.beats import TapWord, tap_word
from snnc.rtl.spike_serialiser import BYTE, at_most_one, lowest_set_bit
from snnc.rtl.views import Stream

__all__ = ["TapOperation", "TapSerialiser"]


class TapOperation(enum.Enum, shape=2):
    """What a gathering engine does in a cycle."""

    LOAD = 0
    """Take the initial residuals."""
    ADD = 1
    """Add a row of weights."""
    SWEEP = 2
    """Take a pass of a sweep."""


class TapSerialiser(wiring.Component):
    """One operation a cycle: for a word's first tap a load, for each spike an addition, at a step's end all passes.

    In two levels: the first register holds a spike word, and says which of its bytes have a spike; the second holds one
    of these, or a load or a sweep. A tap of neither takes a cycle of the first alone.

    Parameters
    ----------
    engine
        Whose taps they are, of all its projections.

    Members
    -------
    i : In(stream of `beats.tap_word`)
    issue : Out(1)
        An operation is issued, of this `kind`:
    row : Out(range(weight rows))
        The weight row of an addition is the sum of `row` and `lane`.
    lane : Out(range(source lanes))
    sweep_pass : Out(range(passes))
        Of a sweep.
    last : Out(1)
        It belongs to the sample's last step.
    turn : Out(range(projections))
        The projection of an addition (only where there are several).
    """

    i: Stream[TapWord]
    issue: Signal
    kind: Signal
    row: Signal
    lane: Signal
    sweep_pass: Signal
    last: Signal
    turn: Signal

    def __init__(self, engine: EnginePlan) -> None:
        self._passes = len(engine.passes)
        self._lanes = max(projection.source_layout.lanes for projection in engine.projections)
        self._several = len(engine.projections) > 1
        word = tap_word(engine.projections)
        row = max(unsigned_bits(projection.weights.depth - 1) for projection in engine.projections)
        super().__init__(
            {
                "i": In(stream.Signature(word)),
                "issue": Out(1),
                "kind": Out(TapOperation),
                "row": Out(row),
                "lane": Out(unsigned_bits(self._lanes - 1)),
                "sweep_pass": Out(unsigned_bits(self._passes - 1)),
                "last": Out(1),
                **({"turn": Out(unsigned_bits(len(engine.projections) - 1))} if self._several else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        count = -(-self._lanes // BYTE)
        given = self.i.payload

        # --- the word: the item that is handed over, and what is left; the load lowest, the sweep highest ---
        vacant = Signal(init=1)
        item, rest = (Signal(count + 2, name=name, reset_less=True) for name in ("item", "rest"))
        only = Signal(reset_less=True)  # nothing is left
        mask = Signal(self._lanes, reset_less=True)
        single = Signal(count, reset_less=True)  # bytes of one spike at most
        base = Signal.like(given.base, reset_less=True)
        last = Signal(reset_less=True)
        takes = Signal()
        bytes_given = [given.mask[k * BYTE : (k + 1) * BYTE] for k in range(count)]
        items = Signal(count + 2)
        singles = at_most_one(m, given.mask, BYTE)
        m.d.comb += [
            items.eq(Cat(given.begins, *(part.any() for part in bytes_given), given.ends)),
            self.i.ready.eq(vacant | (only & takes)),
        ]
        with m.If(self.i.ready):
            m.d.sync += [
                vacant.eq(~self.i.valid | (items == 0)),
                mask.eq(given.mask),
                single.eq(singles),
                base.eq(given.base),
                last.eq(given.last),
            ]
        if self._several:
            turn = Signal.like(self.turn, reset_less=True)
            with m.If(self.i.ready):
                m.d.sync += turn.eq(given.turn)
            with m.If(takes):
                m.d.sync += self.turn.eq(turn)
        # Which items are searched for the next one is known before it is known whether that is needed.
        left = Signal(count + 2)
        m.d.comb += left.eq(Mux(vacant | only, items, rest))
        following, _ = lowest_set_bit(m, left)
        one_left = at_most_one(m, left)
        with m.If(vacant | takes):
            m.d.sync += [item.eq(following), rest.eq(left & ~following), only.eq(one_left)]

        # --- the byte, or the load, or the sweep; its spikes likewise ---
        valid, final = Signal(), Signal(reset_less=True)
        kind = Signal(TapOperation, reset_less=True)
        bits = Signal(BYTE, reset_less=True)  # without that of `index`
        index = Signal(unsigned_bits(BYTE - 1), reset_less=True)
        number = Signal(unsigned_bits(count - 1), reset_less=True)
        row, closing = Signal.like(base, reset_less=True), Signal(reset_less=True)
        sweep_pass = Signal.like(self.sweep_pass)
        loads, of_byte, sweeps = item[0], item[1:-1], item[-1]
        chosen, spikes = Signal(BYTE), Signal(BYTE)
        parts = [mask[k * BYTE : (k + 1) * BYTE] for k in range(count)]
        m.d.comb += [
            takes.eq(~valid | final),
            self.issue.eq(valid),
            self.kind.eq(kind),
            self.row.eq(row),
            self.lane.eq(Cat(index, number)),
            self.sweep_pass.eq(sweep_pass),
            self.last.eq(closing),
            chosen.eq(functools.reduce(operator.or_, (Mux(of_byte[k], part, 0) for k, part in enumerate(parts)))),
            spikes.eq(Mux(takes, chosen, bits)),
        ]
        bit, found = lowest_set_bit(m, spikes)
        few = at_most_one(m, bits)
        m.d.sync += [index.eq(found), bits.eq(spikes & ~bit)]
        with m.If(takes):
            numbers = Cat(Cat(of_byte[k] for k in range(count) if k >> place & 1).any() for place in range(len(number)))
            m.d.sync += [
                valid.eq(~vacant),
                kind.eq(Mux(loads, TapOperation.LOAD, Mux(sweeps, TapOperation.SWEEP, TapOperation.ADD))),
                number.eq(numbers),
                final.eq(loads | (of_byte & single).any() | (sweeps if self._passes == 1 else 0)),
                row.eq(base),
                closing.eq(last),
                sweep_pass.eq(0),
            ]
        with m.Else():
            # A single pass is the last when it begins.
            ends = sweep_pass == self._passes - 2 if self._passes > 1 else Const(1, 1)
            m.d.sync += [
                final.eq(Mux(kind == TapOperation.SWEEP, ends, few)),
                sweep_pass.eq(sweep_pass + 1),
            ]
        return m
