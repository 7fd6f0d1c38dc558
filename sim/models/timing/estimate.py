"""Cycles without data: what ``docs/timing.md`` gives for a mean sample, for design-space exploration.

`snnc.sim.models.timing.exact` is exact and needs every spike; this takes mean numbers of events, and microseconds per
plan.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from snnc.compiler.ir import ActivityRecord, Encoding, Graph
from snnc.compiler.plan import Plan
from snnc.rtl.engines import witness
from snnc.sim.models.timing.digits import mean_digits
from snnc.sim.models.timing.means import Activity, MeanTiming, Sent, SourceActivity

__all__ = [
    "TYPICAL_DENSITY",
    "TYPICAL_FIRING",
    "Activity",
    "Estimate",
    "assumed",
    "estimate",
    "expected",
    "recorded",
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


def assumed(graph: Graph, *, density: float = TYPICAL_DENSITY, firing: float = TYPICAL_FIRING) -> Activity:
    """Activity where a fraction `density` of the inputs are events and a fraction `firing` of the neurons fire.

    Pixels that are not 0 are taken to be uniform.
    """
    sources = {layer.name: SourceActivity(steps=(layer.size * firing,)) for layer in graph.layers[:-1]}
    events, pixels = graph.input.size * density, 0.0
    if graph.source.encoding is Encoding.DIRECT:
        events, pixels = events * mean_digits(graph.source.bits), graph.input.channels * density
    sources[graph.input.name] = SourceActivity(steps=(events,), pixels=pixels)
    return Activity(sources=sources, time_steps=graph.time_steps)


def recorded(record: ActivityRecord, graph: Graph) -> Activity:
    """What was measured of a network, for as many steps as it now has."""
    sources = {name: _source(events) for name, events in record.events.items()}
    if record.pixels is not None and record.digits is not None:
        sources[graph.input.name] = dataclasses.replace(_source(record.digits[np.newaxis]), pixels=record.pixels)
    noted = graph.exit is not None and set(record.exits) == set(graph.exit.steps)
    return Activity(
        sources=sources,
        time_steps=graph.time_steps,
        typical=_typical(record, sources, graph.time_steps),
        exits=record.exits if noted else {},
    )


def _typical(record: ActivityRecord, sources: Mapping[str, SourceActivity], time_steps: int) -> tuple[Activity, ...]:
    """The samples that were noted down each on their own; where their spikes are, is as in the mean sample."""
    count = len(next(iter(record.typical.values()), ()))
    return tuple(
        Activity(
            sources={
                **sources,
                **{
                    name: dataclasses.replace(sources[name], steps=tuple(counts[number].tolist()))
                    for name, counts in record.typical.items()
                },
            },
            time_steps=time_steps,
        )
        for number in range(count)
    )


def _source(events: npt.NDArray[np.float64]) -> SourceActivity:
    """Of means ``(time, row, column)``."""
    everywhere = events.sum(axis=0)
    total = float(everywhere.sum())
    return SourceActivity(
        steps=tuple(float(step) for step in events.sum(axis=(1, 2))), shares=everywhere / total if total else None
    )


@functools.lru_cache(maxsize=4)  # graphs never change, and a search for lanes asks again and again
def expected(graph: Graph) -> Activity:
    """What is known of a network's activity: its record, or else what is typical."""
    return assumed(graph) if graph.activity is None else recorded(graph.activity, graph)


def estimate(plan: Plan, activity: Activity) -> Estimate:
    """Follow a mean sample through the network; where samples end early, one for each number of steps.

    How many end early is taken from `activity`, if that knows it; else all take all steps.
    """
    if plan.exit is None:
        return _of_an_attempt(plan, activity)
    last = 1.0 - sum(activity.exits.values())
    # By the attempt: the share of samples that come to it.
    shares: dict[tuple[int, bool], float] = {}
    for end, share in ((activity.time_steps, last), *activity.exits.items()):
        for number, steps in enumerate(plan.attempts(end)):
            attempt = steps, number > 0
            shares[attempt] = shares.get(attempt, 0.0) + share
    parts = [
        (share, _of_an_attempt(plan, activity.up_to(steps, again=again))) for (steps, again), share in shares.items()
    ]
    return Estimate(
        cycles=sum(share * part.cycles for share, part in parts),
        operations={
            name: sum(share * part.operations[name] for share, part in parts) for name in parts[0][1].operations
        },
    )


def _of_an_attempt(plan: Plan, activity: Activity) -> Estimate:
    """Of a sample that takes all steps of `activity` at once.

    Where typical samples are known, the cycles are more by what these take in the mean above their own mean sample:
    engines that wait for each other take as long as the slower one, which is not the same in every step and sample.
    """
    found = _follow(plan, activity)
    if not activity.typical:
        return found
    each = [_follow(plan, sample).cycles for sample in activity.typical]
    more = sum(each) / len(each) - _follow(plan, _mean(activity.typical)).cycles
    return dataclasses.replace(found, cycles=found.cycles + max(0.0, more))


def _mean(samples: Sequence[Activity]) -> Activity:
    """The mean of samples whose spikes are at the same places."""
    steps = {
        name: tuple(
            sum(sent) / len(samples) for sent in zip(*(one.sources[name].steps for one in samples), strict=True)
        )
        for name in samples[0].sources
    }
    sources = {name: dataclasses.replace(source, steps=steps[name]) for name, source in samples[0].sources.items()}
    return Activity(sources=sources, time_steps=samples[0].time_steps)


def _follow(plan: Plan, activity: Activity) -> Estimate:
    """Follow a sample through the network, step by step and engine by engine.

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
    last_execute = free[plan.readout.name] - plan.readout.trailing - 1 + plan.readout.pipeline
    return Estimate(
        cycles=last_execute + 2 + plan.readout.neurons,
        operations={engine.name: mean.operations for engine, mean in zip(plan.engines, engines, strict=True)},
    )
