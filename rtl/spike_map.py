"""The spikes of a layer in block RAM, for what is behind it to read in an order of its own."""

from typing import Protocol

from amaranth.hdl import Array, Cat, Const, Module, Mux, ShapeLike, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out

from snnc.compiler.plan import EnginePlan, ProjectionPlan, unsigned_bits
from snnc.rtl.beats import MapWrite, map_address_bits, map_write
from snnc.rtl.memories import block_ram
from snnc.rtl.tables import position_fields
from snnc.rtl.views import Stream

__all__ = ["MapPort", "MapReader", "Reading", "SpikeMap"]


class MapPort(wiring.Signature):
    """How a spike map is read.

    Members
    -------
    address : Out(range(depth))
        ``{step, word}``.
    reads : Out(1)
        Read there.
    moves : Out(1)
        What was read goes to a register in front of the choice of a bank (only where the map has two registers).
    data : In(lanes)
        The spike word that was read last, before this cycle; with `moves`, the one that moved last.
    rows : In(range(source rows + 1))
        Rows that are complete, in all steps of the sample; they are complete in order.
    last_step : In(range(steps))
        The sample's last step; it counts once a row is complete.
    release : Out(1)
        Nothing more of the sample will be read.
    asks : In(1)
        The sample is an attempt that is asked for its answer; it counts when `last_step` does (only where there are
        `attempts`).
    """

    def __init__(self, projection: ProjectionPlan, *, attempts: bool = False) -> None:
        source, steps = projection.source_layout, projection.queue.steps
        assert steps is not None
        super().__init__(
            {
                "address": Out(map_address_bits(projection)),
                "reads": Out(1),
                **({"moves": Out(1)} if projection.queue.registers > 1 else {}),
                "data": In(source.lanes),
                "rows": In(range(source.rows + 1)),
                "last_step": In(unsigned_bits(steps - 1)),
                "release": Out(1),
                **({"asks": In(1)} if attempts else {}),
            }
        )


class Reading(Protocol):
    """An interface of `MapPort`."""

    signature: MapPort
    address: Value
    reads: Value
    moves: Value
    data: Value
    rows: Value
    last_step: Value
    release: Value
    asks: Value


class SpikeMap(wiring.Component):
    """Holds the spikes of one sample: a word for every step of every word of the source.

    The counter of complete rows is the only handshake. A word can be read in the cycle after the one in which it is
    written; `rows` counts it then. Each unit of the source writes a bank of its own, and each of those that read has a
    copy of all of them: none ever waits for another.

    Parameters
    ----------
    source
        The layer whose spikes they are.
    projection
        That reads them.
    readers
        How many read.
    asked
        Where samples are computed in attempts: after how many steps each but the last one is asked for its answer.
        Behind an image the map gives the sample once for each of them, as far as it has more steps, and then whole.
        What another map takes is an attempt already, as `beats.map_write` says.

    Members
    -------
    i : In(stream of `beats.map_write`), one for each unit of the source
        Always ready: who writes waits for `left` before the next sample.
    port : In(MapPort), one for each reader
        A row is there for a reader until it has released the sample.
    left : Out(1)
        The sample has been read by all.
    """

    i: list[Stream[MapWrite]]
    port: list[Reading]
    left: Signal

    def __init__(
        self, source: EnginePlan, projection: ProjectionPlan, readers: int = 1, asked: tuple[int, ...] = ()
    ) -> None:
        assert projection.queue.steps is not None
        attempts = bool(asked)
        self._told = attempts and source.kind.reads_maps
        self._asked = () if self._told else asked
        self._source = source.layout
        self._units = source.units
        self._depth = projection.queue.depth
        self._holds_banks = projection.queue.registers > 1
        write = stream.Signature(map_write(source, projection.queue.steps, attempts=self._told), always_ready=True)
        super().__init__(
            {
                "i": In(write).array(source.units),
                "port": In(MapPort(projection, attempts=attempts)).array(readers),
                "left": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        rows, last_step = Signal.like(self.port[0].rows), Signal.like(self.port[0].last_step)
        completes = [self.i[k].valid & self.i[k].payload.completes for k in range(self._units)]
        advances = self._advances(m, completes)
        first = self.i[0]
        with m.If(first.valid & first.payload.final):
            m.d.sync += last_step.eq(first.payload.step)
        released = Signal(len(self.port))
        releases = released | Cat(port.release for port in self.port)
        m.d.comb += self.left.eq(releases.all())
        m.d.sync += released.eq(Mux(self.left, 0, releases))
        ends: Value = self.left
        shown_last: Value = last_step
        if self._asked:
            asks, shown_last = self._attempts(m, last_step)
            ends = self.left & ~asks
        elif self._told:
            asks = Signal()
            with m.If(first.valid & first.payload.final):
                m.d.sync += asks.eq(first.payload.asks)
        with m.If(ends):
            m.d.sync += rows.eq(0)
        with m.Elif(advances):
            m.d.sync += rows.eq(rows + 1)
        for k, port in enumerate(self.port):
            shown = rows if len(self.port) == 1 else Mux(released[k], 0, rows)
            m.d.comb += [port.data.eq(self._word(m, k, port)), port.rows.eq(shown), port.last_step.eq(shown_last)]
            if self._asked or self._told:
                m.d.comb += port.asks.eq(asks)
        return m

    def _attempts(self, m: Module, last_step: Value) -> tuple[Value, Value]:
        """Whether the attempt that is being read is asked for its answer, and its last step."""
        attempt = Signal(range(len(self._asked) + 1))
        asks, shown = Signal(), Signal.like(last_step, name="shown_last_step")
        m.d.comb += shown.eq(last_step)
        for k, steps in enumerate(self._asked):
            with m.If((attempt == k) & (last_step > steps - 1)):
                m.d.comb += [asks.eq(1), shown.eq(steps - 1)]
        with m.If(self.left):
            m.d.sync += attempt.eq(Mux(asks, attempt + 1, 0))
        return asks, shown

    def _advances(self, m: Module, completes: list[Value]) -> Value:
        """A row is complete in all banks; each counts how far it is ahead of that."""
        if len(completes) == 1:
            return completes[0]
        advances = Signal()
        complete = []
        for k, completed in enumerate(completes):
            ahead, waits = Signal(range(self._source.rows + 1), name=f"ahead{k}"), Signal(name=f"waits{k}")
            # Whether all advance is known last: both sums, and whether one is left, are made of registers beside it.
            with m.If(completed & ~advances):
                m.d.sync += [ahead.eq(ahead + 1), waits.eq(1)]
            with m.Elif(~completed & advances):
                m.d.sync += [ahead.eq(ahead - 1), waits.eq(ahead != 1)]
            complete.append(completed | waits)
        m.d.comb += advances.eq(Cat(complete).all())
        return advances

    def _word(self, m: Module, reader: int, port: Reading) -> Value:
        """What a reader's memories hold at its address, a cycle later."""
        banks = [
            block_ram(
                m,
                f"memory{reader}_{bank}" if len(self.i) * len(self.port) > 1 else "memory",
                width=self._source.lanes,
                depth=self._depth,
                read=self._in_bank(port.address),
                reads=port.reads,
                write=write.valid,
                write_address=Cat(self._in_bank(write.payload.word[: self._source.word_bits]), write.payload.step),
                value=write.payload.mask,
            )
            for bank, write in enumerate(self.i)
        ]
        if len(banks) == 1:
            if not self._holds_banks:
                return banks[0]
            alone = Signal.like(banks[0], name=f"held{reader}", reset_less=True)
            with m.If(port.moves):
                m.d.sync += alone.eq(banks[0])
            return alone
        _, column, row = position_fields(port.address, self._source)
        bank = Signal((len(banks) - 1).bit_length(), name=f"bank{reader}", reset_less=True)
        with m.If(port.reads):
            m.d.sync += bank.eq(column + row)
        if not self._holds_banks:
            return Array(banks)[bank]
        held = [Signal.like(word, name=f"held{reader}_{k}", reset_less=True) for k, word in enumerate(banks)]
        held_bank = Signal.like(bank, name=f"held_bank{reader}", reset_less=True)
        with m.If(port.moves):
            m.d.sync += [held_bank.eq(bank), *(register.eq(word) for register, word in zip(held, banks, strict=True))]
        return Array(held)[held_bank]

    def _in_bank(self, address: Value) -> Value:
        """An address without the low bits of the column, which say with the row's which bank it is."""
        at = self._source.group_bits
        return Cat(address[:at], address[at + (self._units - 1).bit_length() :])


class MapReader(wiring.Component):
    """Addresses to spike words, one a cycle: what is offered in a cycle is read, and offered from the next one on.

    Parameters
    ----------
    address_bits, lanes
        Of the memory.
    tag
        What goes along with a word: the shape of the payloads' further field.
    registers
        Behind the memory, 0 to 2: words are offered so many cycles later. The first of two is the map's.

    Members
    -------
    i : In(stream of ``{address, tag}``)
    o : Out(stream of ``{mask, tag}``)
    address : Out(address_bits)
        To the memory, which is read where `reads` is 1;
    reads : Out(1)
    moves : Out(1)
        What was read goes to the first of two registers (only where there are two).
    data : In(lanes)
        What the memory held there, from the cycle after on; or that register.
    """

    i: stream.Interface
    o: stream.Interface
    address: Signal
    reads: Signal
    moves: Signal
    data: Signal

    def __init__(self, address_bits: int, lanes: int, tag: ShapeLike, *, registers: int = 0) -> None:
        self._registers = registers
        super().__init__(
            {
                "i": In(stream.Signature(StructLayout({"address": address_bits, "tag": tag}))),
                "o": Out(stream.Signature(StructLayout({"mask": lanes, "tag": tag}))),
                "address": Out(address_bits),
                "reads": Out(1),
                **({"moves": Out(1)} if registers > 1 else {}),
                "data": In(lanes),
            }
        )

    def reads_from(self, m: Module, port: Reading) -> None:
        """Connect it to a map."""
        m.d.comb += [port.address.eq(self.address), port.reads.eq(self.reads), self.data.eq(port.data)]
        if self._registers > 1:
            m.d.comb += port.moves.eq(self.moves)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        given, out = self.i.payload, self.o.payload
        # A word is behind the memory, and then in each register.
        holds = [Signal() for _ in range(1 + self._registers)]
        leaves = Signal()
        moves = self._moves(m, holds, leaves)
        # While a word waits nothing else is read.
        m.d.comb += [self.i.ready.eq(moves[0]), self.address.eq(given.address), self.reads.eq(self.i.ready)]
        valid, tag, word = self.i.valid, given.tag, self.data
        for k, (hold, takes) in enumerate(zip(holds, [self.i.ready, *moves[1:]], strict=True)):
            its_tag = Signal.like(given.tag, name=f"tag{k}" if k else "tag", reset_less=True)
            with m.If(takes):
                m.d.sync += [hold.eq(valid), its_tag.eq(tag)]
            valid, tag = hold, its_tag
        if self._registers:
            word = Signal.like(self.data, name="word", reset_less=True)
            with m.If(moves[-1]):
                m.d.sync += word.eq(self.data)
        if self._registers > 1:
            m.d.comb += self.moves.eq(moves[1])
        m.d.comb += [self.o.valid.eq(valid), out.mask.eq(word), out.tag.eq(tag), leaves.eq(self.o.ready)]
        return m

    def _moves(self, m: Module, holds: list[Signal], leaves: Value) -> list[Value]:
        """When each of the places, which hold a word or not, takes what is before it.

        That is when the last word leaves, or when this place or one behind it is free. The latter is a register of
        each place's own: what is behind a map says late whether it takes a word, and the memories hear it across the
        die.
        """
        moves: list[Value] = []
        moving: Value = Const(1)
        waiting: Value = Const(1)
        for k, hold in reversed(list(enumerate(holds))):
            comes = holds[k - 1] if k else self.i.valid
            full = hold if k == len(holds) - 1 else Signal(name=f"full{k}")
            moves.insert(0, ~full | leaves)
            moving, waiting = moving & comes, full | (comes & waiting)
            if full is not hold:
                m.d.sync += full.eq(Mux(leaves, moving, waiting))
        return moves
