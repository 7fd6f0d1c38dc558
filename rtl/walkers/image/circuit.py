"""The walk of an image engine: over the words of its layer, and for each over the pixels below its kernel."""

import dataclasses
from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from snnc.compiler.plan import EnginePlan, InputPlan, KernelPlan, unsigned_bits
from snnc.rtl.engines.image.plan import ImageKind
from snnc.rtl.tables import constant_table, position_fields
from snnc.rtl.walkers.image.plan import ImageWalk
from snnc.rtl.word_counter import WordCounter

__all__ = ["Walker", "Window", "windows"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Where the kernel of one output row (or column) lies inside the image.

    Attributes
    ----------
    kernel
        First row of the kernel that is inside.
    source
        The image's row there.
    taps
        Rows of the kernel that are inside; 1 where none is, which then counts as a row of zeros.
    blank
        None is.
    """

    kernel: int
    source: int
    taps: int
    blank: bool


def windows(kernel: KernelPlan, axis: int, source: int, target: int) -> tuple[Window, ...]:
    """Of all output rows (`axis` 0) or columns (1), given both sizes."""
    size, stride, padding, dilation = (
        pair[axis] for pair in (kernel.size, kernel.stride, kernel.padding, kernel.dilation)
    )
    found = []
    for at in range(target):
        inside = [u for u in range(size) if 0 <= at * stride + u * dilation - padding < source]
        first = inside[0] if inside else 0
        found.append(
            Window(
                kernel=first,
                source=at * stride + first * dilation - padding if inside else 0,
                taps=len(inside) or 1,
                blank=not inside,
            )
        )
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Word:
    """What a word's taps follow from: where its kernel begins, and which of its rows and columns are walked."""

    word: Value
    last: Value
    group: Value
    source_row: Value
    source_column: Value
    rows: Value
    columns: Value

    @property
    def blank(self) -> Value:
        """No tap is walked."""
        return ~(self.rows.any() & self.columns.any())


class Walker(wiring.Component):
    """Visits the taps of all words in order: words by address, taps by channel, kernel row, kernel column.

    In an engine that skips, what lies in a row or a column of the image that has no pixel but 0 is left out; a word
    that nothing is left of has one tap. Its registers hold one tap of one word, and are what memories are addressed
    with; the whole next word is in registers as well, and what comes behind it is looked up when a word ends.

    Parameters
    ----------
    plan
        The engine, whose one projection is an image's.
    source
        The network's input.
    unit
        Of the engine's, whose words are visited.

    Members
    -------
    marks : In(1)
        The pixel at the address `pixel` is not 0.
    pixel : In(range(depth of the source's layout))
    clears : In(1)
        All of them are.
    restarts : In(1)
        The first word is what comes next: after two cycles with `primes` the registers hold its first tap.
    primes : In(1)
    moves : In(1)
        Go on to the next tap.
    address : Out(range(depth of the source's layout))
        Of the tap's pixel.
    row : Out(range(depth of the weights))
        The weight row of this tap and word.
    last_tap, last_word, final : Out(1)
        This tap is the word's last, this word is the layer's last; both.
    blank : Out(1)
        There is nothing to add: the tap counts as one of a pixel 0.
    word : Out(range(depth of the layout))
        Address of this word.
    """

    marks: Signal
    pixel: Signal
    clears: Signal
    restarts: Signal
    primes: Signal
    moves: Signal
    address: Signal
    row: Signal
    last_tap: Signal
    last_word: Signal
    final: Signal
    blank: Signal
    word: Signal

    def __init__(self, plan: EnginePlan, source: InputPlan, unit: int = 0) -> None:
        self._plan = plan
        self._unit = unit
        self._source = source
        (projection,) = plan.projections
        walk = projection.walk
        assert isinstance(walk, ImageWalk)
        self._walk = walk
        self._skips = isinstance(plan.kind, ImageKind) and plan.kind.skips
        super().__init__(
            {
                "marks": In(1),
                "pixel": In(source.layout.address_bits),
                "clears": In(1),
                "restarts": In(1),
                "primes": In(1),
                "moves": In(1),
                "address": Out(source.layout.address_bits),
                "row": Out(unsigned_bits(projection.weights.depth - 1)),
                "last_tap": Out(1),
                "last_word": Out(1),
                "final": Out(1),
                "blank": Out(1),
                "word": Out(plan.layout.address_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        steps = Signal()  # to the next word
        m.d.comb += steps.eq(self.primes | (self.moves & self.last_tap))
        word = self._next_word(m, steps)
        self._taps(m, word, steps)
        return m

    def _seen(self, m: Module) -> tuple[Value, Value]:
        """The rows and the columns of the image that have a pixel which is not 0; all where none are left out."""
        if not self._skips:
            rows, columns = (~Const(0, size) for size in self._source.layout.sizes)
            return rows, columns
        _, column, row = position_fields(self.pixel, self._source.layout)
        found = []
        for name, size, at in zip(("rows", "columns"), self._source.layout.sizes, (row, column), strict=True):
            seen = Signal(size, name=f"{name}_seen")
            with m.If(self.clears):
                m.d.sync += seen.eq(0)
            with m.Elif(self.marks):
                m.d.sync += (seen.bit_select(at, 1) if len(at) else seen).eq(1)
            found.append(seen)
        return found[0], found[1]

    def _next_word(self, m: Module, steps: Value) -> _Word:
        """Registers of the next word; the one behind it is counted, and looked up, when they take it."""
        layout, kernel = self._plan.layout, self._walk.kernel
        counter = WordCounter(layout, self._unit, self._plan.units)
        m.submodules.ahead = ResetInserter(self.restarts)(counter)
        group, column, row = position_fields(counter.address, layout)
        found: dict[str, Value] = {"word": counter.address, "last": counter.last, "group": group}
        for axis, (name, at, seen) in enumerate(zip(("row", "column"), (row, column), self._seen(m), strict=True)):
            size, target = self._source.layout.sizes[axis], layout.sizes[axis]
            begins = [k * kernel.stride[axis] - kernel.padding[axis] for k in range(target)]
            bits = unsigned_bits(size - 1)
            # Where a kernel begins outside, what is inside of it is met modulo a power of two.
            found[f"source_{name}"] = constant_table(m, f"source_{name}", at, [one % (1 << bits) for one in begins])
            walked = Signal(kernel.size[axis], name=f"walked_{name}s")
            found[f"{name}s"] = walked
            places = [[one + u * kernel.dilation[axis] for u in range(kernel.size[axis])] for one in begins]
            masks = [Cat(seen[k] if 0 <= k < size else Const(0, 1) for k in of_word) for of_word in places]
            m.d.comb += walked.eq(masks[-1])
            for k, mask in enumerate(masks[:-1]):
                with m.If(at == k):
                    m.d.comb += walked.eq(mask)
        held = {}
        m.d.comb += counter.step.eq(steps)
        for name, value in found.items():
            held[name] = Signal.like(value, name=f"next_{name}", reset_less=True) if len(value) else value
            if len(value):
                with m.If(steps):
                    m.d.sync += held[name].eq(value)
        return _Word(**held)

    def _taps(self, m: Module, word: _Word, steps: Value) -> None:
        """The tap, and the next one, of this word or of `word`."""
        image, kernel, stride = self._source.layout, self._walk.kernel, self._walk.row_stride
        here = _Word(
            **{
                field.name: Signal.like(value, name=f"its_{field.name}", reset_less=True) if len(value) else value
                for field in dataclasses.fields(_Word)
                for value in (getattr(word, field.name),)
            }
        )
        with m.If(steps):
            m.d.sync += [
                getattr(here, field.name).eq(getattr(word, field.name))
                for field in dataclasses.fields(_Word)
                if len(getattr(word, field.name))
            ]
        blank = Signal(name="is_blank", reset_less=True)
        channel = Signal(unsigned_bits(image.groups - 1)) if image.groups > 1 else Const(0, 1)
        rows_left, columns_left = (
            Signal(size, name=f"{name}_left", reset_less=True)
            for name, size in zip(("rows", "columns"), kernel.size, strict=True)
        )
        source_row = Signal(unsigned_bits(image.rows - 1), reset_less=True)
        source_column = Signal(unsigned_bits(image.columns - 1), reset_less=True)
        weight_row = Signal(len(self.row), reset_less=True)
        down = Signal(len(self.row), reset_less=True)  # the weight row's part of channel and kernel row
        end_row, end_column = rows_left == 0, columns_left == 0
        m.d.comb += [
            self.address.eq(
                Cat(channel[: image.group_bits], source_column[: image.column_bits], source_row[: image.row_bits])
            ),
            self.row.eq(weight_row),
            self.blank.eq(blank),
            self.word.eq(here.word),
            self.last_word.eq(here.last),
            self.last_tap.eq(end_column & end_row & ((channel == image.groups - 1) | blank)),
            self.final.eq(self.last_word & self.last_tap),
        ]

        # --- what comes next: of the kernel's columns one more; or of its rows, and the columns from the start ---
        columns, rows, next_channel = Signal(kernel.size[1]), Signal(kernel.size[0]), Signal.like(channel)
        m.d.comb += [
            columns.eq(Mux(steps, word.columns, Mux(end_column, here.columns, columns_left))),
            rows.eq(Mux(steps, word.rows, Mux(end_row, here.rows, rows_left))),
            next_channel.eq(Mux(steps, 0, channel + 1)),
        ]
        planes = [
            [(k * kernel.size[0] + u) * kernel.size[1] * stride for u in range(kernel.size[0])]
            for k in range(image.groups)
        ]
        row, column = _lowest(m, "row", rows), _lowest(m, "column", columns)
        next_down = Signal.like(down)
        m.d.comb += next_down.eq(down)
        turns = steps | end_column
        with m.If(turns):
            of_channel = _table(m, Mux(steps | end_row, next_channel, channel), [plane[0] for plane in planes])
            m.d.comb += next_down.eq(_table(m, row, planes[0]) + of_channel)
        group = Mux(steps, word.group, here.group) if len(word.group) else Const(0, 1)
        with m.If(self.primes | self.moves):
            m.d.sync += [
                columns_left.eq(columns & (columns - 1)),
                source_column.eq(
                    Mux(steps, word.source_column, here.source_column)
                    + _table(m, column, [v * kernel.dilation[1] for v in range(kernel.size[1])])
                ),
                down.eq(next_down),
                weight_row.eq(next_down + _table(m, column, [v * stride for v in range(kernel.size[1])]) + group),
            ]
            with m.If(turns):
                m.d.sync += [
                    rows_left.eq(rows & (rows - 1)),
                    source_row.eq(
                        Mux(steps, word.source_row, here.source_row)
                        + _table(m, row, [u * kernel.dilation[0] for u in range(kernel.size[0])])
                    ),
                ]
                if image.groups > 1:
                    with m.If(steps | end_row):
                        m.d.sync += channel.eq(next_channel)
            with m.If(steps):
                m.d.sync += blank.eq(word.blank)
                with m.If(word.blank):
                    m.d.sync += [rows_left.eq(0), columns_left.eq(0)]


def _lowest(m: Module, name: str, bits: Value) -> Signal:
    """The number of the lowest bit that is set; 0 where none is."""
    found = Signal(unsigned_bits(len(bits) - 1), name=f"next_kernel_{name}")
    for k in reversed(range(len(bits))):
        with m.If(bits[k]):
            m.d.comb += found.eq(k)
    return found


def _table(m: Module, index: Value, values: list[int]) -> Signal:
    return constant_table(m, "found", index, values)
