"""The plan of a whole network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from snnc.compiler.contract import SEMANTICS_VERSION, TIMING_VERSION
from snnc.compiler.ir.neurons import Encoding
from snnc.compiler.plan.engines import EnginePlan
from snnc.compiler.plan.faults import Fault, at_least
from snnc.compiler.plan.memories import MemoryKind, MemoryPlan
from snnc.compiler.plan.populations import ExitPlan, InputPlan
from snnc.compiler.plan.projections import ProjectionPlan, map_depth

__all__ = ["PLAN_VERSION", "Plan"]

PLAN_VERSION: Final = "2.8"
"""Major and minor: a file of another version is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A compiled network.

    Attributes
    ----------
    plan_version, semantics_version, timing_version
        Of this record, and of the two contracts that it was made by.
    name
        Of the network.
    model_hash
        SHA-256 of the sealed integer model that this plan was made for.
    target, device
        FPGA family and chip.
    time_steps
        ``T_max``; of a stream, the most steps from one answer to the next.
    input
        The input port.
    engines
        In topological order, the readout last.
    """

    plan_version: str = PLAN_VERSION
    semantics_version: str = SEMANTICS_VERSION
    timing_version: str = TIMING_VERSION
    name: str
    model_hash: str
    target: str
    device: str
    time_steps: int
    input: InputPlan
    engines: tuple[EnginePlan, ...]

    @property
    def readout(self) -> EnginePlan:
        return self.engines[-1]

    @property
    def exit(self) -> ExitPlan | None:
        """When samples end early; None: never."""
        return self.readout.population.exit

    def attempts(self, time_steps: int) -> tuple[int, ...]:
        """The steps of each attempt in which a sample of so many steps is computed; all but the last one are asked.

        Where words gather, the image's spike map gives a sample again and again; else there is one attempt.
        """
        if self.exit is None or not any(engine.kind.reads_maps for engine in self.engines):
            return (time_steps,)
        return (*(steps for steps in self.exit.steps if steps < time_steps), time_steps)

    @property
    def stream(self) -> bool:
        """Whether it may be run without an end."""
        return self.readout.population.stream

    def engine(self, name: str) -> EnginePlan:
        """The engine of a population."""
        return next(engine for engine in self.engines if engine.name == name)

    def listeners(self, source: str) -> tuple[tuple[EnginePlan, int], ...]:
        """The projections that listen to a population: each by its engine, and its place among that engine's."""
        return tuple(
            (engine, k)
            for engine in self.engines
            for k, projection in enumerate(engine.projections)
            if projection.source == source
        )

    def fills(self, engine: EnginePlan, projection: ProjectionPlan) -> bool:
        """Whether the queue of a projection into `engine` may fill within a sample, so that its source must wait.

        In a stream all main ones may; the others have room for what comes (`snnc.compiler.lanes.streams`).
        """
        if projection.source == self.input.name:
            return True
        if self.stream:
            return projection is engine.main
        steps = self.time_steps
        if projection.source == engine.name:  # what is sent in a step has left before the step that is `delay` later
            steps = min(steps, projection.delay)
        return projection.queue.depth < steps * self.engine(projection.source).words

    @property
    def blocks(self) -> int:
        """Block RAMs of all memories."""
        return sum(memory.blocks for engine in self.engines for memory in engine.memories)

    @property
    def sprams(self) -> int:
        """SPRAM blocks of all memories."""
        return sum(memory.sprams for memory in self.loaded)

    @property
    def dsps(self) -> int:
        """Multipliers of all engines."""
        return sum(engine.dsps for engine in self.engines)

    @property
    def loaded(self) -> tuple[MemoryPlan, ...]:
        """The memories that are filled through the port ``load``, in that order; else there is no such port."""
        memories = (memory for engine in self.engines for memory in engine.memories)
        return tuple(memory for memory in memories if memory.kind is MemoryKind.SPRAM)

    @property
    def load_words(self) -> int:
        """Words of a whole load: memory after memory, row after row, the lowest chunk of a row first."""
        return sum(memory.depth * memory.chunks for memory in self.loaded)

    def faults(self) -> Iterator[Fault]:
        yield from at_least(self, 1, "time_steps")
        if not self.engines:
            yield Fault("engines", "is empty")
            return
        layouts = {self.input.name: self.input.layout}
        for k, engine in enumerate(self.engines):
            if engine.name in layouts:
                yield Fault(f"engines[{k}].population.name", f"is '{engine.name}', as another population's")
            layouts[engine.name] = engine.layout
            if engine.population.fires == (engine is self.readout):
                wrong = (
                    "null, but this is not the last engine" if engine is not self.readout else "given, but it reads out"
                )
                yield Fault(f"engines[{k}].population.reset", f"is {wrong}")
        names: set[str] = set()
        units = {engine.name: engine.units for engine in self.engines}
        for k, engine in enumerate(self.engines):
            for j, projection in enumerate(engine.projections):
                at = f"engines[{k}].projections[{j}]"
                if projection.source not in layouts:
                    yield Fault(f"{at}.source", f"is '{projection.source}', which no population is called")
                elif projection.source_layout != layouts[projection.source]:
                    yield Fault(f"{at}.source_layout", f"is not that of '{projection.source}'")
                elif projection.queue.steps is not None:
                    yield from _map_faults(at, projection, units.get(projection.source, 1), engine)
            for memory in engine.memories:
                if memory.name in names:
                    yield Fault(f"engines[{k}]", f"has a second memory '{memory.name}'")
                names.add(memory.name)
            maps = engine.kind.into_maps or engine.kind.reads_maps
            if self.stream and maps:
                yield Fault(f"engines[{k}].kind", "has to do with spike maps, but a stream does not end")
            if self.exit is not None and engine is not self.readout and maps != self.engines[0].kind.into_maps:
                yield Fault(f"engines[{k}].kind", "must do as the others with spike maps, since samples may end early")
        if self.stream and self.input.encoding is not Encoding.EVENTS:
            yield Fault("input.encoding", f"is '{self.input.encoding.value}', but a stream is one of events")
        hearing = [engine for engine in self.engines if engine.main.source == self.input.name]
        if len(hearing) != 1:
            yield Fault("input.name", f"is '{self.input.name}', which not exactly one main projection listens to")
        elif self.input.layout.lanes > 1 and not hearing[0].kind.takes_words:
            yield Fault("input.layout.lanes", f"is {self.input.layout.lanes}, but '{hearing[0].name}' takes one pixel")


def _map_faults(at: str, projection: ProjectionPlan, writers: int, reader: EnginePlan) -> Iterator[Fault]:
    """Of a spike map that so many units write."""
    queue, readers = projection.queue, reader.units if reader.kind.reads_maps else 1
    steps, memory = queue.steps, queue.memory
    if steps is None or memory is None:
        return
    if queue.depth < map_depth(projection.source_layout.in_banks(writers), steps):
        yield Fault(f"{at}.queue.depth", f"is {queue.depth}, less than {steps} steps of every word of a bank")
    if memory.copies != writers * readers:
        banks = f"the {writers} banks for each of {readers} units that read"
        yield Fault(f"{at}.queue.memory.copies", f"is {memory.copies}, not {banks}")
