"""The versions of the contracts: what is computed, and in how many cycles.

`SEMANTICS_VERSION` is that of ``docs/semantics.md``, `TIMING_VERSION` that of ``docs/timing.md``; each goes up with
every change of meaning: by its second number while version 2 is open, until release 0.2. Plans and builds carry them,
and a build of another version is refused.

`NETWORK_VERSION` is that of sections 1 to 3 of ``docs/semantics.md``, what an integer network computes. Sealed models
and their hashes carry it alone: version 2 turns some trained students into other integers (section 4), and the integers
that version 1 made mean what they meant. Networks with what version 1 did not have, an early exit, streams, a leaky
readout, or a reset that subtracts another amount than the threshold, carry `LATER_NETWORK_VERSION`.
"""

from __future__ import annotations

from typing import Final

__all__ = ["LATER_NETWORK_VERSION", "NETWORK_VERSION", "SEMANTICS_VERSION", "TIMING_VERSION"]

SEMANTICS_VERSION: Final = "2.3"

TIMING_VERSION: Final = "2.10"

NETWORK_VERSION: Final = 1

LATER_NETWORK_VERSION: Final = 2
