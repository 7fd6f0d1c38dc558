"""Decisions in streams for people: a table of 80 columns, and a page with plots."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from snnc.compiler import __version__
from snnc.compiler.build.templates import page_environment
from snnc.sim.evaluation.plots import confusion_matrix, drawn
from snnc.sim.evaluation.streams import StreamEvaluation

if TYPE_CHECKING:
    import jinja2

__all__ = ["render_streams", "show_streams"]

_WIDTH: Final = 80
_CLASSES: Final = 8
"""Most classes whose confusion fits a line."""
_NAME: Final = 12
"""Most letters of a class in a table."""
_CURVES: Final = 10
_STEPS: Final = 2000
"""Most steps of a stream that are drawn."""


def show_streams(result: StreamEvaluation, report: Path, *, console: Console | None = None) -> None:
    """Print an evaluation; `report` is the page that has all of it."""
    console = console or Console(highlight=False, markup=False, width=_WIDTH)
    console.print(
        f"{result.graph.name} on {result.streams:,} {'streams' if result.endless else 'samples'} of {result.dataset}, "
        f"{result.steps:,} steps: an answer every {result.every}"
        + (f", about what was {result.late} steps before." if result.late else ".")
    )
    console.print()
    table = _table("answers", "steps", "decisions", "right", "segments right", "delay", "never right")
    for window, found in result.decisions.items():
        table.add_row(
            str(window),
            f"{window * result.every:,}",
            f"{found.count:,}",
            f"{found.accuracy:.2%}",
            f"{found.segment_accuracy:.2%}",
            "" if np.isnan(found.delay) else f"{found.delay:g}",
            f"{found.missed} of {len(found.delays)}",
        )
    console.print(table)
    counts = next(iter(result.decisions.values())).confusion
    if len(counts) <= _CLASSES:
        matrix = _table("label, answer", *(name[:_NAME] for name in result.classes))
        for name, row in zip(result.classes, counts, strict=True):
            matrix.add_row(name[:_NAME], *(f"{value:,}" for value in row))
        console.print(matrix)
    console.print(
        "A decision sums up the last answers; the delay is the median number of steps from the beginning of a segment, "
        "a stretch of one label, to its first right decision."
    )
    console.print(f"Written to {report.parent}. Look at {report}.", soft_wrap=True)


def render_streams(result: StreamEvaluation) -> str:
    """The page."""
    counts = next(iter(result.decisions.values())).confusion
    plots = {"stream": _stream(result), "ages": _ages(result), "confusion": confusion_matrix(counts, result.classes)}
    return _environment().get_template("decisions.html.j2").render(result=result, plots=plots, version=__version__)


def _stream(result: StreamEvaluation) -> str:
    """Labels, answers and logits over the first steps of one stream."""
    first, every = result.first, result.every
    shown = min(len(first.logits), max(1, _STEPS // every))
    steps, logits = every * np.arange(1, shown + 1), first.logits[:shown]
    track = first.labels[: int(steps[-1])]
    answers = np.argmax(logits, axis=1)

    def draw(figure: Any) -> None:
        above, below = figure.subplots(2, 1, sharex=True)
        begins = np.flatnonzero(np.diff(track, prepend=-2))
        for begin, end in zip(begins, [*begins[1:], len(track)], strict=True):
            if track[begin] >= 0:
                above.fill_between([begin + 1, end], track[begin] - 0.4, track[begin] + 0.4, color="#cfe3f2")
        above.plot(steps, answers, ".", color="black", markersize=4)
        above.set_yticks(range(len(result.classes)), [name[:_NAME] for name in result.classes])
        above.set_ylabel("answer")
        for number in np.argsort(-np.abs(logits).sum(axis=0), kind="stable")[:_CURVES]:
            below.plot(steps, logits[:, number], linewidth=0.9, label=result.classes[number][:_NAME])
        below.set_ylabel("logits")
        below.set_xlabel("time step")
        figure.legend(loc="outside right upper", frameon=False, fontsize=8)

    return drawn(draw, 9.2, 4.4)


def _ages(result: StreamEvaluation) -> str:
    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for window, found in result.decisions.items():
            right, count = found.ages[:, 0], found.ages[:, 1]
            axes.plot(
                np.arange(1, len(right) + 1), 100 * right / np.maximum(count, 1), linewidth=0.9, label=f"{window}"
            )
        axes.set_xlabel("number of the decision in its segment")
        axes.set_ylabel("right, %")
        axes.legend(title="answers", frameon=False, fontsize=8)

    return drawn(draw, 4.6, 3.4)


def _table(first: str, *others: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    table.add_column(first)
    for heading in others:
        table.add_column(heading, justify="right")
    return table


@functools.cache
def _environment() -> jinja2.Environment:
    environment = page_environment("snnc.sim.evaluation")
    environment.filters["percent"] = lambda value, digits=1: f"{value:.{digits}%}"
    environment.filters["count"] = lambda value: f"{value:,.0f}"
    return environment
