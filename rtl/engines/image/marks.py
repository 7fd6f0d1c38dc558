"""Which pixels of an image are not 0."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from snnc.compiler.plan import LayoutPlan, MemoryPlan, unsigned_bits
from snnc.rtl.memories import block_ram
from snnc.rtl.tables import position_fields

__all__ = ["Marks"]


class Marks(wiring.Component):
    """A bit for each pixel, a row of a channel per word of a block RAM (`ImageKind.marks`).

    Pixels may come in any order, one a cycle: a word is read, and written back with its new bit `delay` cycles later.
    What was written from the cycle of the read on is not in the word that was read, and comes from registers.

    Parameters
    ----------
    plan
        The memory.
    image
        How the image lies in words.
    registered
        A word goes to a register, and nowhere else, as it comes out of the memory: where that is late, reading, setting
        and writing in one cycle would be a chip's longest path.

    Attributes
    ----------
    delay
        Cycles from `mark` to the write: 1, or 2 where the word is registered.

    Members
    -------
    mark : In(1)
        The pixel at `address` is not 0. Its word can be read `delay` + 1 cycles later.
    address : In(image.address_bits)
        As the port has it.
    clear : In(1)
        Set the word `cleared` to zeros; not in a cycle with `mark`, nor in the two behind it.
    cleared : In(range(depth))
    reads : In(1)
        Read the word `row`; not in a cycle with `mark`.
    row : In(range(depth))
    marks : Out(columns)
        The word that was read last; where it is registered the one that was read before that, from a cycle after the
        last read on.
    """

    mark: Signal
    address: Signal
    clear: Signal
    cleared: Signal
    reads: Signal
    row: Signal
    marks: Signal

    def __init__(self, plan: MemoryPlan, image: LayoutPlan, *, registered: bool = False) -> None:
        self.delay = 1 + registered
        self._plan = plan
        self._image = image
        words = unsigned_bits(plan.depth - 1)
        super().__init__(
            {
                "mark": In(1),
                "address": In(image.address_bits),
                "clear": In(1),
                "cleared": In(words),
                "reads": In(1),
                "row": In(words),
                "marks": Out(plan.width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        group, column, row = position_fields(self.address, self._image)
        pending, again = Signal(), Signal(reset_less=True)
        at, bit = Signal.like(self.row, reset_less=True), Signal(len(column), reset_less=True)
        written, value = Signal.like(self.marks), Signal.like(self.marks)
        marked: Value = Cat(group, row) if len(group) + len(row) else Const(0, 1)
        reading, reading_at, reading_bit = self._reading(m, marked, column)
        m.d.sync += [
            pending.eq(reading),
            at.eq(reading_at),
            bit.eq(reading_bit),
            again.eq(pending & (marked == at)),
            # Zeros but behind a mark: that is what clears.
            written.eq(Mux(pending, value, 0)),
        ]
        read = block_ram(
            m,
            "memory",
            width=self._plan.width,
            depth=self._plan.depth,
            read=Mux(self.reads, self.row, marked),
            reads=self.reads | self.mark,
            write=pending | self.clear,
            write_address=Mux(self.clear, self.cleared, at),
            value=value,
        )
        new = Cat(pending & (bit == k) for k in range(self._plan.width))
        if self.delay == 1:
            m.d.comb += [value.eq(Mux(again | self.clear, written, read) | new), self.marks.eq(read)]
            return m
        # Newest: the mark in front is of the same word. Fresh: the memory was not just writing that word, so that what
        # it gives is right; as bits are only set, all that this can lack is what is known of the mark in front.
        newest, fresh, kept = Signal(), Signal(), Signal()
        word, known = Signal.like(self.marks, reset_less=True), Signal.like(self.marks)
        m.d.sync += [
            newest.eq(self.mark & reading & (marked == reading_at)),
            fresh.eq(self.mark & ~(pending & (marked == at))),
            kept.eq(fresh),
            known.eq(Mux(newest, value, Mux(reading & again, written, 0))),
        ]
        with m.If(self.reads | reading):
            m.d.sync += word.eq(read)
        m.d.comb += [value.eq(word & kept.replicate(len(word)) | known | new), self.marks.eq(word)]
        return m

    def _reading(self, m: Module, marked: Value, column: Value) -> tuple[Value, Value, Value]:
        """The mark that is written next, its word and its bit, while its word is on the way to where it is written."""
        if self.delay == 1:
            return self.mark, marked, column
        reading = Signal()
        at, bit = Signal.like(self.row, reset_less=True), Signal(len(column), reset_less=True)
        m.d.sync += [reading.eq(self.mark), at.eq(marked), bit.eq(column)]
        return reading, at, bit
