"""Cycles without data: what ``docs/timing.md`` gives for a mean sample, for design-space exploration.

`snnc.sim.models.timing.exact` is exact and needs every spike; this takes mean numbers of events, and microseconds per
plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from snnc.compiler.ir.neurons import Encoding
from snnc.compiler.plan import Plan
from snnc.rtl.engines import witness
from snnc.sim.models.timing.digits import mean_digits
from snnc.sim.models.timing.exact import Prediction
from snnc.sim.models.timing.means import Activity, MeanTiming, Sent, operations_per_event

__all__ = [
    "TYPICAL_DENSITY",
    "TYPICAL_FIRING",
    "Activity",
    "Estimate",
    "assumed",
    "estimate",
    "measured",
    "operations_per_event",
    "typical",
    "typical_cycles",
]


TYPICAL_DENSITY: Final = 0.2
TYPICAL_FIRING: Final = 0.15
"""Fractions of inputs and of hidden neurons that are active in a step, where nothing is known yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean sample's cycles.

    Attributes
    ----------
    cycles
        From the first input beat to the last output beat.
    operations
        Of each engine, by name: the fewest cycles that it can take.
    """

    cycles: float
    operations: Mapping[str, float]

    @property
    def busiest(self) -> str:
        """Name of the engine with the most operations."""
        return max(self.operations, key=lambda name: self.operations[name])

    @property
    def bound(self) -> float:
        """Operations of the busiest engine."""
        return self.operations[self.busiest]

    @property
    def achieved(self) -> float:
        """`bound` as a fraction of `cycles`."""
        return self.bound / self.cycles


def assumed(plan: Plan, *, density: float, firing: float, time_steps: int | None = None) -> Activity:
    """Activity where a fraction `density` of the inputs are events and a fraction `firing` of the neurons fire.

    Pixels that are not 0 are taken to be uniform. `time_steps` is the plan's ``T_max`` unless given.
    """
    events = {engine.name: engine.neurons * firing for engine in plan.engines[:-1]}
    events[plan.input.name] = plan.input.layout.neurons * density
    if plan.input.encoding is Encoding.DIRECT:
        events[plan.input.name] *= mean_digits(plan.input.value_bits)
    return Activity(events=events, time_steps=plan.time_steps if time_steps is None else time_steps)


def measured(plan: Plan, prediction: Prediction, *, time_steps: int) -> Activity:
    """The mean activity of a predicted batch, in a chain."""
    events = {}
    for engine, predicted in zip(plan.engines, prediction.engines, strict=True):
        kind = witness(engine.kind, "estimate")
        walked = float(predicted.operations.mean()) - kind.fixed_operations(engine, time_steps)
        (projection,) = engine.projections
        walks = kind.walks_of_sample(engine, time_steps)
        events[projection.source] = walked / operations_per_event(engine, projection) / walks
    return Activity(events=events, time_steps=time_steps)


def typical(plan: Plan) -> Estimate:
    """A mean sample of a network of which nothing else is known."""
    return estimate(plan, assumed(plan, density=TYPICAL_DENSITY, firing=TYPICAL_FIRING))


def typical_cycles(plan: Plan) -> float:
    """Its cycles."""
    return typical(plan).cycles


def estimate(plan: Plan, activity: Activity) -> Estimate:
    """Follow a mean sample through the network, step by step and engine by engine.

    An engine begins a step when it is done with the last one and the first spike word of its main source has arrived;
    it cannot sweep before the last word has, and a source cannot go on before that word has found room. What side
    projections bring goes first. Spikes are taken to be spread evenly over the words.
    """
    free = dict.fromkeys([engine.name for engine in plan.engines], 1.0)  # the next cycle in which each can issue
    engines: list[MeanTiming] = [
        witness(engine.kind, "estimate").MeanSample(plan, engine, activity) for engine in plan.engines
    ]
    for t in range(activity.time_steps):
        sent = {plan.input.name: Sent(first=1.0, last=1.0, share=0.0)}
        for engine in engines:
            engine.step(t, free, sent)
    last_execute = free[plan.readout.name] - 1 + plan.readout.pipeline
    return Estimate(
        cycles=last_execute + 2 + plan.readout.neurons,
        operations={engine.name: mean.operations for engine, mean in zip(plan.engines, engines, strict=True)},
    )
