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

    Pixels may come in any order, one a cycle: a word is read, and written back with its new bit in the next cycle. What
    was written in that same cycle is not in the word that was read, and comes from a register.

    Parameters
    ----------
    plan
        The memory.
    image
        How the image lies in words.

    Members
    -------
    mark : In(1)
        The pixel at `address` is not 0. It can be read of two cycles later.
    address : In(image.address_bits)
        As the port has it.
    clear : In(1)
        Set the word `cleared` to zeros; not in a cycle with `mark`, nor in the next one.
    cleared : In(range(depth))
    reads : In(1)
        Read the word `row`; not in a cycle with `mark`.
    row : In(range(depth))
    marks : Out(columns)
        The word that was read last.
    """

    mark: Signal
    address: Signal
    clear: Signal
    cleared: Signal
    reads: Signal
    row: Signal
    marks: Signal

    def __init__(self, plan: MemoryPlan, image: LayoutPlan) -> None:
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
        m.d.sync += [
            pending.eq(self.mark),
            at.eq(marked),
            bit.eq(column),
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
        m.d.comb += [value.eq(Mux(again | self.clear, written, read) | new), self.marks.eq(read)]
        return m
