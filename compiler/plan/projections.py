"""How projections are walked, and what stands in front of their walkers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from snnc.compiler.plan.faults import Fault, at_least
from snnc.compiler.plan.layout import LayoutPlan
from snnc.compiler.plan.memories import MemoryKind, MemoryPlan
from snnc.compiler.plan.ranges import Range
from snnc.compiler.plan.walks import Walk

__all__ = ["DigitPlan", "ProjectionPlan", "QueuePlan", "map_depth"]


def map_depth(source: LayoutPlan, steps: int) -> int:
    """Words of a spike map: the address of the last word in the last step, and one."""
    return (steps - 1 << source.word_bits) + source.depth


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePlan:
    """The queue in front of a projection's walker: spike words (or external events) wait here.

    Attributes
    ----------
    depth
        Entries.
    latency
        Cycles from the entry of a word until it can leave: 1 from flip-flops, 2 from block RAM, and 1 for each of
        `registers`.
    memory
        Where they are: block RAM, or flip-flops where it is None.
    steps
        Of a *spike map*, which holds a whole sample: so many steps of every word of the source, at the address
        ``{step, word}``; behind an engine of several units a bank for each, whose words lack the low bits of the
        column. None: words leave in the order in which they came.
    """

    depth: int
    latency: int
    memory: MemoryPlan | None = None
    steps: int | None = None

    @property
    def registers(self) -> int:
        """Behind the memory, of a spike map alone: one, or one in front of the choice of a bank and one behind it."""
        return max(0, self.latency - 2)

    def faults(self) -> Iterator[Fault]:
        yield from at_least(self, 1, "depth", "latency")
        if self.registers and self.steps is None:
            yield Fault("latency", "is that of a memory with a register, which only a spike map has")
        if self.registers > 2:
            yield Fault("latency", "is that of more than the two registers that a spike map may have")
        if self.memory is not None and self.memory.depth != self.depth:
            yield Fault("memory.depth", f"is {self.memory.depth}, but the queue holds {self.depth} entries")
        yield from at_least(self, 1, "steps")
        if self.steps is not None and self.memory is None:
            yield Fault("memory", "is null, but a spike map lies in block RAM")


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitPlan:
    """A direct-encoded source: every value is recoded to signed digits (non-adjacent form), one walk per digit.

    Attributes
    ----------
    value_bits
        Width of a value; a value of ``b`` bits has digits at positions ``0 .. b``.
    current
        Proven range of the weighted sum of an image, without bias.
    current_bits
        Width of a stored current.
    memory
        Where the image's current is kept, with a word for each of the membrane's: a ring of registers or EBR.
    """

    value_bits: int
    current: Range
    current_bits: int
    memory: MemoryPlan

    def faults(self) -> Iterator[Fault]:
        yield from at_least(self, 1, "value_bits", "current_bits")
        if self.memory.kind not in (MemoryKind.REGISTERS, MemoryKind.EBR):
            yield Fault("memory.kind", f"is {self.memory.kind.value}, which is not written in a cycle")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectionPlan:
    """How one projection is walked.

    Attributes
    ----------
    source
        Name of the source population.
    source_layout
        How the source packs its spikes.
    walk
        How its events are walked.
    weight_bits, shift
        Width of a weight; left shift of the weighted sum.
    weights
        The weight memory; its word holds one weight per lane, lane 0 in the low bits.
    delay
        Time steps between a spike and its effect.
    queue
        What stands in front of the walker. Of those that listen to one population, at most one may fill within a
        sample (`Plan.fills`).
    digits
        Of a direct-encoded source in front of an event-driven engine.
    """

    source: str
    source_layout: LayoutPlan
    walk: Walk
    weight_bits: int
    shift: int
    weights: MemoryPlan
    delay: int
    queue: QueuePlan
    digits: DigitPlan | None

    @property
    def row_stride(self) -> int:
        """Weight rows of one source neuron (and kernel position)."""
        return self.walk.row_stride

    @property
    def buffered(self) -> bool:
        """Whether a dense walk has a queue of two beats in front of it: where block RAM is late, behind a spike map."""
        return self.queue.registers > 0

    def faults(self) -> Iterator[Fault]:
        yield from at_least(self, 1, "weight_bits")
        yield from at_least(self, 0, "shift", "delay")
        if self.queue.steps is not None and self.delay:
            yield Fault("delay", f"is {self.delay}; behind a spike map there is none")
        if self.weights.width % self.weight_bits:
            yield Fault("weights.width", f"is {self.weights.width}, no multiple of the {self.weight_bits} weight bits")
