"""How long a bench waits for a core before it says that it hangs: several times what the prediction allows."""

from __future__ import annotations

import numpy as np

from snnc.compiler.plan import Plan
from snnc.sim.models.stimulus import Stimulus

__all__ = ["patience"]

_MARGIN = 4
_PAUSES = 10
"""Cycles that a handshake takes on average where a bench pauses most."""

_LEAST = 10_000
"""Cycles; a bench that stalls has some luck to wait for, too."""


def patience(plan: Plan, stimulus: Stimulus, longest: int, *, beat_cycles: int = 1) -> int:
    """Cycles between two results of a core after which it counts as hung.

    Parameters
    ----------
    longest
        Predicted cycles of the longest sample, without pauses.
    beat_cycles
        What a beat takes to go in, and a result to come out; more than one where they go bit by bit.
    """
    beats = int(np.diff(stimulus.offsets).max(initial=0)) + plan.readout.neurons
    clearing = 2 * max(plan.input.layout.depth, *(engine.layout.depth for engine in plan.engines))
    # The first result comes after the memories in SPRAM are filled, a word of the load image after the other.
    filling = plan.load_words * beat_cycles
    return _LEAST + _MARGIN * (longest + beats * _PAUSES * beat_cycles + clearing) + filling
