"""The record of an engine that gathers a list of pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from snnc.compiler.plan.engines import EnginePlan
from snnc.compiler.plan.faults import Fault, at_least
from snnc.compiler.plan.kinds import EngineKind, multiplier_fault
from snnc.compiler.plan.memories import MemoryPlan
from snnc.compiler.plan.ranges import unsigned_bits
from snnc.rtl.walkers.dense.plan import DenseWalk

__all__ = ["PixelListKind"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelListKind(EngineKind):
    """The image is kept as the beats that brought it; every word of the layer goes through all of them.

    Attributes
    ----------
    value_bits
        Width of a pixel.
    current_bits
        Width of the accumulator of a neuron's current, bias included, and of every partial sum's result.
    steps
        ``T_max``: what every word takes, whatever a sample has.
    pixels
        The list: of each beat the pixel in the low bits, and above it the index of its rows of weights (`DenseWalk`).
        None for a layer of one word, which hears every pixel as it comes.
    summed
        Lanes, the first ones, that multiply in a chip's multipliers (`snnc.rtl.products`); the others do so in logic.
    lanes_each
        How many of these share a multiplier: two or one.
    spikes
        Of all steps but the first, which leave at once: ``lanes`` bits at the address ``{step - 1, word}``. None for
        networks of one step.
    """

    kind: ClassVar[str] = "pixel_list"

    value_bits: int
    current_bits: int
    steps: int
    pixels: MemoryPlan | None
    spikes: MemoryPlan | None
    summed: int = 0
    lanes_each: int = 2

    @property
    def in_multipliers(self) -> int:
        return self.summed

    @property
    def memories(self) -> tuple[MemoryPlan, ...]:
        return tuple(memory for memory in (self.pixels, self.spikes) if memory is not None)

    def steps_at_once(self, engine: EnginePlan, time_steps: int) -> int:
        return self.steps

    def faults(self) -> Iterator[Fault]:
        yield from at_least(self, 1, "value_bits", "current_bits", "steps")

    def faults_in(self, engine: EnginePlan) -> Iterator[Fault]:
        if len(engine.projections) != 1 or not isinstance(walk := engine.main.walk, DenseWalk):
            yield Fault("projections", "must be one alone, with a dense walk")
            return
        if not engine.population.fires:
            yield Fault("population.reset", "is null, but a list of pixels is gathered by neurons that fire")
        if engine.column_banks > 1:
            yield Fault("column_banks", f"is {engine.column_banks}, but words go through the list one after another")
        if fault := multiplier_fault(engine, self.value_bits, self.current_bits):
            yield fault
        if (self.pixels is None) != (engine.words == 1):
            yield Fault("kind.pixels", "must be there where the layer has several words, and only there")
        elif self.pixels is not None:
            width = list_width(engine.main.weights.depth // walk.row_stride, self.value_bits)
            if self.pixels.width != width:
                yield Fault("kind.pixels.width", f"is {self.pixels.width}, but an entry has {width} bits")
        if (self.spikes is None) != (self.steps == 1):
            yield Fault("kind.spikes", "must be there where a sample has several steps, and only there")
        elif self.spikes is not None:
            depth = spikes_depth(self.steps, engine.layout.address_bits)
            if self.spikes.width != engine.lanes:
                yield Fault("kind.spikes.width", f"is {self.spikes.width}, not the {engine.lanes} lanes")
            if self.spikes.depth < depth:
                yield Fault("kind.spikes.depth", f"is {self.spikes.depth}, but steps and words take {depth}")
        if engine.pipeline != (needed := 2 + engine.main.weights.latency):
            yield Fault("pipeline", f"is {engine.pipeline}, but its registers are {needed}")


def list_width(sources: int, value_bits: int) -> int:
    """Bits of an entry of a list in front of weights for so many sources."""
    return unsigned_bits(sources - 1) + value_bits


def spikes_depth(steps: int, word_bits: int) -> int:
    """Words of the memory of spikes, behind all steps but the first."""
    return (steps - 1) << word_bits
