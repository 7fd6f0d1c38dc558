"""A mean sample in an engine that gathers an image."""

from __future__ import annotations

from snnc.compiler.plan import EnginePlan, Plan
from snnc.rtl.engines.image.plan import ImageKind
from snnc.sim.models.timing.digits import mean_digits
from snnc.sim.models.timing.means import Activity, Sent, operations_per_event

__all__ = ["MeanSample", "fixed_operations", "walks_of_sample"]


def fixed_operations(engine: EnginePlan, steps: int) -> int:
    """Operations of a sample whatever its pixels."""
    return engine.words * steps


def walks_of_sample(engine: EnginePlan, steps: int) -> int:
    """How often a sample takes what its source sends: the image once."""
    return 1


class MeanSample:
    """`snnc.sim.models.timing.means.MeanTiming`."""

    def __init__(self, plan: Plan, engine: EnginePlan, activity: Activity) -> None:
        self._engine = engine
        self._words = engine.words
        self._gathering = _gathering_cycles(plan, engine, activity)
        self.operations = self._gathering + self._words * (activity.time_steps - 1)

    def step(self, t: int, free: dict[str, float], sent: dict[str, Sent]) -> None:
        """Step 0 goes out while the words are gathered, the further steps like sweeps."""
        engine, words = self._engine, self._words
        begin = free[engine.name]
        free[engine.name] += self._gathering if t == 0 else float(words)
        latency = engine.pipeline + engine.emission + 2
        sent[engine.name] = Sent(begin + latency, free[engine.name] + latency, 1 / words)


def _gathering_cycles(plan: Plan, engine: EnginePlan, activity: Activity) -> float:
    """Slots before the replays: every tap takes one, and one with several digits as many."""
    pixels = plan.input.layout.neurons
    taps = operations_per_event(engine, engine.main) * pixels
    digits = activity.events[plan.input.name] / pixels
    seen = min(1.0, digits / mean_digits(plan.input.value_bits))
    if isinstance(engine.kind, ImageKind) and engine.kind.multiplies:
        digits = seen
    blank = 1 - seen
    stepping = (1 + len(engine.passes)) * plan.time_steps
    return max(taps * (digits + blank), engine.words * stepping) + engine.words
