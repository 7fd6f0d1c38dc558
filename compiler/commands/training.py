"""What commands that train have in common: a state that is saved, and progress that is seen."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from snnc.distill.checkpoint import TrainingState, save_state
from snnc.distill.fitting import EpochReport

__all__ = ["Saver", "training_progress"]

_LOG_SECONDS: Final = 10


class Saver:
    """Saves the state of a run, but not more often than every two seconds: on the digits an epoch takes a twentieth."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.saved = False
        self._due = 0.0

    def __call__(self, state: TrainingState) -> None:
        if time.monotonic() >= self._due:
            save_state(self.path, state)
            self.saved = True
            self._due = time.monotonic() + 2


class _Log:
    """A line after an epoch, but not more often than every ten seconds."""

    def __init__(self) -> None:
        self._due = time.monotonic() + _LOG_SECONDS

    def __call__(self, report: EpochReport) -> None:
        if time.monotonic() >= self._due:
            click.echo(
                f"{report.stage} {report.epoch}/{report.epochs}  validation {report.accuracy:.2%}, best "
                f"{report.best:.2%}",
                err=True,
            )
            self._due = time.monotonic() + _LOG_SECONDS


@contextmanager
def training_progress() -> Iterator[Callable[[EpochReport], None]]:
    """A progress bar per stage on a terminal; elsewhere a line now and then, for a log."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Log()
        return
    columns = (
        TextColumn("{task.description:<10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("validation {task.fields[accuracy]:.2%}, best {task.fields[best]:.2%}"),
    )
    with Progress(*columns, console=console) as bars:
        tasks: dict[str, TaskID] = {}

        def on_epoch(report: EpochReport) -> None:
            if report.stage not in tasks:
                tasks[report.stage] = bars.add_task(report.stage, total=report.epochs, accuracy=0.0, best=0.0)
            bars.update(tasks[report.stage], completed=report.epoch, accuracy=report.accuracy, best=report.best)

        yield on_epoch
