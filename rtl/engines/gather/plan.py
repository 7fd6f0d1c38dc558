"""The record of an engine whose words gather spikes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from snnc.compiler.plan.engines import EnginePlan
from snnc.compiler.plan.faults import Fault, at_least
from snnc.compiler.plan.kinds import EngineKind
from snnc.compiler.plan.memories import MemoryPlan
from snnc.rtl.walkers.gather.plan import GatherWalk

__all__ = ["GatherKind"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GatherKind(EngineKind):
    """A word takes all steps of the sample, its residuals in the adders' own registers, before the next one begins.

    Attributes
    ----------
    steps
        ``T_max``: those of the spike maps before and behind it.
    late
        Whether a register stands behind the block RAM of its weights.
    """

    kind: ClassVar[str] = "gather"

    steps: int
    late: bool

    @property
    def memories(self) -> tuple[MemoryPlan, ...]:
        return ()

    @property
    def into_maps(self) -> bool:
        return True

    @property
    def reads_maps(self) -> bool:
        return True

    @property
    def apart(self) -> bool:
        return True

    def steps_at_once(self, engine: EnginePlan, time_steps: int) -> int:
        return time_steps

    def faults(self) -> Iterator[Fault]:
        yield from at_least(self, 1, "steps")

    def faults_in(self, engine: EnginePlan) -> Iterator[Fault]:
        if len(engine.projections) != 1 or not isinstance(engine.main.walk, GatherWalk):
            yield Fault("projections", "must be one alone, with the walk of an engine that gathers spikes")
        elif not engine.population.fires:
            yield Fault("population.reset", "is null, but spikes are gathered by neurons that fire")
        elif engine.main.queue.steps != self.steps:
            yield Fault(
                "projections[0].queue.steps", f"is {engine.main.queue.steps}, not the {self.steps} of the engine"
            )
        elif engine.pipeline != (needed := 1 + engine.main.weights.latency + self.late):
            yield Fault("pipeline", f"is {engine.pipeline}, but its registers are {needed}")
