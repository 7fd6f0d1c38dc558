"""Shows how a comparison gets on: a live table on a terminal, a line per finished run elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import click
from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from snnc.distill.compare.processes import Job, State

__all__ = ["watching"]

_Watcher = Callable[[Sequence[Job]], None]

_FAILURES_SHOWN = 5


@contextmanager
def watching() -> Iterator[_Watcher]:
    """Gives the function to call with all jobs, as often as one likes."""
    console = Console(stderr=True, highlight=False, markup=False)
    if not console.is_terminal:
        yield _Lines()
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        dashboard = _Dashboard()

        def show(jobs: Sequence[Job]) -> None:
            if dashboard.due():
                live.update(dashboard.render(jobs), refresh=True)

        yield show


class _Lines:
    """A line for every job that ended."""

    def __init__(self) -> None:
        self._told: set[Job] = set()
        self._first = True

    def __call__(self, jobs: Sequence[Job]) -> None:
        ended = [job for job in jobs if job.state in (State.DONE, State.FAILED)]
        for job in ended:
            if job not in self._told:
                self._told.add(job)
                if not (self._first and job.state is State.DONE):  # of an earlier comparison in this folder
                    click.echo(f"[{len(self._told)}/{len(jobs)}] {job.task.name}: {_outcome(job)}", err=True)
        self._first = False


class _Dashboard:
    """A bar over all jobs, and the jobs that run."""

    def __init__(self) -> None:
        self._next = 0.0
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[note]}")
        )
        self._all = self._bar.add_task("runs", total=None, note="")

    def due(self) -> bool:
        """Whether half a second has passed."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + 0.5
        return True

    def render(self, jobs: Sequence[Job]) -> RenderableType:
        failed = [job for job in jobs if job.state is State.FAILED]
        done = sum(job.state is State.DONE for job in jobs)
        self._bar.update(self._all, total=len(jobs), completed=done + len(failed), note=_note(jobs))
        table = Table(box=box.SIMPLE_HEAD, collapse_padding=True, expand=True)
        table.add_column("run", overflow="fold", ratio=2)
        table.add_column("time", justify="right", no_wrap=True)
        table.add_column("last words", ratio=3, no_wrap=True, overflow="ellipsis")
        now = time.monotonic()
        for job in jobs:
            if job.state is State.RUNNING:
                table.add_row(job.task.name, _clock(now - job.started), job.last_words())
        for job in failed[-_FAILURES_SHOWN:]:
            table.add_row(job.task.name, _clock(job.seconds), job.problem, style="red")
        return Group(self._bar, table)


def _note(jobs: Sequence[Job]) -> str:
    counts = {state: sum(job.state is state for job in jobs) for state in State}
    notes = [f"{counts[state]} {state.value}" for state in (State.RUNNING, State.ELSEWHERE, State.FAILED)]
    told = [note for note in notes if not note.startswith("0 ")]
    finished = [job.seconds for job in jobs if job.state is State.DONE and job.seconds]
    if finished and counts[State.RUNNING]:
        left = counts[State.RUNNING] / 2 + counts[State.WAITING]
        told.append(f"about {_clock(sum(finished) / len(finished) * left / counts[State.RUNNING])} left")
    return ", ".join(told)


def _outcome(job: Job) -> str:
    if job.state is State.FAILED:
        return f"failed: {job.problem}"
    return f"done in {job.seconds:.0f} s" if job.seconds else "done elsewhere"


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
