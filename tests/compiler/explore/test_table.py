"""Rows, fronts and the CSV of an exploration."""

from __future__ import annotations

import csv
import io
import random

from snnc.compiler.explore.table import AXES, front, table_csv
from tests.compiler.explore.rows import row


def test_what_is_worse_in_every_axis_is_beaten_and_equals_are_not():
    good = row()
    same = row()
    worse = row(accuracy=0.8, cells=1001)
    other = row(accuracy=0.8, cells=999)
    small = row(cells=1, reason="needs 31 EBR (it has 30)")
    assert front([worse, good, same, other, small], tuple(AXES.values())) == [good, same, other]


def test_a_front_is_what_no_other_row_beats():
    drawn = random.Random(3)
    rows = [
        row(
            accuracy=drawn.randint(1, 5) / 5,
            cycles=drawn.randint(1, 5),
            cells=drawn.randint(1, 5),
            blocks=drawn.randint(0, 2),
        )
        for _ in range(80)
    ]
    axes = tuple(AXES.values())
    best = {id(one) for one in front(rows, axes)}
    for one in rows:
        beaten = any(
            all(axis.cost(other) <= axis.cost(one) for axis in axes)
            and any(axis.cost(other) < axis.cost(one) for axis in axes)
            for other in rows
        )
        assert beaten == (id(one) not in best)


def test_time_is_cycles_at_the_clock_and_memory_is_what_is_paid():
    one = row(cycles=1000, mhz=40, blocks=3)
    assert one.time_us == 25
    assert one.memory_kbit == 12
    assert one.logic_share == 1000 / 5280


def test_the_csv_says_what_is_known_and_leaves_the_rest_empty():
    found = list(csv.DictReader(io.StringIO(table_csv([row(), row(reason="needs 31 EBR (it has 30)")]))))
    assert [one["fits"] for one in found] == ["1", "0"]
    assert [one["pareto"] for one in found] == ["1", "0"]
    assert found[0]["time_us"] == "25.0"
    assert found[1]["reason"] == "needs 31 EBR (it has 30)"
    assert found[0]["command"].startswith("snnc compile student.pt --target ice40 --device up5k --time-steps 4 ")
