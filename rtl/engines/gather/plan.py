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
        Whether a register stands behind the block RAM of its weights. Of several projections one stands behind the
        choice among them in any case (`EnginePlan.registered`).
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
        several = len(engine.projections) > 1
        if not all(isinstance(projection.walk, GatherWalk) for projection in engine.projections):
            yield Fault("projections", "must have the walk of an engine that gathers spikes")
            return
        if not engine.population.fires:
            yield Fault("population.reset", "is null, but spikes are gathered by neurons that fire")
        for k, projection in enumerate(engine.projections):
            steps, registers = projection.queue.steps, projection.queue.registers
            if steps != self.steps:
                yield Fault(f"projections[{k}].queue.steps", f"is {steps}, not the {self.steps} of the engine")
            if registers != engine.main.queue.registers:
                yield Fault(
                    f"projections[{k}].queue.latency",
                    f"is that of {registers} registers, not of {engine.main.queue.registers} as the main one's",
                )
        if several != engine.registered:
            yield Fault("registered", f"is {engine.registered}, but it is for several projections, and for them alone")
        if several and self.late:
            yield Fault("kind.late", "is true, but of several projections a register is behind their choice")
        latency = max(projection.weights.latency for projection in engine.projections)
        if engine.pipeline != (needed := 1 + latency + self.late + several):
            yield Fault("pipeline", f"is {engine.pipeline}, but its registers are {needed}")
