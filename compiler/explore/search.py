"""A search among the points of a grid that is too large to be worked out whole.

Optuna's multi-objective TPE (Ozaki et al., GECCO 2020) asks for points by what it was told of others, in the five
quantities that points compete in. It is told in rounds of a fixed size and has a fixed seed, so that the same search
asks for the same points again: what is kept of one that was stopped is all found.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Sequence
from typing import Any, Final

from snnc.compiler.explore.grid import Grid, Point
from snnc.compiler.explore.table import AXES, Row
from snnc.compiler.extras import needed

__all__ = ["Search"]

ROUND: Final = 8
"""Points that are asked for at once."""

_SEED: Final = 0
_FRUITLESS: Final = 64
"""Suggestions of points that are known, one after the other, after which any other one is taken."""


class Search:
    """Picks points of a grid, a round at a time.

    Parameters
    ----------
    grid
        Of at least one point.

    Raises
    ------
    MissingError
        Optuna is not installed.
    """

    def __init__(self, grid: Grid) -> None:
        with needed():
            import optuna
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._points = {_place(point): point for point in grid.points}
        self._asked: dict[Point, Any] = {}
        self._rows: dict[Point, Row] = {}
        self._random = random.Random(_SEED)
        with warnings.catch_warnings():
            # Choices that depend on others are what Optuna calls experimental.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = optuna.samplers.TPESampler(seed=_SEED, n_startup_trials=2 * ROUND, multivariate=True, group=True)
        self._failed = optuna.trial.TrialState.FAIL
        self._study = optuna.create_study(directions=["minimize"] * len(AXES), sampler=sampler)

    def ask(self, most: int) -> list[Point]:
        """Up to so many points, and no more than a round, that were not asked for before; none: all were."""
        found: list[Point] = []
        while len(found) < min(most, ROUND) and len(self._asked) < len(self._points):
            point, trial = self._suggested() or self._any()
            self._asked[point] = trial
            found.append(point)
        return found

    def tell(self, rows: Sequence[Row]) -> None:
        """What came of points that were asked for."""
        for row in rows:
            self._rows[row.point] = row
            self._tell(self._asked[row.point], row)

    def _suggested(self) -> tuple[Point, Any] | None:
        """The sampler's next point that is not known."""
        for _ in range(_FRUITLESS):
            trial = self._study.ask()
            point = self._point(trial)
            if point not in self._asked:
                return point, trial
            if point in self._rows:
                self._tell(trial, self._rows[point])
        return None

    def _any(self) -> tuple[Point, Any]:
        point = self._random.choice([point for point in self._points.values() if point not in self._asked])
        return point, None

    def _point(self, trial: Any) -> Point:
        """The point of a trial: one choice after the other, of what the grid still has."""
        places = list(self._points)
        chosen: tuple[str, ...] = ()
        axes = ("student", "weight bits", "time steps", "early exit", "device", "engines", "choice")
        for axis in axes:
            left = list(dict.fromkeys(place[len(chosen)] for place in places))
            # What there is to choose from may differ from student to student, and with the number of steps.
            depends = {"time steps": "student", "early exit": "time steps"}.get(axis)
            name = axis if depends is None else f"{axis} of {chosen[axes.index(depends)]}"
            chosen = (*chosen, trial.suggest_categorical(name, left))
            places = [place for place in places if place[: len(chosen)] == chosen]
        return self._points[chosen]

    def _tell(self, trial: Any, row: Row) -> None:
        if trial is None:
            return
        if not row.layers:  # it has no plan, and nothing to compare
            self._study.tell(trial, state=self._failed)
            return
        trial.set_constraint("fits", 0.0 if row.fits else 1.0)
        self._study.tell(trial, [axis.cost(row) for axis in AXES.values()])


def _place(point: Point) -> tuple[str, ...]:
    variant = point.variant
    return (
        str(variant.student),
        str(variant.weight_bits),
        str(variant.time_steps),
        "none" if variant.exit is None else variant.exit.text,
        point.device.name,
        point.engines.value,
        point.choice,
    )
