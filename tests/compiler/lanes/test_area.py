"""The estimate of logic cells against what nextpnr packed: the table of `benchmarks/logic.py`."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.logic import Row, amounts, cases, errors, fitted, planned, rows
from snnc.compiler.lanes.area import engine_cells, terms_of, total_cells
from snnc.compiler.targets import TARGETS, find_device, load_target
from tests.compiler.networks import random_design

ROWS = list(rows())

LARGEST = {
    ("ice40", "fit"): 0.10,
    ("ice40", "held-out"): 0.16,
    ("ecp5", "fit"): 0.18,
    ("ecp5", "held-out"): 0.22,
    ("gowin", "fit"): 0.16,
    ("gowin", "held-out"): 0.42,
    ("gatemate", "fit"): 0.11,
    ("gatemate", "held-out"): 0.28,
}
"""Of the relative errors, as `fit` prints them, rounded up."""


def of(family: str, which: str) -> list[Row]:
    return [row for row in ROWS if (row.case.family, row.case.set) == (family, which)]


def quick(family: str) -> list[Row]:
    """Of each kind of design the smallest one."""
    largest_first = sorted((row for row in ROWS if row.case.family == family), key=lambda row: -row.packed)
    return list({row.case.kind: row for row in largest_first}.values())


def test_rows_are_of_designs_in_the_table():
    assert {row.case.title for row in ROWS} <= {case.title for case in cases()}


@pytest.mark.parametrize("family", TARGETS)
def test_factors_are_those_of_the_fit(family):
    assert load_target(family).logic == pytest.approx(fitted(ROWS)[family], rel=0.01)


@pytest.mark.parametrize(("family", "which"), LARGEST)
def test_errors_are_as_large_as_stated(family, which):
    assert np.abs(errors(of(family, which), load_target(family).logic)).max() <= LARGEST[family, which]


@pytest.mark.parametrize("family", TARGETS)
def test_a_fresh_compile_is_estimated_as_the_row_says(family):
    for row in quick(family):
        plan = planned(row.case).complete_plan
        assert amounts(plan) == pytest.approx(row.terms), row.case.title
        assert total_cells(plan) == pytest.approx(row.packed, rel=LARGEST[family, row.case.set]), row.case.title


def test_more_lanes_take_more_cells():
    plans = [random_design((64, 32, 10), lanes=(lanes, 10)).complete_plan for lanes in (1, 2, 4, 16, 32)]
    cells = [engine_cells(plan.engines[0], find_device(plan.target, plan.device)) for plan in plans]
    assert cells == sorted(cells)


def test_cells_of_a_plan_are_those_of_its_terms():
    plan = random_design((64, 32, 10), target="ice40").complete_plan
    logic = load_target("ice40").logic
    found = sum(logic.get(term, 0) * amount for engine in plan.engines for term, amount in terms_of(engine).items())
    assert total_cells(plan) == round(found)
    assert sum(engine_cells(engine, find_device("ice40")) for engine in plan.engines) == pytest.approx(found, abs=2)
