"""Runs tasks as processes: several at a time, each after what it needs, each failure its own, and all ended by Ctrl-C.

Several machines may work through one folder: a task is claimed by a lock on its folder, which its process holds too.
So it stays claimed while anybody works on it, even if the comparison that started it was killed, and no longer.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final

import torch

from snnc.compiler.build.folder import replace_file
from snnc.compiler.errors import BuildError
from snnc.compiler.tools import relevant_line
from snnc.distill.checkpoint import training_file
from snnc.distill.compare.plan import Task

__all__ = ["ATTEMPTS", "LOG", "Job", "State", "read_attempts", "run_tasks", "visible_gpus"]

LOG: Final = "log.txt"
ATTEMPTS: Final = "attempts.json"
_LOCK: Final = ".lock"

# -P: a file called torch.py in the working folder must not be imported in the place of the package.
_LAUNCH: Final = (sys.executable, "-P", "-c", "from snnc.compiler.cli import main; main()")

_POLL = 0.1
_GRACE = 10.0
"""Seconds for a process to end by itself."""
_ELSEWHERE = 5.0
"""Seconds after which a task that another process works on is looked at again."""


class State(Enum):
    """How far a task is."""

    WAITING = "waiting"
    RUNNING = "running"
    ELSEWHERE = "running elsewhere"
    DONE = "done"
    FAILED = "failed"


@dataclass(slots=True, kw_only=True, eq=False)
class Job:
    """A task under way.

    Attributes
    ----------
    problem
        Why it failed, in a sentence.
    started, seconds
        When its process was started, on the monotonic clock, and how long that took; 0 without one.
    """

    task: Task
    state: State = State.WAITING
    problem: str = ""
    started: float = 0.0
    seconds: float = 0.0
    look_again: float = 0.0
    gpu: str | None = None
    log_start: int = 0
    lock: int | None = None
    process: subprocess.Popen[bytes] | None = None

    @property
    def folder(self) -> Path:
        return self.task.output.parent

    def last_words(self) -> str:
        """The last line that its process printed."""
        with contextlib.suppress(OSError), (self.folder / LOG).open("rb") as log:
            log.seek(max(self.log_start, log.seek(0, os.SEEK_END) - 1000))
            lines = log.read().decode(errors="replace").split("\n")
            return next((line.strip() for line in reversed(lines) if line.strip()), "")
        return ""


def run_tasks(
    tasks: Sequence[Task], *, jobs: int, gpus: Sequence[str] = (), on_change: Callable[[Sequence[Job]], None]
) -> list[Job]:
    """Work through tasks until each is done or has failed, here or elsewhere.

    Parameters
    ----------
    tasks
        With what they come after; that is worked through too.
    jobs
        Processes at a time.
    gpus
        Values of ``CUDA_VISIBLE_DEVICES``; the processes are spread over them.
    on_change
        Called about ten times a second with all jobs.
    """
    unfinished = [task for task in tasks if not task.output.exists()]
    every = dict.fromkeys([*(task.after for task in unfinished if task.after is not None), *tasks])
    by_task = {task: Job(task=task, state=State.DONE if task.output.exists() else State.WAITING) for task in every}
    everything = list(by_task.values())
    try:
        while True:
            for job in everything:
                if job.process is not None and job.process.poll() is not None:
                    _finish(job)
            free = jobs - sum(job.state is State.RUNNING for job in everything)
            for job in everything:
                if free and job.state in (State.WAITING, State.ELSEWHERE):
                    _consider(job, by_task[job.task.after] if job.task.after else None, gpus, everything)
                    free -= job.process is not None
            on_change(everything)
            if all(job.state in (State.DONE, State.FAILED) for job in everything):
                return everything
            time.sleep(_POLL)
    finally:
        _end([job for job in everything if job.process is not None])


def visible_gpus() -> tuple[str, ...]:
    """What each GPU is called in ``CUDA_VISIBLE_DEVICES``; empty without one."""
    count = torch.cuda.device_count()
    listed = os.environ.get("CUDA_VISIBLE_DEVICES")
    return tuple(listed.split(",")[:count] if listed else map(str, range(count)))


def read_attempts(folder: Path) -> list[dict[str, Any]]:
    """How often the process of a folder was started, how each ended (None: nobody was there to see) and its seconds."""
    try:
        attempts = json.loads((folder / ATTEMPTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return attempts if isinstance(attempts, list) else []


def _consider(job: Job, before: Job | None, gpus: Sequence[str], everything: Sequence[Job]) -> None:
    """Start a job, if what it comes after is done and nobody else works on it."""
    if before is not None and before.state is State.FAILED:
        job.state, job.problem = State.FAILED, f"{before.task.name} failed: {before.problem}"
    elif (before is None or before.state is State.DONE) and time.monotonic() >= job.look_again:
        if job.task.output.exists():
            job.state = State.DONE
        else:
            _start(job, gpu=_least_used(gpus, everything))


def _start(job: Job, *, gpu: str | None) -> None:
    folder = job.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not _claim(job):
            job.state, job.look_again = State.ELSEWHERE, time.monotonic() + _ELSEWHERE
            return
        if job.task.output.exists():  # somebody finished it in the meantime
            _release(job)
            return
        _note(folder, [*read_attempts(folder), {"seconds": None, "outcome": None}])
        resumed = training_file(job.task.output).exists()
        arguments = (*job.task.arguments, "-o", str(job.task.output), *(("--resume",) if resumed else ()))
        with (folder / LOG).open("ab") as log:
            job.log_start = log.seek(0, os.SEEK_END)
            job.process = subprocess.Popen(
                (*_LAUNCH, *arguments),
                env=_environment(arguments, gpu),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C of the terminal is ours to pass on
                pass_fds=() if job.lock is None else (job.lock,),
            )
    except BaseException as error:
        _release(job)
        if isinstance(error, OSError):
            raise BuildError(f"'{folder}' cannot be worked in: {error.strerror or error}; make room.") from None
        raise
    job.state, job.gpu, job.started = State.RUNNING, gpu, time.monotonic()


def _finish(job: Job, *, stopped: bool = False) -> None:
    """Note how a process ended that has ended."""
    assert job.process is not None
    status, job.process = job.process.returncode, None
    job.seconds = time.monotonic() - job.started
    if status == 0 and job.task.output.exists():
        job.state, outcome = State.DONE, "done"
    elif stopped:
        job.state, outcome = State.WAITING, "interrupted"
    else:
        job.problem = outcome = _problem(job, status)
        job.state = State.FAILED
    try:
        last = {"seconds": round(job.seconds, 2), "outcome": outcome}
        _note(job.folder, [*read_attempts(job.folder)[:-1], last])
    finally:
        _release(job)


def _problem(job: Job, status: int) -> str:
    if status < 0:
        name = signal.Signals(-status).name
        hint = ", which is what a machine out of memory does" if name == "SIGKILL" else ""
        return f"it was ended by {name}{hint}."
    try:
        with (job.folder / LOG).open("rb") as log:
            log.seek(job.log_start)
            said = relevant_line(log.read().decode(errors="replace"))
    except OSError as error:
        said = f"its {LOG} cannot be read ({error.strerror})"
    return said.removeprefix("snnc: error: ") if status else f"it ended without writing {job.task.output.name}."


def _end(jobs: Sequence[Job]) -> None:
    """End processes: first as Ctrl-C would, so that nothing is half-written; then, or on a second Ctrl-C, at once."""
    try:
        for job in jobs:
            _signal(job, signal.SIGTERM)
        deadline = time.monotonic() + _GRACE
        for job in jobs:
            assert job.process is not None
            with contextlib.suppress(subprocess.TimeoutExpired):
                job.process.wait(max(0.0, deadline - time.monotonic()))
    finally:
        for job in jobs:
            assert job.process is not None
            _signal(job, signal.SIGKILL)
            job.process.wait()
        for job in jobs:
            with contextlib.suppress(BuildError):  # what ended all of them may be the full disk that this meets, too
                _finish(job, stopped=True)


def _signal(job: Job, number: signal.Signals) -> None:
    assert job.process is not None
    if job.process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(job.process.pid, number)


def _claim(job: Job) -> bool:
    """Lock the folder of a job; False while somebody else works on it."""
    job.lock = os.open(job.folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(job.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _release(job)
        return False
    except OSError:  # a file system without locks: nobody else is known of
        _release(job)
    return True


def _release(job: Job) -> None:
    if job.lock is not None:
        os.close(job.lock)
        job.lock = None


def _environment(arguments: Sequence[str], gpu: str | None) -> dict[str, str]:
    threads = arguments[arguments.index("--threads") + 1] if "--threads" in arguments else "1"
    environment = {**os.environ, "OMP_NUM_THREADS": threads}
    if gpu is not None:
        environment["CUDA_VISIBLE_DEVICES"] = gpu
    return environment


def _least_used(gpus: Sequence[str], everything: Sequence[Job]) -> str | None:
    running = [job.gpu for job in everything if job.state is State.RUNNING]
    return min(gpus, key=running.count, default=None)


def _note(folder: Path, attempts: list[dict[str, Any]]) -> None:
    replace_file(folder / ATTEMPTS, json.dumps(attempts, indent=2).encode() + b"\n")
