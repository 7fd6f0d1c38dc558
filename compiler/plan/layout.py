"""How arrays of neurons lie in words, and the geometry of the kernels between them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from snnc.compiler.plan.faults import Fault, at_least
from snnc.compiler.plan.ranges import unsigned_bits

__all__ = ["KernelPlan", "LayoutPlan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutPlan:
    """How an array of neurons lies in words: a word holds `lanes` channels of one position.

    The channels fall into `groups` of `lanes`; channel ``c`` is lane ``c % lanes`` of group ``c // lanes``. A word's
    address is the bit fields ``{row, column, group}``, the group lowest, each as wide as its largest value needs: no
    hardware divides to find a position, and the price is addresses that stand for nothing. Fully connected layers have
    one row and one column, so that their addresses are 0, 1, 2, ...

    Words are always visited in the order of their addresses.
    """

    channels: int
    rows: int
    columns: int
    lanes: int

    @property
    def groups(self) -> int:
        return -(-self.channels // self.lanes)

    @property
    def sizes(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.rows, self.columns

    @property
    def neurons(self) -> int:
        return self.channels * self.rows * self.columns

    @property
    def shape(self) -> str:
        """As in an architecture string: ``32x6x6``, or ``128`` where there are no positions."""
        return str(self.channels) if self.sizes == (1, 1) else f"{self.channels}x{self.rows}x{self.columns}"

    @property
    def words(self) -> int:
        """Words that stand for neurons."""
        return self.rows * self.columns * self.groups

    @property
    def group_bits(self) -> int:
        return (self.groups - 1).bit_length()

    @property
    def column_bits(self) -> int:
        return (self.columns - 1).bit_length()

    @property
    def row_bits(self) -> int:
        return (self.rows - 1).bit_length()

    def in_banks(self, count: int) -> LayoutPlan:
        """The words in one of so many column banks: an address lacks the low bits of the column."""
        return dataclasses.replace(self, columns=-(-self.columns // count))

    def columns_of(self, row: int, unit: int, units: int) -> range:
        """The columns of a row that one of so many units has: each begins a column further left than in the row before.

        So rows that do not divide are shared out evenly as well.
        """
        return range((unit - row) % units, self.columns, units)

    def words_of(self, unit: int, units: int) -> tuple[int, ...]:
        """The words of one of so many units, by their number, in the order of their addresses."""
        return tuple(
            (row * self.columns + column) * self.groups + group
            for row in range(self.rows)
            for column in self.columns_of(row, unit, units)
            for group in range(self.groups)
        )

    def address(self, row: int, column: int, group: int) -> int:
        """Of the word that holds the channels of `group` at a position."""
        return ((row << self.column_bits | column) << self.group_bits) | group

    @property
    def depth(self) -> int:
        """Words of a memory that is addressed so."""
        return self.address(self.rows - 1, self.columns - 1, self.groups - 1) + 1

    @property
    def word_bits(self) -> int:
        """Width of the bit fields of an address; 0 where there is one word."""
        return self.group_bits + self.column_bits + self.row_bits

    @property
    def address_bits(self) -> int:
        """Width of an address, at least 1."""
        return unsigned_bits(self.depth - 1)

    def faults(self) -> Iterator[Fault]:
        yield from at_least(self, 1, "channels", "rows", "columns", "lanes")


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelPlan:
    """Geometry of a convolution; pairs are (vertical, horizontal), as in ``docs/semantics.md`` section 1.

    Attributes
    ----------
    size, stride, padding, dilation
        Of the kernel, over the source's sums of ``pool x pool`` windows.
    groups
        Into which the channels of source and target fall.
    """

    size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int

    @property
    def next_column_taps(self) -> int | None:
        """Kernel positions between that through which a column sees an event, and that of the column right of it.

        None where no event reaches columns side by side.
        """
        taps, rest = divmod(self.stride[1], self.dilation[1])
        return None if rest or taps >= self.size[1] else taps

    @property
    def columns_reached(self) -> int:
        """Columns side by side that an event may reach."""
        taps = self.next_column_taps
        return 1 if taps is None else -(-self.size[1] // taps)

    def faults(self) -> Iterator[Fault]:
        yield from at_least(self, 1, "groups")
        for field, least in (("size", 1), ("stride", 1), ("padding", 0), ("dilation", 1)):
            for axis, value in enumerate(getattr(self, field)):
                if value < least:
                    yield Fault(f"{field}[{axis}]", f"is {value}; {least} is the least")
