"""A mean sample in an engine whose words gather spikes."""

from __future__ import annotations

from snnc.compiler.plan import EnginePlan, Plan
from snnc.sim.models.timing.means import Activity, Sent, operations_per_event

__all__ = ["MeanSample"]


class MeanSample:
    """`snnc.sim.models.timing.means.MeanTiming`: everything happens in what counts as step 0."""

    def __init__(self, plan: Plan, engine: EnginePlan, activity: Activity) -> None:
        self._engine = engine
        steps, (projection,) = activity.time_steps, engine.projections
        source = activity.sources[projection.source]
        events = sum(source.at(t) for t in range(steps))
        each = operations_per_event(engine, projection, source.shares)
        self.operations = engine.words * (1 + steps * len(engine.passes)) + each * events

    def step(self, t: int, free: dict[str, float], sent: dict[str, Sent]) -> None:
        """It keeps a row behind its source; what is behind it replays the steps after the first when all are there."""
        engine, rows = self._engine, self._engine.layout.rows
        if t == 0:
            come = sent[engine.main.source]
            row = (come.last - come.first) / engine.main.source_layout.rows
            begin = max(free[engine.name], come.first + row)
            free[engine.name] = max(begin + self.operations, come.last + self.operations / rows)
            self._begun = begin
        latency = engine.pipeline + 6
        end = free[engine.name] + latency
        sent[engine.name] = Sent(self._begun + latency if t == 0 else end, end, 1 / engine.words)
