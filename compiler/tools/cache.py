"""Where what takes long to make is kept between runs: compiled simulations, tools in WebAssembly, teachers' answers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

__all__ = ["cache_folder", "yowasp_environment"]


def cache_folder() -> Path:
    """``SNNC_CACHE``, or ``snnc`` in the user's cache folder."""
    if chosen := os.environ.get("SNNC_CACHE"):
        return Path(chosen).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "snnc"


def yowasp_environment() -> Mapping[str, str]:
    """What sends the cache of tools in WebAssembly, by default in the user's home, to where ``SNNC_CACHE`` says."""
    if os.environ.get("YOWASP_CACHE_DIR") or not os.environ.get("SNNC_CACHE"):
        return {}
    return {"YOWASP_CACHE_DIR": str(cache_folder() / "yowasp")}
