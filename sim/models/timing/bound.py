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
from snnc.sim.models.timing.walking import EngineTiming

__all__ = ["Unhindered", "pipeline_bound", "share_of_bound"]

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


class Unhindered:
    """`IdealTiming` of an engine at the port: the cycles that its `timing` takes before queues that never fill."""

    def __init__(self, name: str, timing: EngineTiming) -> None:
        self._name = name
        self._free = _Free()
        timing.outputs = self._free
        timing.run()

    def step(self, t: int, first: dict[str, IntArray], last: dict[str, IntArray], ended: dict[str, IntArray]) -> None:
        """Hand on when the spikes came."""
        first[self._name], last[self._name] = self._free.spans[t]


class _Free:
    """Queues that never fill; notes when the spikes of each step come."""

    def __init__(self) -> None:
        self.spans: list[tuple[IntArray, IntArray]] = []

    def granted(self) -> int:
        """At any time."""
        return 0

    def emit(self, t: int, word: int, executed: IntArray) -> None:
        """Note the first and the last one."""
        if t == len(self.spans):
            self.spans.append((executed, executed))
        first, last = self.spans[t]
        self.spans[t] = np.minimum(first, executed), np.maximum(last, executed)

    def finish(self, t: int) -> None:
        """Nothing is left to do."""
