"""The gathering walks of several projections into one layer, step by step in turn."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from snnc.compiler.plan import EnginePlan, unsigned_bits
from snnc.rtl.beats import Tap, tap
from snnc.rtl.views import Stream
from snnc.rtl.walkers.gather.circuit import Walker

__all__ = ["Turns"]


class Turns(wiring.Component):
    """Visits the taps of all words of a unit in order: of each word the steps, of each step the projections in the
    plan's order, of each projection its taps.

    A word begins in all walkers at once, when the source rows that it sees are complete in every spike map. What is
    offered is as of a single walker: `begins` is the first projection's, `ends` the last one's. All maps are released
    together, with the sample's last tap.

    Parameters
    ----------
    engine
        The layer, whose projections all have a `GatherWalk`, each behind a spike map of its own.
    unit
        Of the layer's, whose words these are.

    Members
    -------
    rows, last_step, allow, o, release : as of a `Walker`
        But for `rows` and `last_step`, of which there are
    rows0, last_step0, rows1, ... : one of each for each projection.
    """

    allow: Signal
    o: Stream[Tap]
    release: Signal

    def __init__(self, engine: EnginePlan, unit: int = 0) -> None:
        if len(engine.projections) < 2:
            raise ValueError(f"Engine {engine.name!r} has one projection, which takes no turns")
        self._walkers = [Walker(engine, projection, unit) for projection in engine.projections]
        members = [walker.signature.members for walker in self._walkers]
        super().__init__(
            {
                **{f"{name}{k}": of[name] for k, of in enumerate(members) for name in ("rows", "last_step")},
                "allow": In(1),
                "o": Out(stream.Signature(tap(engine.projections))),
                "release": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        walkers, out = self._walkers, self.o.payload
        last = len(walkers) - 1
        turn = Signal(unsigned_bits(last))
        begin, ends = Signal(), Signal()
        m.d.comb += [
            begin.eq(Cat(walker.could for walker in walkers).all()),
            self.release.eq(walkers[last].release),
            out.turn.eq(turn),
        ]
        for k, walker in enumerate(walkers):
            m.submodules[f"walker{k}"] = walker
            given = walker.o.payload
            m.d.comb += [
                walker.rows.eq(getattr(self, f"rows{k}")),
                walker.last_step.eq(getattr(self, f"last_step{k}")),
                walker.allow.eq(self.allow),
                walker.may.eq(begin),
            ]
            with m.If(turn == k):
                m.d.comb += [
                    self.o.valid.eq(walker.o.valid),
                    walker.o.ready.eq(self.o.ready),
                    out.address.eq(given.address),
                    out.base.eq(given.base),
                    out.begins.eq(given.begins if k == 0 else 0),
                    out.ends.eq(given.ends if k == last else 0),
                    out.last.eq(given.last),
                    ends.eq(given.ends),
                ]
        with m.If(self.o.valid & self.o.ready & ends):
            m.d.sync += turn.eq(turn + 1)
            with m.If(turn == last):
                m.d.sync += turn.eq(0)
        return m
