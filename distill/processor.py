"""How a training uses the processor: its threads, and memory that it keeps from one update to the next."""

from __future__ import annotations

import ctypes
from typing import Final

import torch

__all__ = ["use_processor"]

_TRIM_THRESHOLD: Final = -1
_MMAP_MAX: Final = -4
"""Parameters of mallopt(3)."""


def use_processor(threads: int) -> None:
    """Train on so many threads from now on, in memory that this process keeps until it ends."""
    torch.set_num_threads(threads)
    _keep_memory()


def _keep_memory() -> bool:
    """Have the C library keep what is freed, and say whether it can.

    Every update allocates the same tensors, of tens of megabytes. glibc gives each such back to the system, which then
    has to find and clear all of its pages anew: a quarter of the time of an update of the CIFAR-10 student.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # of another C library
        return False
    return bool(mallopt(_MMAP_MAX, 0)) and bool(mallopt(_TRIM_THRESHOLD, -1))
