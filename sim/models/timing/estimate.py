"""Cycles without data: what ``docs/timing.md`` gives for a mean sample, for design-space exploration.

`snnc.sim.models.timing.exact` is exact and needs every spike; this takes mean numbers of events, and microseconds per
plan.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from snnc.compiler.ir.neurons import Encoding
from snnc.compiler.plan import EngineKind, EnginePlan, Plan, ProjectionPlan
from snnc.rtl.walkers import WALKERS, witness
from snnc.sim.models.timing.digits import digit_count
from snnc.sim.models.timing.exact import Prediction

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
class Activity:
    """How much a mean sample asks of a network.

    Attributes
    ----------
    events
        That leave each population, by its name: per time step; of pixels, signed digits per sample.
    time_steps
        ``T``.
    """

    events: Mapping[str, float]
    time_steps: int


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
        events[plan.input.name] *= _digits_per_pixel(plan.input.value_bits)
    return Activity(events=events, time_steps=plan.time_steps if time_steps is None else time_steps)


def measured(plan: Plan, prediction: Prediction, *, time_steps: int) -> Activity:
    """The mean activity of a predicted batch, in a chain."""
    events = {}
    for engine, predicted in zip(plan.engines, prediction.engines, strict=True):
        walked = float(predicted.operations.mean()) - _fixed_operations(plan, engine, time_steps)
        once = _direct(engine) or _gathers(engine)
        (projection,) = engine.projections
        events[projection.source] = walked / operations_per_event(engine, projection) / (1 if once else time_steps)
    return Activity(events=events, time_steps=time_steps)


def typical(plan: Plan) -> Estimate:
    """A mean sample of a network of which nothing else is known."""
    return estimate(plan, assumed(plan, density=TYPICAL_DENSITY, firing=TYPICAL_FIRING))


def typical_cycles(plan: Plan) -> float:
    """Its cycles."""
    return typical(plan).cycles


def operations_per_event(engine: EnginePlan, projection: ProjectionPlan) -> float:
    """Mean over the source's neurons of the operations that one of their events takes."""
    found: float = _estimate_of(projection.walk.kind)(engine, projection)
    return found


@functools.cache
def _estimate_of(kind: str) -> Any:
    return witness(WALKERS[kind], "estimate").operations_per_event


@functools.cache
def _digits_per_pixel(bits: int) -> float:
    """Signed digits of a pixel that is not 0, over uniform values."""
    return float(digit_count(np.arange(1, 2**bits)).mean())


def _fixed_operations(plan: Plan, engine: EnginePlan, steps: int) -> float:
    """Operations of a sample whatever its events."""
    passes = len(engine.passes)
    if _gathers(engine):
        return engine.words * steps
    return engine.words * steps * (passes + _direct(engine))


def _gathering_cycles(plan: Plan, engine: EnginePlan, activity: Activity) -> float:
    """Slots of an image engine before its replays: every tap takes one, and one with several digits as many."""
    pixels = plan.input.layout.neurons
    taps = operations_per_event(engine, engine.main) * pixels
    digits = activity.events[plan.input.name] / pixels
    seen = min(1.0, digits / _digits_per_pixel(plan.input.value_bits))
    if engine.main.image is not None and engine.main.image.multiplies:
        digits = seen
    blank = 1 - seen
    stepping = (1 + len(engine.passes)) * plan.time_steps
    return max(taps * (digits + blank), engine.words * stepping) + engine.words


def estimate(plan: Plan, activity: Activity) -> Estimate:
    """Follow a mean sample through the network, step by step and engine by engine.

    An engine begins a step when it is done with the last one and the first spike word of its main source has arrived;
    it cannot sweep before the last word has, and a source cannot go on before that word has found room. What side
    projections bring goes first. Spikes are taken to be spread evenly over the words.
    """
    free = dict.fromkeys([engine.name for engine in plan.engines], 1.0)  # the next cycle in which each can issue
    engines = [(engine, engine.words, _walks(plan, engine, activity)) for engine in plan.engines]
    gathering = {engine.name: _gathering_cycles(plan, engine, activity) for engine in plan.engines if _gathers(engine)}
    for t in range(activity.time_steps):
        sent = {plan.input.name: _Sent(first=1.0, last=1.0, share=0.0)}
        for engine, words, walks in engines:
            if engine.name in gathering:
                # Step 0 goes out while the words are gathered, the further steps like sweeps.
                begin = free[engine.name]
                free[engine.name] += gathering[engine.name] if t == 0 else float(words)
                latency = engine.pipeline + engine.emission + 2
                sent[engine.name] = _Sent(begin + latency, free[engine.name] + latency, 1 / words)
                continue
            now = free[engine.name]
            for projection, all_of_it, waiting in walks:
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
            sent[engine.name] = _Sent(now, now + words - 1, 1 / words)
    steps = activity.time_steps
    operations = {
        engine.name: gathering[engine.name] + words * (steps - 1)
        if engine.name in gathering
        else _fixed_operations(plan, engine, steps)
        + sum(
            walk * (1 if projection.digits is not None else max(0, steps - projection.delay))
            for projection, walk, _ in walks
        )
        for engine, words, walks in engines
    }
    last_execute = free[plan.readout.name] - 1 + plan.readout.pipeline
    return Estimate(cycles=last_execute + 2 + plan.readout.neurons, operations=operations)


@dataclass(frozen=True, slots=True)
class _Sent:
    """When a step's first and last spike word are offered, and what share of its events comes with the last."""

    first: float
    last: float
    share: float


def _walks(plan: Plan, engine: EnginePlan, activity: Activity) -> list[tuple[ProjectionPlan, float, float]]:
    """Of each projection: the operations of a step's events, and what share of them its source must wait for."""
    return [
        (
            projection,
            operations_per_event(engine, projection) * activity.events[projection.source],
            _waiting(plan, projection, activity) if plan.fills(engine, projection) else 0.0,
        )
        for projection in engine.projections
    ]


def _waiting(plan: Plan, projection: ProjectionPlan, activity: Activity) -> float:
    """Fraction of a projection's step that must be walked before its queue has room for the last word."""
    if projection.source == plan.input.name:
        return 0.0
    source = plan.engine(projection.source)
    silent = max(0.0, 1 - activity.events[source.name] / source.neurons) ** source.lanes
    entering = (source.words - 1) * (1 - silent) + 1  # only words with a spike, and the last one
    return max(0.0, 1 - projection.queue.depth / entering)


def _direct(engine: EnginePlan) -> bool:
    return engine.main.digits is not None


def _gathers(engine: EnginePlan) -> bool:
    return engine.kind is EngineKind.IMAGE
