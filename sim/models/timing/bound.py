"""The fewest cycles in which engines that each do one operation per cycle could be done with a sample.

Against this, `snnc.sim.models.timing.exact` says how well queues and scheduling do. Only three things hold an engine up
here: its own work, that spikes of a step are known when its source has accumulated all of the step's current, and that
its step is not over before the source's last word is there. Queues never fill, and nothing has a latency.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from snnc.compiler.plan import Plan
from snnc.rtl.engines import witness
from snnc.sim.models.stimulus import Marker, Stimulus

__all__ = ["pipeline_bound", "share_of_bound"]

IntArray: TypeAlias = npt.NDArray[np.int64]


def pipeline_bound(plan: Plan, stimulus: Stimulus, spikes: Mapping[str, npt.NDArray[Any]]) -> IntArray:
    """Cycles of every sample, from its first input beat to its last output beat; shape ``(batch,)``.

    Parameters
    ----------
    plan, stimulus, spikes
        As those of `snnc.sim.models.timing.exact.predict`.
    """
    steps, batch = stimulus.time_steps, len(stimulus)
    markers = np.flatnonzero(stimulus.marker != Marker.NONE).reshape(batch, steps).T
    told = markers - stimulus.offsets[:-1] + 1  # how far the input is when each of its steps is over
    engines: list[IdealTiming] = [
        witness(engine.kind, "bound").Ideal(plan, engine, stimulus, spikes) for engine in plan.engines
    ]
    idle = np.zeros(batch, dtype=np.int64)
    ended = {engine.name: idle for engine in plan.engines}
    for t in range(steps):
        # When the first spikes of this step are known, and when the last ones are.
        first, last = {plan.input.name: idle}, {plan.input.name: told[t]}
        for ideal in engines:
            ideal.step(t, first, last, ended)
    return ended[plan.readout.name] - plan.readout.trailing + plan.readout.neurons


def share_of_bound(bound: IntArray, cycles: IntArray) -> float:
    """How near samples that took `cycles` come to their `bound`: the mean of ``bound / cycles``, at most 1."""
    return float((bound / cycles).mean())


class IdealTiming(Protocol):
    """An engine that nothing but its own work holds up; each kind has one, ``Ideal``."""

    def step(self, t: int, first: dict[str, IntArray], last: dict[str, IntArray], ended: dict[str, IntArray]) -> None:
        """Follow step `t`: `first` and `last` say when spikes are known, `ended` when engines are done."""
