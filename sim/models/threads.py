"""Matrix products on one thread, and batches on as many as there are cores.

The models' products are small, and threads that wait for each other cost more than they bring:
OpenBLAS's spin while they wait. On a machine of which another process takes a core, products of the golden model's size
take 3.5 to 12 times as long on two threads as on one.
"""

from __future__ import annotations

import functools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from threadpoolctl import ThreadpoolController

__all__ = ["core_count", "in_order", "one_blas_thread"]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def one_blas_thread() -> AbstractContextManager[Any]:
    """Give NumPy's products one thread inside the block, and as many as before after it; for `with`, or a function."""
    limited: AbstractContextManager[Any] = _controller().limit(limits=1, user_api="blas")
    return limited


def in_order(
    work: Callable[[_Item], _Result],
    items: Iterable[_Item],
    *,
    pool: Callable[[int], AbstractContextManager[Executor]] = ThreadPoolExecutor,
) -> Iterator[_Result]:
    """`work` of each item, in the order of the items, on as many threads as this process may use cores.

    NumPy lets other threads go on while it computes. No more items are taken than are being worked on, and one more, so
    that memory stays bounded; each product has one thread. Work that waits for tools takes a `pool` that ends them.
    """
    cores = core_count()
    with one_blas_thread():
        if cores == 1:
            yield from map(work, items)
            return
        with pool(cores) as threads:
            pending: deque[Future[_Result]] = deque()
            try:
                for item in items:
                    pending.append(threads.submit(work, item))
                    if len(pending) > cores:
                        yield pending.popleft().result()
                while pending:
                    yield pending.popleft().result()
            finally:
                for future in pending:
                    future.cancel()


def core_count() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@functools.cache
def _controller() -> ThreadpoolController:
    """Looks at the libraries that are loaded, once: it takes milliseconds."""
    return ThreadpoolController()
