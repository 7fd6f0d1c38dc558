"""A queue of streams in block RAM."""

from amaranth.hdl import Module, Mux, ShapeLike, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from snnc.compiler.plan import QueuePlan
from snnc.rtl.memories import block_ram
from snnc.rtl.queue import Queue

__all__ = ["BlockQueue", "queue_of"]


class BlockQueue(wiring.Component):
    """First in, first out; deep enough for a whole time step.

    What enters in one cycle can leave two cycles later (`docs/timing.md`), and one transfer a cycle is sustained. The
    memory's own output register is the head: it is read at the address of what will be the oldest entry.

    Parameters
    ----------
    shape
        Of the payload.
    depth
        Entries, at least 2.

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
        if depth < 2:
            raise ValueError(f"A queue in block RAM must have a depth of at least 2, not {depth!r}")
        self.depth = depth
        self.shape = shape
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape)), "left": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        payload = Value.cast(self.i.payload)
        head, tail, head_next = (Signal(range(self.depth), name=name) for name in ("head", "tail", "head_next"))
        level = Signal(range(self.depth + 1))
        valid = Signal()
        enter = self.i.valid & self.i.ready
        leave = self.o.valid & self.o.ready

        def after(pointer: Signal) -> Value:
            return Mux(pointer == self.depth - 1, 0, pointer + 1)

        data = block_ram(
            m,
            "memory",
            width=len(payload),
            depth=self.depth,
            read=head_next,
            write=enter,
            write_address=tail,
            value=payload,
        )
        m.d.comb += [
            self.i.ready.eq(level != self.depth),
            self.o.valid.eq(valid),
            self.o.payload.eq(data),
            self.left.eq(leave),
            head_next.eq(Mux(leave, after(head), head)),
        ]
        m.d.sync += [
            head.eq(head_next),
            level.eq(level + enter - leave),
            # Counted without what enters now: that cannot be read yet.
            valid.eq(level != leave),
        ]
        with m.If(enter):
            m.d.sync += tail.eq(after(tail))
        return m


def queue_of(shape: ShapeLike, plan: QueuePlan) -> Queue | BlockQueue:
    """A queue of entries of such a shape, in flip-flops or in block RAM."""
    return Queue(shape, plan.depth) if plan.memory is None else BlockQueue(shape, plan.depth)
