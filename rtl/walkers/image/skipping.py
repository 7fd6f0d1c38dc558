"""The walk of an image engine that skips pixels of 0: a kernel row at a time, and of each the pixels that are not."""

from amaranth.hdl import Cat, Const, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from snnc.compiler.plan import EnginePlan, InputPlan, unsigned_bits
from snnc.rtl.spike_serialiser import at_most_one, lowest_set_bit
from snnc.rtl.tables import constant_table, position_fields
from snnc.rtl.views import Fields, Payload
from snnc.rtl.walkers.image.circuit import members, table, windows, words
from snnc.rtl.walkers.image.plan import ImageWalk, mark_depth

__all__ = ["SkippingWalker"]


class _KernelRow(Fields):
    """A row of the kernel, at a word."""

    word: Value
    last_word: Value
    """Of the layer."""
    last_row: Value
    """Of the word, in its last channel."""
    channel: Value
    source_row: Value
    weight_row: Value
    """Of the kernel's first column, inside the image or not."""
    blank: Value
    """The whole kernel is above or below the image."""


def _kernel_row(plan: EnginePlan, source: InputPlan) -> Payload[_KernelRow]:
    return Payload(
        _KernelRow,
        {
            "word": plan.layout.address_bits,
            "last_word": 1,
            "last_row": 1,
            "channel": source.layout.group_bits,
            "source_row": source.layout.row_bits,
            "weight_row": unsigned_bits(plan.main.weights.depth - 1),
            "blank": 1,
        },
    )


class SkippingWalker(wiring.Component):
    """Visits the taps that a `Walker` does, in its order, but of each kernel row only those whose pixel is not 0.

    A kernel row without one is a single tap, that is `blank`. Kernel rows are read ahead: after `rewinds`, `filling`
    cycles of `fills` have to bring the first of them, before the first tap is there.

    Parameters
    ----------
    plan
        The engine, whose one projection is an image's.
    source
        The network's input.
    unit
        Of the engine's, whose words are visited.
    registered
        Marks come by way of a register.

    Attributes
    ----------
    filling
        Kernel rows on the way: one whose marks were read, one of which they are in the register, if there is one, one
        whose window was taken, one whose taps are visited.

    Members
    -------
    moves, address, row, last_tap, last_word, final, blank, word
        As a `Walker` has them; but a `blank` tap, which counts as one of a pixel 0, may have any address and row.
    rewinds : In(1)
        Begin again with the first word; nothing is shown until it is filled again.
    fills : In(1)
        Bring the first kernel rows on their way.
    reads : Out(1)
        Read the marks of `mark_row`.
    mark_row : Out(range(depth of the marks))
    marks : In(columns of the source)
        Those that were read last; where they are registered, the ones before that.
    """

    moves: Signal
    address: Signal
    row: Signal
    last_tap: Signal
    last_word: Signal
    final: Signal
    blank: Signal
    word: Signal
    rewinds: Signal
    fills: Signal
    reads: Signal
    mark_row: Signal
    marks: Signal

    def __init__(self, plan: EnginePlan, source: InputPlan, unit: int = 0, *, registered: bool = False) -> None:
        self.filling = 3 + registered
        self._registered = registered
        (projection,) = plan.projections
        walk = projection.walk
        assert isinstance(walk, ImageWalk)
        self._walk = walk
        self._plan = plan
        self._source = source
        self._unit = unit
        super().__init__(
            {
                **members(plan, source),
                "rewinds": In(1),
                "fills": In(1),
                "reads": Out(1),
                "mark_row": Out(unsigned_bits(mark_depth(source.layout) - 1)),
                "marks": In(source.layout.columns),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan, image, kernel = self._plan, self._source.layout, self._walk.kernel
        taps = kernel.size[1]
        shape = _kernel_row(plan, self._source)
        rows = _KernelRows(plan, self._source, self._unit)
        m.submodules.rows = ResetInserter(self.rewinds)(rows)
        read, taken, visited = (shape.signal(name=name, reset_less=True) for name in ("read", "taken", "visited"))
        window, rest = (Signal(taps, name=name, reset_less=True) for name in ("window", "rest"))
        only = Signal(reset_less=True)  # no pixel of the kernel row is left
        event = Signal(reset_less=True)  # there is one
        tap = Signal(unsigned_bits(taps - 1), reset_less=True)

        advances, begins = Signal(), Signal()
        m.d.comb += [
            begins.eq(self.fills | only),
            advances.eq(self.fills | (self.moves & only)),
            rows.moves.eq(advances),
            self.reads.eq(advances),
        ]
        marked = Cat(rows.row.channel, rows.row.source_row)
        if len(marked):
            m.d.comb += self.mark_row.eq(marked)
        arrived = read
        if self._registered:
            arrived = shape.signal(name="arrived", reset_less=True)
            with m.If(advances):
                m.d.sync += arrived.eq(read)
        with m.If(advances):
            m.d.sync += [
                read.eq(rows.row),
                taken.eq(arrived),
                window.eq(Mux(arrived.blank, 0, self._window(arrived.word))),
                visited.eq(taken),
            ]
        # The search for a pixel is that for the next one, as in a `SpikeSerialiser`.
        left = Signal(taps)
        m.d.comb += left.eq(Mux(begins, window, rest))
        onehot, found = lowest_set_bit(m, left)
        with m.If(self.fills | self.moves):
            m.d.sync += [
                tap.eq(found),
                rest.eq(left & ~onehot),
                only.eq(at_most_one(m, left)),
                event.eq(left.any()),
            ]

        # Outside the image no pixel is marked, so that a column wraps around where nobody looks.
        _, column, _ = position_fields(visited.word, plan.layout)
        origins = [at * kernel.stride[1] - kernel.padding[1] for at in range(plan.layout.columns)]
        wraps = 1 << image.column_bits
        origin = constant_table(m, "origin", column, [at % wraps for at in origins])
        beside = constant_table(m, "beside", tap, [v * kernel.dilation[1] % wraps for v in range(taps)])
        across = constant_table(m, "across", tap, [v * self._walk.row_stride for v in range(taps)])
        at_column = (origin + beside)[: image.column_bits]
        m.d.comb += [
            self.address.eq(Cat(visited.channel, at_column, visited.source_row)),
            self.row.eq(visited.weight_row + across),
            self.last_tap.eq(only & visited.last_row),
            self.last_word.eq(visited.last_word),
            self.final.eq(self.last_tap & visited.last_word),
            self.blank.eq(~event),
            self.word.eq(visited.word),
        ]
        return m

    def _window(self, word: Value) -> Value:
        """Of a row's marks those below the kernel's columns at a word."""
        layout, kernel, columns = self._plan.layout, self._walk.kernel, self._source.layout.columns
        _, column, _ = position_fields(word, layout)

        def mark(at: int) -> Value:
            return self.marks[at] if 0 <= at < columns else Const(0, 1)

        found = []
        for v in range(kernel.size[1]):
            first = v * kernel.dilation[1] - kernel.padding[1]
            bits = Cat(mark(first + at * kernel.stride[1]) for at in range(layout.columns))
            found.append(bits.bit_select(column, 1) if len(column) else bits)
        return Cat(found)


class _KernelRows(wiring.Component):
    """Goes through the kernel rows inside the image, of all words in order and in each channel.

    Where none is inside, a blank one stands for them.

    Members
    -------
    moves : In(1)
        Go on to the next one.
    row : Out(_KernelRow)
    """

    moves: Signal
    row: _KernelRow

    def __init__(self, plan: EnginePlan, source: InputPlan, unit: int) -> None:
        self._plan = plan
        self._source = source
        self._unit = unit
        super().__init__({"moves": In(1), "row": Out(_kernel_row(plan, source))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan, image = self._plan, self._source.layout
        walk = plan.main.walk
        assert isinstance(walk, ImageWalk)
        inside = windows(walk.kernel, 0, image.rows, plan.layout.rows)
        kernel_rows, kernel_columns = walk.kernel.size
        line = kernel_columns * walk.row_stride
        first = inside[0]
        channel = Signal(unsigned_bits(image.groups - 1)) if image.groups > 1 else Const(0, 1)
        source_row = Signal(unsigned_bits(image.rows - 1), init=first.source)
        left = Signal(unsigned_bits(kernel_rows - 1), init=first.taps - 1)
        weight_row = Signal(len(self.row.weight_row), init=first.kernel * line)
        end, last_row = Signal(), Signal()
        m.d.comb += [end.eq(left == 0), last_row.eq(end & (channel == image.groups - 1))]
        word = words(m, plan, self._unit, ends=last_row, moves=self.moves)
        m.d.comb += [
            self.row.word.eq(word.address),
            self.row.last_word.eq(word.last),
            self.row.last_row.eq(last_row),
            self.row.channel.eq(channel),
            self.row.source_row.eq(source_row),
            self.row.weight_row.eq(weight_row),
            self.row.blank.eq(table(m, word.row, [window.blank for window in inside])),
        ]
        with m.If(self.moves):
            m.d.sync += [
                source_row.eq(source_row + walk.kernel.dilation[0]),
                left.eq(left - 1),
                weight_row.eq(weight_row + line),
            ]
            with m.If(end):
                m.d.sync += [
                    source_row.eq(table(m, word.next_row, [window.source for window in inside])),
                    left.eq(table(m, word.next_row, [window.taps - 1 for window in inside])),
                ]
                if image.groups > 1:
                    # Over what of the next channel is above the image, and of this one below it.
                    plane = [(kernel_rows - window.taps + 1) * line for window in inside]
                    m.d.sync += [
                        channel.eq(Mux(channel == image.groups - 1, 0, channel + 1)),
                        weight_row.eq(weight_row + table(m, word.row, plane)),
                    ]
            with m.If(last_row):
                down = table(m, word.next_row, [window.kernel * line for window in inside])
                m.d.sync += weight_row.eq(down + word.next_group)
        return m
