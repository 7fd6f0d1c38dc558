"""A queue of streams in flip-flops."""

from amaranth.hdl import Module, Mux, ShapeLike, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Queue"]


class Queue(wiring.Component):
    """First in, first out; the head is a register, so that it costs no multiplexer to read.

    What enters in one cycle can leave in the next (`docs/timing.md`). Both handshakes depend on registers alone: no
    combinational path leads from one side to the other. When an entry leaves, which may be known late in a cycle, the
    head alone is replaced at once: the entries behind it move up a cycle later, told by a register.

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
        payload = Value.cast(self.i.payload)
        entries = [Signal(len(payload), name=f"entry{k}", reset_less=True) for k in range(self.depth)]
        # level is kept one-hot-thermometer: used[k] says that entry k is taken, so that no counter is decoded.
        used = [Signal(1, name=f"used{k}") for k in range(self.depth)]
        # The entry behind the head has been copied to it: those after it are one place behind theirs. As one has left,
        # the last entry is free then.
        late = Signal()
        enter = self.i.valid & self.i.ready
        leave = self.o.valid & self.o.ready
        m.d.comb += [
            self.i.ready.eq(~used[-1]),
            self.o.valid.eq(used[0]),
            Value.cast(self.o.payload).eq(entries[0]),
            self.left.eq(leave),
        ]
        for k in range(self.depth):
            behind_used = used[k + 1] if k + 1 < self.depth else 0
            below_used = used[k - 1] if k > 0 else 1
            with m.If(leave):
                m.d.sync += used[k].eq(behind_used | (enter & used[k]))
            with m.Elif(~used[k]):
                m.d.sync += used[k].eq(enter & below_used)

        # What enters goes to all entries that are free, chosen by registers alone.
        head, *others = entries
        following: Value = payload
        if self.depth > 1:
            m.d.sync += late.eq(leave & used[1])
            second = others[0] if self.depth == 2 else Mux(late, others[1], others[0])
            following = Mux(used[1], second, payload)
        with m.If(leave | ~used[0]):
            m.d.sync += head.eq(following)
        for k, entry in enumerate(others, start=1):
            behind = entries[k + 1] if k + 1 < self.depth else payload
            with m.If(late | ~used[k]):
                m.d.sync += entry.eq(Mux(late & used[k], behind, payload))
        return m
