"""Where what takes long to make is kept between runs: compiled simulations, tools in WebAssembly, teachers' answers."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

__all__ = ["cache_folder", "unwritable_cache", "yowasp_environment"]

_UNWRITABLE: Final = re.compile(
    r"\bcache_filename\.(?:.*\n)*?\w*Error: \[Errno \d+\] (?P<reason>[^:\n]*): '(?P<path>.*)'"
)
"""The end of a Python traceback through the line of the tools' runtime that makes or fills its cache."""


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


def unwritable_cache(output: str) -> str:
    """What a tool in WebAssembly that could not keep its machine code should have said; empty if that is not why."""
    found = _UNWRITABLE.search(output)
    if found is None:
        return ""
    # The variable of the tools themselves comes before ours.
    variable = "YOWASP_CACHE_DIR" if os.environ.get("YOWASP_CACHE_DIR") else "SNNC_CACHE"
    path = Path(found["path"])
    return (
        f"cannot write its cache '{path.parent}' ({found['reason']}); name a folder that can be written in {variable}"
    )
