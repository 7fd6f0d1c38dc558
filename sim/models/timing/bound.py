"""The fewest cycles in which engines that each do one operation per cycle could be done with a sample.

Against this, `snnc.sim.models.timing.exact` says how well queues and scheduling do. Only three things hold an engine up
here: its own work, that spikes of a step are known when its source has accumulated all of the step's current, and that
its step is not over before the source's last word is there. Queues never fill, and nothing has a latency.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from snnc.compiler.ir.neurons import Encoding
from snnc.compiler.plan import EngineKind, EnginePlan, Plan, ProjectionPlan
from snnc.rtl.walkers import witness
from snnc.sim.models.stimulus import Marker, Stimulus
from snnc.sim.models.timing.digits import digit_count
from snnc.sim.models.timing.gathering import Gathering

__all__ = ["pipeline_bound"]

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
    work = {
        (engine.name, k): _work(plan, engine, projection, stimulus, spikes)
        for engine in plan.engines
        for k, projection in enumerate(engine.projections)
        if projection.image is None
    }
    gathers = {engine.name: _Free() for engine in plan.engines if engine.kind is EngineKind.IMAGE}
    for name, free in gathers.items():
        Gathering(plan.engine(name), stimulus).run(free)
    idle = np.zeros(batch, dtype=np.int64)
    ended = {engine.name: idle for engine in plan.engines}
    for t in range(steps):
        # When the first spikes of this step are known, and when the last ones are.
        first, last = {plan.input.name: idle}, {plan.input.name: told[t]}
        for engine in plan.engines:
            if engine.name in gathers:
                first[engine.name], last[engine.name] = gathers[engine.name].spans[t]
                continue
            now = ended[engine.name]
            present = [k for k, projection in enumerate(engine.projections) if not projection.delay]
            now = now + sum(work[engine.name, k][t] for k in range(len(engine.projections)) if k not in present)
            arrived = idle
            for k in present:
                source = engine.projections[k].source
                now = np.maximum(now, first[source]) + work[engine.name, k][t]
                arrived = np.maximum(arrived, last[source])
            first[engine.name] = np.maximum(now, arrived)
            last[engine.name] = first[engine.name] + engine.words
            ended[engine.name] = first[engine.name] + engine.words * len(engine.passes)
    return ended[plan.readout.name] + plan.readout.neurons


class _Free:
    """Queues that never fill; notes when an image engine's spikes of each step come."""

    def __init__(self) -> None:
        self.spans: list[tuple[IntArray, IntArray]] = []

    def granted(self) -> int:
        return 0

    def emit(self, t: int, word: int, executed: IntArray) -> None:
        if word == 0:
            self.spans.append((executed, executed))
        self.spans[t] = self.spans[t][0], executed

    def finish(self, t: int) -> None:
        pass


def _work(
    plan: Plan,
    engine: EnginePlan,
    projection: ProjectionPlan,
    stimulus: Stimulus,
    spikes: Mapping[str, npt.NDArray[Any]],
) -> IntArray:
    """Operations of a projection's events, and of an image's injection, in every step; ``(time, batch)``."""
    if projection.source != plan.input.name:
        table = _per_neuron(engine, projection)
        sent = spikes[projection.source][: stimulus.time_steps] @ table
        return np.concatenate([np.zeros_like(sent[: projection.delay]), sent])[: stimulus.time_steps]
    direct = plan.input.encoding is Encoding.DIRECT
    events = np.where(stimulus.event, digit_count(stimulus.value) if direct else 1, 0)
    positions = stimulus.address % (projection.source_layout.rows * projection.source_layout.columns)
    each = _per_position(engine, projection)[positions]
    ends = np.flatnonzero(stimulus.marker != Marker.NONE)
    begins = np.concatenate([np.zeros(1, dtype=np.int64), ends + 1])[:-1]
    found = np.add.reduceat(events * each, begins).reshape(len(stimulus), stimulus.time_steps).T
    return found + engine.words * direct


def _per_neuron(engine: EnginePlan, projection: ProjectionPlan) -> IntArray:
    """Operations of an event of each neuron of the source."""
    return np.tile(_per_position(engine, projection), projection.source_layout.channels)


def _per_position(engine: EnginePlan, projection: ProjectionPlan) -> IntArray:
    """Operations of an event at each position of the source."""
    operations: IntArray = witness(projection.walk, "timing").reach(engine, projection)[0]
    return operations
