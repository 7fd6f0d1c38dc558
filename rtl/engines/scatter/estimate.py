"""A mean sample in an event-driven engine."""

from __future__ import annotations

from typing import Final

from snnc.compiler.plan import EnginePlan, Plan, ProjectionPlan
from snnc.sim.models.timing.means import Activity, Sent, operations_per_event, waits_per_event

__all__ = ["MeanSample"]

_APART: Final = 2
"""Cycles of ``docs/timing.md``, "Walker of convolutions", in an engine that forwards."""


class MeanSample:
    """`snnc.sim.models.timing.means.MeanTiming`."""

    def __init__(self, plan: Plan, engine: EnginePlan, activity: Activity) -> None:
        self._plan = plan
        self._engine = engine
        self._words = engine.words
        steps = range(activity.time_steps)
        # Of each projection: the cycles of every step's events, and what share of them its source must wait for.
        self._walks: list[tuple[ProjectionPlan, list[float], list[float]]] = []
        self.operations: float = engine.words * len(steps) * (len(engine.passes) + (engine.main.digits is not None))
        for projection in engine.projections:
            source = activity.sources[projection.source]
            if projection.digits is not None:
                events = [source.at(0)] + [0.0] * (len(steps) - 1)
            else:
                events = [source.at(t - projection.delay) if t >= projection.delay else 0.0 for t in steps]
            each = operations_per_event(engine, projection, source.shares)
            taken = each + waits_per_event(engine, projection, source.shares)
            fills = plan.fills(engine, projection)
            waits = [_waiting(plan, projection, source.at(t)) if fills else 0.0 for t in steps]
            self._walks.append((projection, [taken * sent for sent in events], waits))
            self.operations += each * sum(events)

    def step(self, t: int, free: dict[str, float], sent: dict[str, Sent]) -> None:
        """Walk what comes, then sweep."""
        engine, words = self._engine, self._words
        now, swept = free[engine.name], t > 0
        for projection, walks, waits in self._walks:
            walk, waiting = walks[t], waits[t]
            # Between a sweep and an accumulate, in either order, where one may need what the other has not written.
            apart = _APART * min(1.0, walk) if engine.forwards else 0.0
            if swept:
                now, swept = now + apart, not apart
            if projection.delay:
                # The first words of a delay are offered a cycle after the step before has ended.
                first = t > 0 and projection is engine.projections[0]
                now += first + (walk + 1 if t >= projection.delay else 1)
                continue
            if projection.digits is not None:
                walk += words
            come = sent[projection.source]
            begin = max(now, come.first)
            if waiting:
                # Behind the pass that gives the spikes, the source has the others.
                source = self._plan.engine(projection.source)
                rest = (len(source.passes) - 1) * source.words
                free[source.name] = max(free[source.name], begin + waiting * walk + rest)
            now = max(begin + walk, come.last + come.share * walk) + (projection is not engine.main)
            now += apart if projection is engine.main else 0.0
        free[engine.name] = now + len(engine.passes) * words
        now += engine.pipeline + engine.emission + 2
        sent[engine.name] = Sent(now, now + words - 1, 1 / words)


def _waiting(plan: Plan, projection: ProjectionPlan, events: float) -> float:
    """Fraction of a projection's step of so many events that must be walked before the last word finds room."""
    if projection.source == plan.input.name:
        return 0.0
    source = plan.engine(projection.source)
    silent = max(0.0, 1 - events / source.neurons) ** source.lanes
    entering = (source.words - 1) * (1 - silent) + 1  # only words with a spike, and the last one
    return max(0.0, 1 - projection.queue.depth / entering)
