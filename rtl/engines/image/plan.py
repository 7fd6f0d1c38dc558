"""The record of an engine that gathers an image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from snnc.compiler.plan.engines import EnginePlan
from snnc.compiler.plan.faults import Fault, at_least
from snnc.compiler.plan.kinds import EngineKind, multiplier_fault
from snnc.compiler.plan.layout import LayoutPlan
from snnc.compiler.plan.memories import MemoryPlan
from snnc.rtl.walkers.image.plan import ImageWalk, mark_depth

__all__ = ["ImageKind"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageKind(EngineKind):
    """What such an engine keeps.

    Attributes
    ----------
    value_bits
        Width of a pixel.
    current_bits
        Width of the accumulator of a neuron's current, bias included, and of every partial sum's result.
    multiplies
        Whether a weight row is multiplied by a pixel, in one operation, instead of added for each of its signed digits.
    pixels
        The image, in the words of the source's layout.
    marks
        Where pixels of 0 are skipped, which pixels are not: a row of a channel per word, at its neurons' address
        without the column (`mark_depth`), the first column lowest. None where all are visited.
    spikes
        Of all steps but the first, which leave at once: at a word's address, ``lanes`` bits per step, step 1 lowest.
        None for networks of one step, and with `map_steps`.
    marks_registered
        Whether marks go to a register when they are set, and in front of the choice of a window: where block RAM is
        late.
    summed
        Lanes of each unit, the first ones, that multiply in a chip's multipliers (`snnc.rtl.products`); the others do
        so in logic.
    lanes_each
        How many of these share a multiplier: two or one.
    map_steps
        The steps of the spike maps that its spikes go into, of each word one after another; None: into queues, step 0
        while words are gathered and the others out of `spikes`.
    """

    kind: ClassVar[str] = "image"

    value_bits: int
    current_bits: int
    multiplies: bool
    pixels: MemoryPlan
    marks: MemoryPlan | None
    spikes: MemoryPlan | None
    marks_registered: bool = False
    summed: int = 0
    lanes_each: int = 2
    map_steps: int | None = None

    @property
    def in_multipliers(self) -> int:
        return self.summed

    @property
    def memories(self) -> tuple[MemoryPlan, ...]:
        return tuple(memory for memory in (self.pixels, self.marks, self.spikes) if memory is not None)

    @property
    def into_maps(self) -> bool:
        return self.map_steps is not None

    @property
    def takes_words(self) -> bool:
        return self.marks is None

    @property
    def apart(self) -> bool:
        return self.into_maps

    def all_steps(self, lanes: int) -> int:
        """``T_max``: the steps that every word takes, whatever a sample has."""
        if self.map_steps is not None:
            return self.map_steps
        return 1 if self.spikes is None else 1 + self.spikes.width // lanes

    def steps_at_once(self, engine: EnginePlan, time_steps: int) -> int:
        return self.all_steps(engine.lanes)

    def faults(self) -> Iterator[Fault]:
        yield from at_least(self, 1, "value_bits", "current_bits", "map_steps")
        if self.map_steps is not None and self.spikes is not None:
            yield Fault("spikes", "is given, but all steps go into spike maps")

    def faults_in(self, engine: EnginePlan) -> Iterator[Fault]:
        if len(engine.projections) != 1 or not isinstance(engine.main.walk, ImageWalk):
            yield Fault("projections", "must be one alone, with the walk of an image")
        elif not engine.population.fires:
            yield Fault("population.reset", "is null, but an image is gathered by neurons that fire")
        elif fault := multiplier_fault(engine, self.value_bits, self.current_bits):
            yield fault
        elif self.marks_registered and self.marks is None:
            yield Fault("kind.marks_registered", "is true, but there are no marks")
        elif self.summed and not self.multiplies:
            yield Fault("kind.summed", f"is {self.summed}, but weights are not multiplied")
        elif self.spikes is not None and self.spikes.width % engine.lanes:
            yield Fault("kind.spikes.width", f"is {self.spikes.width}, no multiple of the {engine.lanes} lanes")
        elif engine.column_banks > engine.units:
            yield Fault("column_banks", f"is {engine.column_banks}, but its spikes go into no maps")
        elif self.pixels.width != (needed := engine.main.source_layout.lanes * self.value_bits):
            yield Fault("kind.pixels.width", f"is {self.pixels.width}, but a word of the image has {needed} bits")
        elif self.pixels.depth < engine.main.source_layout.depth:
            yield Fault("kind.pixels.depth", f"is {self.pixels.depth}, less than the image")
        elif self.marks is not None:
            yield from _faults_of_marks(self.marks, engine.main.source_layout)


def _faults_of_marks(marks: MemoryPlan, image: LayoutPlan) -> Iterator[Fault]:
    if marks.width != image.columns:
        yield Fault("kind.marks.width", f"is {marks.width}, but a row of the image has {image.columns} pixels")
    if marks.depth < mark_depth(image):
        yield Fault("kind.marks.depth", f"is {marks.depth}, less than the rows of the image")
