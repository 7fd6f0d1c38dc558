"""A search of a grid: never the same point twice, the same points again, and better ones than by chance."""

from __future__ import annotations

import dataclasses
import random
import sys
from pathlib import Path

import pytest

from snnc.compiler.design import Engines, Objective
from snnc.compiler.errors import MissingError
from snnc.compiler.explore.grid import Grid, Point
from snnc.compiler.explore.search import ROUND, Search
from snnc.compiler.explore.table import AXES, front
from snnc.compiler.targets import TARGETS, load_target
from tests.compiler.explore.rows import row

pytest.importorskip("optuna")


def _grid(lengths=(1, 2, 3, 4)):
    return Grid(
        students={Path("a.pt"): lengths, Path("b.pt"): (1, 8)},
        weight_bits=(2, 3, 4, 8),
        devices=[device for name in TARGETS for device in load_target(name).devices.values()],
        objectives=list(Objective),
        lanes=[],
        engines=list(Engines),
    )


def _row(point):
    """Time steps and weight bits cost time and bring accuracy; some devices hold nothing, and some have no plan."""
    steps, bits = point.variant.time_steps, point.variant.weight_bits
    if point.device.name == "lp384":
        return dataclasses.replace(row(), point=point, reason="is refused", layers=())
    return dataclasses.replace(
        row(),
        point=point,
        reason="needs more" if point.device.name == "hx1k" else "",
        accuracy=1 - 0.3 / (steps * bits),
        cycles=100.0 * steps * (1 + (point.objective is Objective.AREA)),
        cells=300 * bits * (1 + (point.objective is Objective.LATENCY)) * (1 + (point.engines is Engines.SCATTER)),
        energy_nj=10.0 * steps * bits,
    )


def _searched(grid, most, stop=None):
    search, points = Search(grid), list[Point]()
    while found := search.ask(most - len(points)):
        assert len(found) <= ROUND
        points += found
        search.tell([_row(point) for point in found])
        if stop is not None and len(points) >= stop:
            break
    return points


def test_no_point_twice_and_the_same_ones_again():
    grid = _grid()
    points = _searched(grid, 60)
    assert len(points) == len(set(points)) == 60
    assert _searched(grid, 60) == points
    assert _searched(grid, 60, stop=30) == points[: -(-30 // ROUND) * ROUND]


def test_a_small_grid_is_asked_for_whole():
    grid = dataclasses.replace(_grid(), devices=[load_target("ice40").device()], engines=[Engines.AUTO])
    assert sorted(map(str, _searched(grid, 10**6))) == sorted(map(str, grid.points))


def test_it_finds_more_of_the_front_than_chance_does():
    grid, axes = _grid(), tuple(AXES.values())
    best = {one.point for one in front([_row(point) for point in grid.points], axes)}
    by_chance = random.Random(1).sample(grid.points, 160)
    found, lucky = (len(best.intersection(points)) for points in (_searched(grid, 160), by_chance))
    assert found > 1.5 * lucky


def test_without_optuna_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingError, match=r"pip install 'snnc\[explore\]'"):
        Search(_grid())
