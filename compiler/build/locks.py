"""Locks of the kernel on folders and files: they end with the process that holds them, however it ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["locked"]


@contextlib.contextmanager
def locked(path: Path, *, shared: bool = False, wait: bool = False) -> Iterator[None]:
    """Hold the lock of what lies at `path`, and still lies there when the lock is had.

    Parameters
    ----------
    shared
        Others may hold it too, if they share it.
    wait
        Until the others are done.

    Raises
    ------
    BlockingIOError
        Somebody else holds it, and `wait` is not set.
    OSError
        There is nothing at `path`, or it cannot be opened.
    """
    kind = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB)
    while True:
        handle = os.open(path, os.O_RDONLY)
        try:
            try:
                fcntl.flock(handle, kind)
            except BlockingIOError:
                raise
            except OSError:  # a file system without locks: nobody else is known of
                pass
            if not os.path.samestat(os.fstat(handle), path.stat()):
                continue
            yield
            return
        finally:
            os.close(handle)
