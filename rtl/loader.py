"""Contents of memories that no bitstream can initialise, from a stream at start-up."""

from collections.abc import Sequence
from typing import Protocol

from amaranth.hdl import Cat, Const, Module, ShapeLike, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from snnc.compiler.plan import LOAD_BITS, MemoryPlan, unsigned_bits

__all__ = ["Gate", "LoadPort", "Loader", "Loading"]


class LoadPort(wiring.Signature):
    """What fills one memory.

    Members
    -------
    loading : Out(1)
        The loader has the memory's only port, from the reset until all memories of the core are filled.
    row : Out(range(depth))
        Address of the row that is being written.
    write : Out(chunks)
        At most one bit: the chunk of the row that takes `data` at this cycle's end.
    data : Out(16)
    """

    def __init__(self, memory: MemoryPlan) -> None:
        super().__init__(
            {
                "loading": Out(1),
                "row": Out(unsigned_bits(memory.depth - 1)),
                "write": Out(memory.chunks),
                "data": Out(LOAD_BITS),
            }
        )


class Loading(Protocol):
    """An interface of `LoadPort`."""

    signature: LoadPort
    loading: Value
    row: Value
    write: Value
    data: Value


class Loader(wiring.Component):
    """Fills memories, one word per cycle.

    After a reset it takes exactly ``sum(depth * chunks)`` words: memory after memory, row after row from address 0, the
    lowest chunk of a row first. `i.ready` is high from the reset until the last of them has passed, and low from then
    on until the next reset. A reset in the middle starts again with the first word of the first memory.

    Parameters
    ----------
    memories
        What is filled, in this order.

    Members
    -------
    i : In(stream of 16 bits)
    done : Out(1)
        All memories are filled.
    memory0, memory1, ... : Out(LoadPort)
        Of each memory.
    """

    i: stream.Interface
    done: Signal

    def __init__(self, memories: Sequence[MemoryPlan]) -> None:
        if not memories:
            raise ValueError("A loader needs at least one memory to fill")
        self._memories = tuple(memories)
        ports = {f"memory{k}": Out(LoadPort(memory)) for k, memory in enumerate(memories)}
        super().__init__({"i": In(stream.Signature(LOAD_BITS)), "done": Out(1), **ports})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        loading = Signal(init=1)
        # The chunk whose turn it is, of all memories: a write is its bit and the stream's handshake.
        turn = Signal(sum(memory.chunks for memory in self._memories), init=1)
        row = Signal(unsigned_bits(max(memory.depth for memory in self._memories) - 1))
        passes = Signal()
        m.d.comb += [self.i.ready.eq(loading), self.done.eq(~loading), passes.eq(loading & self.i.valid)]

        first = 0
        enters: Value = Const(0)  # goes on to the memory's first chunk, from the memory before
        following: list[Value] = []
        row_ends: list[Value] = []
        memory_ends: list[Value] = []
        for k, memory in enumerate(self._memories):
            own = turn[first : first + memory.chunks]
            first += memory.chunks
            port: Loading = getattr(self, f"memory{k}")
            m.d.comb += [
                port.loading.eq(loading),
                port.row.eq(row),
                port.write.eq(own & passes.replicate(memory.chunks)),
                port.data.eq(self.i.payload),
            ]
            last_row = row == memory.depth - 1
            following += [enters | (own[-1] & ~last_row), own[:-1]]
            enters = own[-1] & last_row
            row_ends.append(own[-1])
            memory_ends.append(enters)
        with m.If(passes):
            m.d.sync += [turn.eq(Cat(*following)), loading.eq(~memory_ends[-1])]
            with m.If(Cat(*memory_ends).any()):
                m.d.sync += row.eq(0)
            with m.Elif(Cat(*row_ends).any()):
                m.d.sync += row.eq(row + 1)
        return m


class Gate(wiring.Component):
    """A stream that nothing passes while `open` is low.

    Members
    -------
    i : In(stream)
    o : Out(stream)
    open : In(1)
        May rise at any time; falls with a reset alone.
    """

    i: stream.Interface
    o: stream.Interface
    open: Signal

    def __init__(self, shape: ShapeLike) -> None:
        signature = stream.Signature(shape)
        super().__init__({"i": In(signature), "o": Out(signature), "open": In(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += [
            self.o.valid.eq(self.i.valid & self.open),
            self.i.ready.eq(self.o.ready & self.open),
            Value.cast(self.o.payload).eq(Value.cast(self.i.payload)),
        ]
        return m
