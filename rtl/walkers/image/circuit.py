"""The walk of an image engine: over the words of its layer, and for each over the pixels below its kernel."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from snnc.compiler.plan import EnginePlan, InputPlan, KernelPlan, unsigned_bits
from snnc.rtl.tables import constant_table, position_fields
from snnc.rtl.walkers.image.plan import ImageWalk
from snnc.rtl.word_counter import WordCounter

__all__ = ["Walker", "Window", "Word", "members", "table", "windows", "words"]


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
class Word:
    """The word whose taps are visited, whether it is the layer's last, and fields of it and of the next tap's word."""

    address: Signal
    last: Signal
    column: Value
    row: Value
    next_group: Value
    next_column: Value
    next_row: Value


def words(m: Module, plan: EnginePlan, unit: int, *, ends: Value, moves: Value) -> Word:
    """Count the unit's words: by group, then column, then row. `ends` says that the next tap is the next word's.

    The next word is counted ahead, so that a word's end has to be carried through no counter before the tables are
    looked up.
    """
    layout, units = plan.layout, plan.units
    count = len(layout.words_of(unit, units))
    m.submodules.ahead = ahead = WordCounter(layout, unit, units, first=1 % count)
    word = Signal(layout.address_bits, name="word", init=layout.address(0, unit, 0))
    last_word = Signal(init=count == 1)
    m.d.comb += ahead.step.eq(moves & ends)
    with m.If(ahead.step):
        m.d.sync += [word.eq(ahead.address), last_word.eq(ahead.last)]
    following = Signal.like(word)
    m.d.comb += following.eq(Mux(ends, ahead.address, word))
    _, column, row = position_fields(word, layout)
    next_group, next_column, next_row = position_fields(following, layout)
    return Word(
        address=word,
        last=last_word,
        column=column,
        row=row,
        next_group=next_group,
        next_column=next_column,
        next_row=next_row,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tap:
    """The register of the tap's weight row, and whether the tap is the last of its kernel row, and of its kernel."""

    weight_row: Signal
    end_column: Value
    end_row: Value


def members(plan: EnginePlan, source: InputPlan) -> dict[str, wiring.Member]:
    """The ports of a walk over an image, as `Walker` has them."""
    lanes = source.layout.lanes
    return {
        "moves": In(1),
        "address": Out(source.layout.address_bits),
        **({"lane": Out(unsigned_bits(lanes - 1))} if lanes > 1 else {}),
        "row": Out(unsigned_bits(plan.main.weights.depth - 1)),
        "last_tap": Out(1),
        "last_word": Out(1),
        "final": Out(1),
        "blank": Out(1),
        "word": Out(plan.layout.address_bits),
    }


class Walker(wiring.Component):
    """Visits the taps of all words in order: words by address, taps by channel, kernel row, kernel column.

    Its registers hold one tap of one word, and are what memories are addressed with; the last word's last tap is
    followed by the first one's first.

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
    moves : In(1)
        Go on to the next tap.
    address : Out(range(depth of the source's layout))
        Of the word of the tap's pixel.
    lane : Out(range(lanes of the source's layout))
        Of the pixel in it (only where a word has several).
    row : Out(range(depth of the weights))
        The weight row of this tap and word.
    last_tap, last_word, final : Out(1)
        This tap is the word's last, this word is the layer's last; both.
    blank : Out(1)
        The whole kernel is outside the image: the tap counts as one of a pixel 0.
    word : Out(range(depth of the layout))
        Address of this word.
    """

    moves: Signal
    address: Signal
    lane: Signal
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
        self._rows = windows(walk.kernel, 0, source.layout.rows, plan.layout.rows)
        self._columns = windows(walk.kernel, 1, source.layout.columns, plan.layout.columns)
        super().__init__(members(plan, source))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        ends = Signal(name="ends_word")
        word = words(m, self._plan, self._unit, ends=ends, moves=self.moves)
        m.d.comb += [
            ends.eq(self.last_tap),
            self.word.eq(word.address),
            self.last_word.eq(word.last),
            self.final.eq(word.last & self.last_tap),
        ]
        tap = self._taps(m, word)
        self._weight_rows(m, word, tap)
        return m

    def _taps(self, m: Module, word: Word) -> _Tap:
        """The tap; its tables are read where a row of the kernel ends."""
        image, kernel = self._source.layout, self._walk.kernel
        kernel_rows, kernel_columns = kernel.size
        channel = Signal(unsigned_bits(image.channels - 1)) if image.channels > 1 else Const(0, 1)
        # Of several lanes there are a power of two, or all channels: the lowest bits of a channel are its lane.
        lane_bits = (image.lanes - 1).bit_length()
        first_row, first_column = self._rows[0], self._columns[self._unit]
        source_row = Signal(unsigned_bits(image.rows - 1), init=first_row.source)
        source_column = Signal(unsigned_bits(image.columns - 1), init=first_column.source)
        rows_left = Signal(unsigned_bits(kernel_rows - 1), init=first_row.taps - 1)
        columns_left = Signal(unsigned_bits(kernel_columns - 1), init=first_column.taps - 1)
        start = (first_row.kernel * kernel_columns + first_column.kernel) * self._walk.row_stride
        weight_row = Signal(len(self.row), init=start)

        end_column, end_row = columns_left == 0, rows_left == 0
        m.d.comb += [
            self.address.eq(
                Cat(
                    channel[lane_bits : lane_bits + image.group_bits],
                    source_column[: image.column_bits],
                    source_row[: image.row_bits],
                )
            ),
            self.last_tap.eq(end_column & end_row & (channel == image.channels - 1)),
            self.row.eq(weight_row),
            self.blank.eq(
                table(m, word.row, [w.blank for w in self._rows])
                | table(m, word.column, [w.blank for w in self._columns])
            ),
        ]
        if lane_bits:
            m.d.comb += self.lane.eq(channel[:lane_bits])
        with m.If(self.moves):
            m.d.sync += [source_column.eq(source_column + kernel.dilation[1]), columns_left.eq(columns_left - 1)]
            with m.If(end_column):
                m.d.sync += [
                    source_column.eq(table(m, word.next_column, [w.source for w in self._columns])),
                    columns_left.eq(table(m, word.next_column, [w.taps - 1 for w in self._columns])),
                    source_row.eq(source_row + kernel.dilation[0]),
                    rows_left.eq(rows_left - 1),
                ]
                with m.If(end_row):
                    m.d.sync += [
                        source_row.eq(table(m, word.next_row, [w.source for w in self._rows])),
                        rows_left.eq(table(m, word.next_row, [w.taps - 1 for w in self._rows])),
                    ]
                    if image.channels > 1:
                        m.d.sync += channel.eq(Mux(channel == image.channels - 1, 0, channel + 1))
        return _Tap(weight_row=weight_row, end_column=end_column, end_row=end_row)

    def _weight_rows(self, m: Module, word: Word, tap: _Tap) -> None:
        """From tap to tap, over what is outside at the end of a kernel row, and of a channel."""
        stride = self._walk.row_stride
        kernel_rows, kernel_columns = self._walk.kernel.size
        line = [(kernel_columns - w.taps + 1) * stride for w in self._columns]
        plane = [(kernel_rows - w.taps) * kernel_columns * stride for w in self._rows]
        beyond = Signal(len(tap.weight_row))
        m.d.comb += beyond.eq(stride)
        with m.If(tap.end_column):
            m.d.comb += beyond.eq(table(m, word.column, line))
            if self._source.layout.channels > 1:
                with m.If(tap.end_row):
                    m.d.comb += beyond.eq(table(m, word.column, line) + table(m, word.row, plane))
        with m.If(self.moves):
            m.d.sync += tap.weight_row.eq(tap.weight_row + beyond)
            with m.If(self.last_tap):
                across = table(m, word.next_column, [w.kernel * stride for w in self._columns])
                down = table(m, word.next_row, [w.kernel * kernel_columns * stride for w in self._rows])
                m.d.sync += tap.weight_row.eq(down + across + word.next_group)


def table(m: Module, index: Value, values: list[int]) -> Signal:
    """The value of a row, or of a column."""
    return constant_table(m, "found", index, values)
