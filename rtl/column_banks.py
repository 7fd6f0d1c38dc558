"""How an engine's operations are shared out among its column banks."""

from amaranth.hdl import Cat, Const, Mux, Value

from snnc.compiler.plan import EnginePlan
from snnc.rtl.beats import Operation

__all__ = ["share_out"]


def share_out(plan: EnginePlan, operation: Operation, bank: int) -> tuple[Value, Value, Value]:
    """Whether an operation has a part in `bank`, and that part's word, in `EnginePlan.bank_layout`, and weight row.

    Neighbouring columns lie in neighbouring banks: the bank that is ``k`` behind that of the operation's first column
    has the ``k``-th column right of it, if the operation reaches so far.
    """
    bits = (plan.column_banks - 1).bit_length()
    group_bits = plan.layout.group_bits
    first = operation.word[group_bits : group_bits + bits]
    place = (Const(bank, bits) - first)[:bits]
    # {row, column} without the bank; a column that has come round to a lower bank is one further.
    above = operation.word[group_bits + bits :]
    if bank < plan.column_banks - 1:
        above = (above + (first > bank))[: len(above)]
    word = Cat(operation.word[:group_bits], above)
    # Only those projections reach a second column whose rows are so far apart.
    row = operation.row
    for k, projection in enumerate(plan.projections):
        apart = projection.walk.next_column_rows
        if apart is not None:
            row = Mux(operation.turn == k, operation.row - place * apart, row)
    return place <= operation.more, word, row[: len(operation.row)]
