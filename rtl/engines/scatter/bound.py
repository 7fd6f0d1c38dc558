"""The fewest cycles of an event-driven engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from snnc.compiler.plan import EnginePlan, Plan, ProjectionPlan
from snnc.rtl.walkers import witness
from snnc.sim.models.stimulus import Marker, Stimulus
from snnc.sim.models.timing.digits import digit_count

__all__ = ["Ideal"]

IntArray: TypeAlias = npt.NDArray[np.int64]


class Ideal:
    """`snnc.sim.models.timing.bound.IdealTiming`."""

    def __init__(
        self, plan: Plan, engine: EnginePlan, stimulus: Stimulus, spikes: Mapping[str, npt.NDArray[np.bool_]]
    ) -> None:
        self._engine = engine
        self._work = [_work(plan, engine, projection, stimulus, spikes) for projection in engine.projections]

    def step(self, t: int, first: dict[str, IntArray], last: dict[str, IntArray], ended: dict[str, IntArray]) -> None:
        """Walk what has come, then sweep."""
        engine = self._engine
        now = ended[engine.name]
        present = [k for k, projection in enumerate(engine.projections) if not projection.delay]
        now = now + sum(self._work[k][t] for k in range(len(engine.projections)) if k not in present)
        arrived = np.zeros_like(now)
        for k in present:
            source = engine.projections[k].source
            now = np.maximum(now, first[source]) + self._work[k][t]
            arrived = np.maximum(arrived, last[source])
        first[engine.name] = np.maximum(now, arrived)
        last[engine.name] = first[engine.name] + engine.words
        ended[engine.name] = first[engine.name] + engine.words * len(engine.passes)


def _work(
    plan: Plan,
    engine: EnginePlan,
    projection: ProjectionPlan,
    stimulus: Stimulus,
    spikes: Mapping[str, npt.NDArray[np.bool_]],
) -> IntArray:
    """Operations of a projection's events, and of an image's injection, in every step; ``(time, batch)``."""
    if projection.source != plan.input.name:
        table = _per_neuron(engine, projection)
        sent = spikes[projection.source][: stimulus.time_steps] @ table
        return np.concatenate([np.zeros_like(sent[: projection.delay]), sent])[: stimulus.time_steps]
    digits = projection.digits
    each = 1 if digits is None else digit_count(stimulus.value)
    events = np.where(stimulus.event, each, 0)
    positions = stimulus.address % (projection.source_layout.rows * projection.source_layout.columns)
    each = _per_position(engine, projection)[positions]
    ends = np.flatnonzero(stimulus.marker != Marker.NONE)
    begins = np.concatenate([np.zeros(1, dtype=np.int64), ends + 1])[:-1]
    found = np.add.reduceat(events * each, begins).reshape(len(stimulus), stimulus.time_steps).T
    return found + engine.words * (digits is not None)


def _per_neuron(engine: EnginePlan, projection: ProjectionPlan) -> IntArray:
    """Operations of an event of each neuron of the source."""
    return np.tile(_per_position(engine, projection), projection.source_layout.channels)


def _per_position(engine: EnginePlan, projection: ProjectionPlan) -> IntArray:
    """Operations of an event at each position of the source."""
    operations: IntArray = witness(projection.walk, "timing").reach(engine, projection)[0]
    return operations
