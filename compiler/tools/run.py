"""Runs a tool to its end: its output in a log, its results of this run, its children ended with it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from snnc.compiler.errors import ToolError
from snnc.compiler.tools.cache import unwritable_cache
from snnc.compiler.tools.room import check_room
from snnc.compiler.tools.tool import Tool

__all__ = ["ToolResult", "relevant_line", "run_to_end", "run_tool", "tool_pool"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """One finished run.

    Attributes
    ----------
    log
        The file that holds everything the tool printed.
    output
        The same text.
    seconds
        Wall clock.
    """

    log: Path
    output: str
    seconds: float


# What is running now, in whichever thread, for tool_pool to end.
_running: set[subprocess.Popen[bytes]] = set()


def run_tool(
    tool: Tool,
    arguments: Sequence[str | Path],
    *,
    cwd: Path,
    log: Path,
    produces: Sequence[Path] = (),
    timeout: float | None = None,
) -> ToolResult:
    """Run a tool to its end.

    What it ``produces`` is removed first: afterwards it is there and of this run, or there is an error.

    Files must be named relative to ``cwd``: the tools that are WebAssembly see a private folder in place of ``/tmp``,
    so that an absolute path there does not exist for them.

    Raises
    ------
    ToolError
        The tool is missing, failed, took longer than ``timeout`` seconds, did not write what it should, or had no room.
    """
    _remove(produces)
    try:
        return _run(tool, arguments, cwd, log, produces, timeout)
    except BaseException:  # Ctrl-C too: nothing half-written is left
        _remove(produces)
        raise


def _run(
    tool: Tool,
    arguments: Sequence[str | Path],
    cwd: Path,
    log: Path,
    produces: Sequence[Path],
    timeout: float | None,
) -> ToolResult:
    command = [*tool.command(), *map(str, arguments)]
    environment = {**os.environ, **(tool.environment() if tool.environment else {})}
    log.parent.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    # A tool that is ended cannot remove its own temporary files.
    with tempfile.TemporaryDirectory(prefix="snnc-", ignore_cleanup_errors=True) as scratch, log.open("wb") as stream:
        environment["TMPDIR"] = scratch
        try:
            status = run_to_end(command, cwd=cwd, environment=environment, stream=stream, timeout=timeout)
        except OSError as error:
            raise ToolError(f"{tool.title} could not be started ({error.strerror}): {command[0]}.") from error
        except subprocess.TimeoutExpired:
            raise ToolError(
                f"{tool.title} was stopped after {timeout:g} s without a result: see {log}; "
                "a smaller design, another seed or a longer limit may help."
            ) from None
        # While its temporary files are there. Whatever the status: Yosys, nextpnr and icepack succeed with half a file.
        check_room(tool.title, {Path(scratch), cwd, log.parent, *(path.parent for path in produces)})
    seconds = time.monotonic() - start
    output = log.read_text(encoding="utf-8", errors="replace")
    if status < 0:
        name = signal.Signals(-status).name
        hint = ", which is what a machine out of memory does" if name == "SIGKILL" else ""
        raise ToolError(f"{tool.title} was ended by {name}{hint}: see {log}.")
    if status > 0 and (why := unwritable_cache(output)):
        raise ToolError(f"{tool.title} {why}.")
    if status > 0:
        raise ToolError(f"{tool.title} failed: {relevant_line(output)} (the whole log: {log})")
    for path in produces:
        if not path.exists() or not path.stat().st_size:
            named = f" or correct {tool.variable}" if tool.native_name else ""
            raise ToolError(f"{tool.title} ended without writing {path.name}: see {log}{named}.")
    return ToolResult(log=log, output=output, seconds=seconds)


def _remove(paths: Sequence[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def run_to_end(
    command: Sequence[str],
    *,
    cwd: Path,
    environment: Mapping[str, str],
    stream: IO[Any] | None,
    timeout: float | None = None,
) -> int:
    """Run a command in a process group of its own, so that its children (abc, make, compilers) end when it has to.

    Returns
    -------
    Its exit status; negative after a signal. `stream` takes what it prints.

    Raises
    ------
    OSError
        It cannot be started.
    subprocess.TimeoutExpired
        It took longer than `timeout` seconds, and was ended.
    """
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=stream,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    _running.add(process)
    try:
        return process.wait(timeout)
    except BaseException:  # Ctrl-C too: a group of its own does not hear it from the terminal
        _end(process)
        raise
    finally:
        _running.discard(process)


@contextlib.contextmanager
def tool_pool(workers: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that run tools side by side, all of which end when the body fails or is interrupted.

    A plain pool would wait for them instead: Ctrl-C reaches the main thread alone, and none of the tools.
    """
    with ThreadPoolExecutor(max_workers=workers) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in tuple(_running):
                _end(process)
            raise


def relevant_line(output: str) -> str:
    """The line of a failed tool's output that says why: its first error, or else the last thing it said."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    patterns = (
        r"%Error(?!: Exiting)",  # Verilator; its last line only counts the errors
        r"\bERROR:",  # Yosys (after the file and line), nextpnr
        r"\b(fatal )?error:",  # compilers
        r"(?<!%)\b[A-Za-z]*(Error|Exception):",  # a Python traceback ends with it
        r"%Warning",  # Verilator, where it takes a warning as an error
    )
    for pattern in patterns:
        for line in lines:
            if re.search(pattern, line):
                return line
    return lines[-1] if lines else "it printed nothing"


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
