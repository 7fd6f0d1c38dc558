"""Small combinational parts that several units are made of."""

from collections.abc import Sequence

from amaranth.hdl import Const, Module, Signal, Value

from snnc.compiler.plan import LayoutPlan, unsigned_bits

__all__ = ["constant_table", "last_column", "position_fields"]


def position_fields(address: Value, layout: LayoutPlan) -> tuple[Value, Value, Value]:
    """The group, column and row of a word's address; without a bit where there is only one."""
    column, row = layout.group_bits, layout.group_bits + layout.column_bits
    return address[:column], address[column:row], address[row : row + layout.row_bits]


def last_column(column: Value, layout: LayoutPlan, units: int) -> Value:
    """Whether a column of one of so many units is the last of its row (`LayoutPlan.columns_of`)."""
    return Const(1, 1) if layout.columns == units else column >= layout.columns - units


def constant_table(m: Module, name: str, index: Value, values: Sequence[int]) -> Signal:
    """The value of `index`, as logic; where there is no such value, any."""
    result = Signal(unsigned_bits(max(values)), name=name)
    if len(index) == 0:
        m.d.comb += result.eq(values[0])
        return result
    with m.Switch(index):
        for position, value in enumerate(values[:-1]):
            with m.Case(position):
                m.d.comb += result.eq(value)
        with m.Default():
            m.d.comb += result.eq(values[-1])
    return result
