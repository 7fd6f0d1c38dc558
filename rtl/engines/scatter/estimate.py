"""A mean sample in an event-driven engine."""

from __future__ import annotations

from snnc.compiler.plan import EnginePlan, Plan, ProjectionPlan
from snnc.sim.models.timing.means import Activity, Sent, operations_per_event

__all__ = ["MeanSample", "fixed_operations", "walks_of_sample"]


def fixed_operations(engine: EnginePlan, steps: int) -> int:
    """Operations of a sample whatever its events."""
    return engine.words * steps * (len(engine.passes) + (engine.main.digits is not None))


def walks_of_sample(engine: EnginePlan, steps: int) -> int:
    """How often a sample walks what its source sends in a step: an image's digits once."""
    return 1 if engine.main.digits is not None else steps


class MeanSample:
    """`snnc.sim.models.timing.means.MeanTiming`."""

    def __init__(self, plan: Plan, engine: EnginePlan, activity: Activity) -> None:
        self._engine = engine
        self._words = engine.words
        # Of each projection: the operations of a step's events, and what share of them its source must wait for.
        self._walks = [
            (
                projection,
                operations_per_event(engine, projection) * activity.events[projection.source],
                _waiting(plan, projection, activity) if plan.fills(engine, projection) else 0.0,
            )
            for projection in engine.projections
        ]
        steps = activity.time_steps
        self.operations = fixed_operations(engine, steps) + sum(
            walk * (1 if projection.digits is not None else max(0, steps - projection.delay))
            for projection, walk, _ in self._walks
        )

    def step(self, t: int, free: dict[str, float], sent: dict[str, Sent]) -> None:
        """Walk what comes, then sweep."""
        engine, words = self._engine, self._words
        now = free[engine.name]
        for projection, all_of_it, waiting in self._walks:
            walk = all_of_it
            if projection.delay:
                now += walk + 1 if t >= projection.delay else 1
                continue
            if projection.digits is not None:
                walk = words + (walk if t == 0 else 0.0)
            come = sent[projection.source]
            begin = max(now, come.first)
            if waiting:
                free[projection.source] = max(free[projection.source], begin + waiting * walk)
            now = max(begin + walk, come.last + come.share * walk) + (projection is not engine.main)
        free[engine.name] = now + len(engine.passes) * words
        now += engine.pipeline + engine.emission + 2
        sent[engine.name] = Sent(now, now + words - 1, 1 / words)


def _waiting(plan: Plan, projection: ProjectionPlan, activity: Activity) -> float:
    """Fraction of a projection's step that must be walked before its queue has room for the last word."""
    if projection.source == plan.input.name:
        return 0.0
    source = plan.engine(projection.source)
    silent = max(0.0, 1 - activity.events[source.name] / source.neurons) ** source.lanes
    entering = (source.words - 1) * (1 - silent) + 1  # only words with a spike, and the last one
    return max(0.0, 1 - projection.queue.depth / entering)
