"""The versions of the contracts: what is computed, and in how many cycles.

`SEMANTICS_VERSION` is that of ``docs/semantics.md``, `TIMING_VERSION` that of ``docs/timing.md``; each goes up with
every change of meaning. They are sealed into models, plans and builds, and a file of another version is refused.
"""

from __future__ import annotations

from typing import Final

__all__ = ["SEMANTICS_VERSION", "TIMING_VERSION"]

SEMANTICS_VERSION: Final = 1

TIMING_VERSION: Final = 1
