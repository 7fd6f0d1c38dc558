"""Work on all cores, in processes that end with the one that started them, however that ends."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from snnc.compiler.errors import ToolError

__all__ = ["cores", "in_processes"]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_processes(
    work: Callable[[_Item], _Result],
    items: Sequence[_Item],
    *,
    prepare: Callable[..., None],
    arguments: tuple[Any, ...],
    jobs: int,
) -> Iterator[tuple[_Item, _Result]]:
    """`work` of each item, as they are done; `prepare` is called with `arguments` in each process before.

    Raises
    ------
    ToolError
        A process was ended from outside.
    """
    if jobs == 1 or len(items) < 2:
        prepare(*arguments)
        yield from ((item, work(item)) for item in items)
        return
    # Not forked: threads of this process would be locked in the middle of what they do.
    context = multiprocessing.get_context("spawn")
    reader, writer = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(
        min(jobs, len(items)),
        mp_context=context,
        initializer=_begin,
        initargs=(reader, prepare, arguments),
    )
    try:
        futures = {pool.submit(work, item): item for item in items}
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BrokenProcessPool:
        raise ToolError(
            "A process of this command was ended from outside, which is what a machine out of memory does; give "
            "fewer --jobs and run it again: what was found is kept."
        ) from None
    finally:
        writer.close()  # ends them in the middle of what they do
        pool.shutdown(cancel_futures=True)


def _begin(reader: Connection, prepare: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's goes to all; whoever started this one ends it
    threading.Thread(target=_end_with, args=(reader,), daemon=True).start()
    prepare(*arguments)


def _end_with(reader: Connection) -> None:
    """End when the other side is closed, by hand or by the end of its process: nothing else closes it."""
    try:
        reader.recv()
    except (EOFError, OSError):
        os._exit(0)
