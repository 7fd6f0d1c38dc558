"""How an operation falls into parts: bank by bank, against the columns that it reaches."""

from __future__ import annotations

from typing import Any

import pytest
from amaranth.hdl import Signal

from snnc.compiler.plan import LayoutPlan
from snnc.rtl.beats import operation
from snnc.rtl.column_banks import share_out
from tests.rtl.benches import evaluate
from tests.rtl.plans import convolution, dense, engine, layout


@pytest.mark.parametrize("banks", [2, 4])
@pytest.mark.parametrize(
    "target",
    [layout(1, 2, 4), layout(3, 2, 5), layout(4, 3, 6, lanes=2), layout(2, 1, 9), layout(1, 1, 2)],
    ids=lambda target: f"{target.shape} by {target.lanes}",
)
def test_every_column_is_updated_in_its_own_bank(banks: int, target: LayoutPlan) -> None:
    source = layout(2, 3, 9)
    side = dense(source, target)
    # Two kernel positions, of `groups` rows each, lie between a column and the next.
    main = convolution(source, target, size=(3, 5), stride=(1, 2), padding=(1, 2))
    plan = engine(target, (side, main), column_banks=banks)
    apart = 2 * target.groups
    places = [
        (row, column, group, more, turn)
        for row in range(target.rows)
        for column in range(target.columns)
        for group in range(target.groups)
        for turn in (0, 1)
        for more in range(min(banks, target.columns - column) if turn else 1)
    ]
    highest = main.weights.depth - 1
    op: Any = Signal(operation(plan))
    for bank in range(banks):
        found = evaluate(
            lambda m, bank=bank: dict(zip(("part", "word", "row"), share_out(plan, op, bank), strict=True)),  # type: ignore[misc]
            {"word": op.word, "row": op.row, "more": op.more, "turn": op.turn},
            [
                {"word": target.address(row, column, group), "row": highest, "more": more, "turn": turn}
                for row, column, group, more, turn in places
            ],
        )
        for (row, column, group, more, turn), item in zip(places, found, strict=True):
            reached = [x for x in range(column, column + more + 1) if x % banks == bank]
            assert item["part"] == len(reached), (row, column, more)
            for x in reached:
                assert item["word"] == plan.bank_layout.address(row, x // banks, group)
                assert item["row"] == highest - (x - column) * apart * turn
