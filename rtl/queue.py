"""A queue of streams in flip-flops."""

from amaranth.hdl import Module, Mux, ShapeLike, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Queue"]


class Queue(wiring.Component):
    """First in, first out; the head is a register, so that it costs no multiplexer to read.

    What enters in one cycle can leave in the next (`docs/timing.md`). Both handshakes depend on registers alone: no
    combinational path leads from one side to the other.

    Parameters
    ----------
    shape
        Of the payload.
    depth
        Entries, at least 1; from 2 on it sustains one transfer a cycle.

    Members
    -------
    i : In(stream)
        Entries to store.
    o : Out(stream)
        The oldest entry.
    left : Out(1)
        High in the cycles in which an entry leaves.
    """

    i: stream.Interface
    o: stream.Interface
    left: Signal

    def __init__(self, shape: ShapeLike, depth: int) -> None:
        if depth < 1:
            raise ValueError(f"A queue's depth must be at least 1, not {depth!r}")
        self.depth = depth
        self.shape = shape
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape)), "left": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        entries = [Signal(self.shape, name=f"entry{k}", reset_less=True) for k in range(self.depth)]
        # level is kept one-hot-thermometer: used[k] says that entry k is taken, so that no counter is decoded.
        used = [Signal(1, name=f"used{k}") for k in range(self.depth)]
        enter = self.i.valid & self.i.ready
        leave = self.o.valid & self.o.ready
        m.d.comb += [
            self.i.ready.eq(~used[-1]),
            self.o.valid.eq(used[0]),
            self.o.payload.eq(entries[0]),
            self.left.eq(leave),
        ]
        for k in range(self.depth):
            behind_used = used[k + 1] if k + 1 < self.depth else 0
            below_used = used[k - 1] if k > 0 else 1
            behind = entries[k + 1] if k + 1 < self.depth else self.i.payload
            # Where an entry is free, so are those behind it: what it takes is chosen by a register alone.
            with m.If(leave | ~used[k]):
                m.d.sync += entries[k].eq(Mux(behind_used, behind, self.i.payload))
            with m.If(leave):
                m.d.sync += used[k].eq(behind_used | (enter & used[k]))
            with m.Elif(~used[k]):
                m.d.sync += used[k].eq(enter & below_used)
        return m
