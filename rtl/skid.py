"""A place for a payload whose receiver is not ready."""

from amaranth.hdl import Module, Mux, ShapeLike, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Skid"]


class Skid(wiring.Component):
    """Passes a stream on in the same cycle, and takes one payload more than the receiver.

    So the sender is told by a register whether it can send, and no path leads from the receiver to it.

    Parameters
    ----------
    shape
        Of the payload.

    Members
    -------
    i : In(stream)
    o : Out(stream)
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, shape: ShapeLike) -> None:
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        full = Signal()
        given = Value.cast(self.i.payload)
        held = Signal(len(given), reset_less=True)
        m.d.comb += [
            self.i.ready.eq(~full),
            self.o.valid.eq(full | self.i.valid),
            Value.cast(self.o.payload).eq(Mux(full, held, given)),
        ]
        m.d.sync += full.eq(self.o.valid & ~self.o.ready)
        with m.If(~full):
            m.d.sync += held.eq(given)
        return m
