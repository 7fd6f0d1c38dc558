"""The page of an exploration: a file that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from snnc.compiler import __version__
from snnc.compiler.build.templates import page_environment
from snnc.compiler.explore.grid import Data
from snnc.compiler.explore.table import AXES, Row, front

__all__ = ["MOST_POINTS", "render_exploration"]

MOST_POINTS: Final = 1500
"""On a page, which stays below 2 MB with them: those that nothing beats come first."""


def render_exploration(rows: Sequence[Row], data: Data, *, said: Sequence[tuple[str, str]], taken: Row | None) -> str:
    """The page of `snnc explore`.

    Parameters
    ----------
    said
        Sentences about the budget, each with a command or nothing; none without a budget.
    taken
        The point to take for it.
    """
    axes = tuple(AXES.values())
    best = {id(row) for row in front(rows, axes)}
    fitting = [row for row in rows if row.fits]
    shown = [row for row in rows if row.fits and (id(row) in best or row is taken)]
    shown = [*shown, *(row for row in fitting if id(row) not in best and row is not taken)][:MOST_POINTS]
    return (
        page_environment(__package__)
        .get_template("explore.html.j2")
        .render(
            axes=[{"name": axis.name, "title": axis.title, "unit": axis.unit, "more": axis.more} for axis in axes],
            points=[_point(row, best=id(row) in best, taken=row is taken) for row in shown],
            left_out=len(fitting) - len(shown),
            refused=[row for row in rows if not row.fits],
            count=len(rows),
            fitting=len(fitting),
            best=len(best),
            said=said,
            exits=any(row.exit for row in rows),
            students=sorted({f"{row.network} ({row.point.variant.student.name})" for row in rows}),
            data=data,
            version=__version__,
        )
    )


def _point(row: Row, *, best: bool, taken: bool) -> Mapping[str, Any]:
    """Of one row, for the script of the page."""
    point = row.point
    return {
        "student": point.variant.student.stem,
        "device": point.device.name,
        "title": point.device.title,
        "T": point.variant.time_steps,
        "bits": row.weight_bits,
        "exit": row.exit,
        "choice": point.choice,
        "engines": point.engines.value,
        "lanes": row.lanes,
        "values": {axis.name: round(axis.value(row), 4) for axis in AXES.values()},
        "texts": {axis.name: axis.text(axis.value(row)) for axis in AXES.values()},
        "cycles": round(row.cycles, 1),
        "mhz": row.mhz,
        "logic": f"{row.cells:,} of {point.device.logic_cells:,} {point.device.logic_name}s, {row.logic_share:.0%}",
        "memory": ", ".join(
            f"{used} of {most} {name}"
            for used, most, name in (
                (row.blocks, point.device.block_rams, point.device.block_ram_name),
                (row.sprams, point.device.spram_blocks, "SPRAM"),
            )
            if most
        ),
        "layers": row.layers,
        "command": point.command,
        "best": best,
        "taken": taken,
    }
