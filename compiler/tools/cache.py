"""Where everything that is kept between commands lies."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cache_folder"]


def cache_folder() -> Path:
    """``SNNC_CACHE``, or ``snnc`` in the user's cache folder."""
    if chosen := os.environ.get("SNNC_CACHE"):
        return Path(chosen).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "snnc"
