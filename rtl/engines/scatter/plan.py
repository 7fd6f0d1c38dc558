"""The record of an event-driven engine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from snnc.compiler.plan.engines import EnginePlan
from snnc.compiler.plan.faults import Fault
from snnc.compiler.plan.kinds import EngineKind
from snnc.compiler.plan.memories import MemoryPlan
from snnc.rtl.walkers.image.plan import ImageWalk

__all__ = ["ScatterKind"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScatterKind(EngineKind):
    """Events come one after another; of a population that does not fire, it hands out the membranes."""

    kind: ClassVar[str] = "scatter"

    @property
    def memories(self) -> tuple[MemoryPlan, ...]:
        return ()

    def steps_at_once(self, engine: EnginePlan, time_steps: int) -> None:
        return None

    def faults_in(self, engine: EnginePlan) -> Iterator[Fault]:
        for k, projection in enumerate(engine.projections):
            if projection.walk.kind == ImageWalk.kind:
                yield Fault(f"projections[{k}].walk.kind", "is for engines that gather an image")
