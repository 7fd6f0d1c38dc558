"""Matrix products on one thread: those of the models are small, and threads that wait for each other cost more.

OpenBLAS's threads spin while they wait. On a machine of which another process takes a core, products of the golden
model's size take 3.5 to 12 times as long on two threads as on one.
"""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager
from typing import Any

from threadpoolctl import ThreadpoolController

__all__ = ["one_blas_thread"]


def one_blas_thread() -> AbstractContextManager[Any]:
    """Give NumPy's products one thread inside the block, and as many as before after it; for `with`, or a function."""
    limited: AbstractContextManager[Any] = _controller().limit(limits=1, user_api="blas")
    return limited


@functools.cache
def _controller() -> ThreadpoolController:
    """Looks at the libraries that are loaded, once: it takes milliseconds."""
    return ThreadpoolController()
