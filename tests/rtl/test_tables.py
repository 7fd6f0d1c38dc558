"""The combinational parts: fields of an address, and tables of constants."""

from __future__ import annotations

import pytest
from amaranth.hdl import Signal, Value

from snnc.compiler.plan import LayoutPlan
from snnc.rtl.tables import constant_table, position_fields
from tests.rtl.benches import evaluate
from tests.rtl.plans import layout


@pytest.mark.parametrize("values", [[7], [0], [3, 0], [5, 1, 4], [0, 1, 2, 3, 255]], ids=str)
@pytest.mark.parametrize("spare_bits", [0, 1])
def test_a_table_gives_the_value_of_every_index(values: list[int], spare_bits: int) -> None:
    index = Signal((len(values) - 1).bit_length() + spare_bits)
    stimulus = [{"index": k} for k in range(len(values))]
    found = evaluate(lambda m: {"value": constant_table(m, "table", index, values)}, {"index": index}, stimulus)
    assert [item["value"] for item in found] == values


def test_a_table_is_as_wide_as_its_largest_value() -> None:
    index = Signal(2)
    found = evaluate(lambda m: {"width": Value.cast(len(constant_table(m, "table", index, [1, 9, 2])))}, {}, [{}])
    assert found == [{"width": 4}]


@pytest.mark.parametrize(
    "plan", [layout(1), layout(6, lanes=2), layout(1, 5, 1), layout(1, 1, 3), layout(5, 3, 6)], ids=lambda p: p.shape
)
def test_fields_take_an_address_apart(plan: LayoutPlan) -> None:
    address = Signal(plan.address_bits)
    places = [(r, c, g) for r in range(plan.rows) for c in range(plan.columns) for g in range(plan.groups)]
    found = evaluate(
        lambda m: dict(zip(("group", "column", "row"), position_fields(address, plan), strict=True)),
        {"address": address},
        [{"address": plan.address(*place)} for place in places],
    )
    assert [(item["row"], item["column"], item["group"]) for item in found] == places
