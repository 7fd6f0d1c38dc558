"""Cycles without data: what ``docs/timing.md`` gives for a mean sample, for design-space exploration.

`snnc.sim.performance` is exact and needs every spike; this takes mean numbers of events, and microseconds per plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from snnc.compiler.ir.neurons import Encoding
from snnc.compiler.plan import EngineKind, EnginePlan, Plan
from snnc.sim.performance import Prediction, digit_count, reach

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
        Events that reach each engine, by its name: per time step; after a direct source, signed digits per sample.
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
    events = {}
    for index, engine in enumerate(plan.engines):
        projection = engine.projections[0]
        events[engine.name] = projection.source_layout.neurons * (firing if index else density)
        if index == 0 and plan.input.encoding is Encoding.DIRECT:
            events[engine.name] *= _digits_per_pixel(plan.input.value_bits)
    return Activity(events=events, time_steps=plan.time_steps if time_steps is None else time_steps)


def measured(plan: Plan, prediction: Prediction, *, time_steps: int) -> Activity:
    """The mean activity of a predicted batch."""
    events = {}
    for engine, predicted in zip(plan.engines, prediction.engines, strict=True):
        walked = float(predicted.operations.mean()) - _fixed_operations(plan, engine, time_steps)
        once = _direct(engine) or _gathers(engine)
        events[engine.name] = walked / operations_per_event(engine) / (1 if once else time_steps)
    return Activity(events=events, time_steps=time_steps)


def typical(plan: Plan) -> Estimate:
    """A mean sample of a network of which nothing else is known."""
    return estimate(plan, assumed(plan, density=TYPICAL_DENSITY, firing=TYPICAL_FIRING))


def typical_cycles(plan: Plan) -> float:
    """Its cycles."""
    return typical(plan).cycles


def operations_per_event(engine: EnginePlan) -> float:
    """Mean over the source's neurons of the words that one of their events touches."""
    (projection,) = engine.projections
    return float(engine.words if projection.kernel is None else reach(engine)[0].mean())


def _digits_per_pixel(bits: int) -> float:
    """Signed digits of a pixel that is not 0, over uniform values."""
    return float(digit_count(np.arange(1, 2**bits)).mean())


def _fixed_operations(plan: Plan, engine: EnginePlan, steps: int) -> float:
    """Operations of a sample whatever its events."""
    if _gathers(engine):
        return engine.words * (plan.time_steps + steps - 1)
    return engine.words * steps * (2 if _direct(engine) else 1)


def _gathering_cycles(plan: Plan, engine: EnginePlan, activity: Activity) -> float:
    """Slots of an image engine before its replays: every tap takes one, and one with several digits as many."""
    pixels = plan.input.layout.neurons
    taps = operations_per_event(engine) * pixels
    digits = activity.events[engine.name] / pixels
    blank = max(0.0, 1 - digits / _digits_per_pixel(plan.input.value_bits))
    return taps * (digits + blank) + 2 * engine.words * plan.time_steps


def estimate(plan: Plan, activity: Activity) -> Estimate:
    """Follow a mean sample through a chain, step by step and engine by engine.

    An engine begins a step when it is done with the last one and the first spike word of the engine before it has
    arrived; it cannot sweep before the last word has, and the engine before it cannot go on before that word has found
    room. Spikes are taken to be spread evenly over the words.
    """
    free = [1.0] * len(plan.engines)  # the next cycle in which each engine can issue
    for t in range(activity.time_steps):
        first_word = last_word = 1.0  # when the words of this step are offered to the engine
        share = 0.0  # of the step's events that come with the last word
        for index, engine in enumerate(plan.engines):
            walk = operations_per_event(engine) * activity.events[engine.name]
            if _direct(engine):
                walk = engine.words + (walk if t == 0 else 0)
            begin = max(free[index], first_word)
            if _gathers(engine):
                # Step 0 goes out while the words are gathered, the further steps like sweeps.
                first_word = begin + engine.pipeline + 2
                free[index] = begin + (_gathering_cycles(plan, engine, activity) if t == 0 else engine.words)
                last_word = free[index] + engine.pipeline + 2
                share = 1 / engine.words
                continue
            if index and (waiting := _waiting(plan, index, activity)):
                free[index - 1] = max(free[index - 1], begin + waiting * walk)
            sweep = max(begin + walk, last_word + share * walk)
            free[index] = sweep + engine.words
            first_word = sweep + engine.pipeline + 2
            last_word = free[index] - 1 + engine.pipeline + 2
            share = 1 / engine.words
    steps = activity.time_steps
    operations = {
        engine.name: _gathering_cycles(plan, engine, activity) + engine.words * (steps - 1)
        if _gathers(engine)
        else operations_per_event(engine) * activity.events[engine.name] * (1 if _direct(engine) else steps)
        + _fixed_operations(plan, engine, steps)
        for engine in plan.engines
    }
    last_execute = free[-1] - 1 + plan.readout.pipeline
    return Estimate(cycles=last_execute + 2 + plan.readout.neurons, operations=operations)


def _waiting(plan: Plan, index: int, activity: Activity) -> float:
    """Fraction of an engine's step that must be walked before the queue in front of it has room for the last word."""
    source, engine = plan.engines[index - 1], plan.engines[index]
    silent = max(0.0, 1 - activity.events[engine.name] / source.neurons) ** source.lanes
    entering = (source.words - 1) * (1 - silent) + 1  # only words with a spike, and the last one
    return max(0.0, 1 - engine.projections[0].queue.depth / entering)


def _direct(engine: EnginePlan) -> bool:
    return engine.projections[0].digits is not None


def _gathers(engine: EnginePlan) -> bool:
    return engine.kind is EngineKind.IMAGE
