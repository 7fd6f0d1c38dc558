"""Who computes it: the hardware of a population, its lanes, memories and pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from snnc.compiler.ir.neurons import Reset
from snnc.compiler.plan.faults import Fault, at_least
from snnc.compiler.plan.kinds import EngineKind
from snnc.compiler.plan.layout import LayoutPlan
from snnc.compiler.plan.memories import MemoryPlan
from snnc.compiler.plan.populations import PopulationPlan
from snnc.compiler.plan.projections import ProjectionPlan
from snnc.compiler.plan.residual import ConstantField, SweepPass, constant_fields_of, passes_of

__all__ = ["EnginePlan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnginePlan:
    """One population's hardware: who computes it, and every rule that the timing model obeys as well.

    Attributes
    ----------
    population
        What is computed; its name is also that of the Verilog instance and its probes.
    kind
        What hardware computes it.
    layout
        How the neurons lie in words.
    column_banks
        A power of two: the words of column ``x`` lie in bank ``x mod column_banks``, each bank with lanes, weights and
        membranes of its own, so that one operation of a convolution updates up to so many columns side by side. Where
        they work apart (`EngineKind.apart`) it is the number of units, which share out the words otherwise.
    passes
        Of a sweep, in order.
    membrane_pass
        Index of the pass after which a word holds the membrane ``V``; without a leak it is ``V + bias - threshold``,
        but in a readout, which hands out its logits then.
    constant_fields
        The fields of a word of `constants`, the lowest first.
    pipeline
        Cycles from the issue of an operation to its execution (``docs/timing.md``): 1, plus 1 for a banked weight
        memory's multiplexer, plus 1 if `registered`, plus 1 if `staged`, plus 1 for a register in front of the
        multiplier, plus 1 for a register behind the choice of what each column bank does.
    registered
        A register holds what an operation adds: behind the digit shifter or the multiplier, behind the choice among
        several projections' rows of weights, or behind a row that comes late out of block RAM and would go to the adder
        at once.
    staged
        Membranes are read a cycle before they are added to: a register stands before the adder. It takes membranes in
        EBR of three words or more.
    forwards
        Whether what is written goes to the adder's register, too. It must where a word may be read before it is
        written: in a staged engine that does not visit its words in turn.
    waits
        Whether an operation may have to wait for the one before it: where that could be on the same word.
    emission
        Cycles from the execution of what gives a spike word to its entry into the queues behind. Spikes that come out
        of block RAM in that cycle pass a register first.
    residual_bits
        Width of a stored membrane ``X``.
    membrane
        Where the membranes live; a word holds one per lane, lane 0 in the low bits. A single word where an image is
        gathered.
    constants
        The sweep's constants, one word per group of channels: for each of `constant_fields` a value per lane, each
        `residual_bits` wide, the first field in the low bits.
    projections
        Those that end here, in the order in which each step walks them. The last one is the *main* one, whose markers
        end the steps; the others are *side* projections. Of several units each has a copy of the weights, or two
        share one where there are half as many.
    """

    population: PopulationPlan
    kind: EngineKind
    layout: LayoutPlan
    column_banks: int
    passes: tuple[SweepPass, ...]
    membrane_pass: int
    constant_fields: tuple[ConstantField, ...]
    pipeline: int
    registered: bool
    staged: bool
    forwards: bool
    waits: bool
    emission: int
    residual_bits: int
    membrane: MemoryPlan
    constants: MemoryPlan
    projections: tuple[ProjectionPlan, ...]

    @property
    def name(self) -> str:
        """Of its population."""
        return self.population.name

    @property
    def reset(self) -> Reset | None:
        """Of its population."""
        return self.population.reset

    @property
    def leak_shift(self) -> int | None:
        """Of its population."""
        return self.population.leak_shift

    @property
    def neurons(self) -> int:
        return self.layout.neurons

    @property
    def lanes(self) -> int:
        return self.layout.lanes

    @property
    def width(self) -> str:
        """Lanes and column banks, as `--lanes` takes them: ``48``, or ``48x2``."""
        return f"{self.lanes}x{self.column_banks}" if self.column_banks > 1 else str(self.lanes)

    @property
    def words(self) -> int:
        return self.layout.words

    @property
    def trailing(self) -> int:
        """Operations of a step after its words hold their membranes; a readout's logits wait for none of them."""
        return self.words * (len(self.passes) - 1 - self.membrane_pass)

    @property
    def bank_layout(self) -> LayoutPlan:
        """Of the words in one column bank."""
        return self.layout.in_banks(self.column_banks)

    @property
    def units(self) -> int:
        """How many words are worked on at the same time, each at its own pace."""
        return self.column_banks if self.kind.apart else 1

    @property
    def pairs(self) -> bool:
        """Whether units ``2 k`` and ``2 k + 1`` share a copy of some projection's weights, at a port each."""
        return any(self.shares(projection) for projection in self.projections)

    def shares(self, projection: ProjectionPlan) -> bool:
        """Whether they share one of the weights of `projection`."""
        return self.units > 1 and projection.weights.copies * 2 == self.units

    @property
    def dsps(self) -> int:
        """Multipliers of the chip that it takes."""
        return self.units * -(-self.kind.in_multipliers // self.kind.lanes_each)

    def columns_at_once(self, projection: ProjectionPlan) -> int:
        """Columns side by side that an operation of `projection` updates at most."""
        return self.column_banks if projection.walk.next_column_rows is not None else 1

    @property
    def main(self) -> ProjectionPlan:
        return self.projections[-1]

    @property
    def memories(self) -> tuple[MemoryPlan, ...]:
        found = [projection.weights for projection in self.projections]
        for projection in self.projections:
            if projection.digits is not None:
                found.append(projection.digits.memory)
            if projection.queue.memory is not None:
                found.append(projection.queue.memory)
        return (*found, *self.kind.memories, self.membrane, self.constants)

    def faults(self) -> Iterator[Fault]:
        yield from at_least(self, 1, "column_banks", "pipeline", "residual_bits")
        yield from at_least(self, 0, "membrane_pass", "emission")
        layout, word = self.layout, self.lanes * self.residual_bits
        if (layout.channels, *layout.sizes) != self.population.shape:
            yield Fault("layout", f"is of {layout.shape}, but the population's shape is {self.population.shape}")
        if self.column_banks & (self.column_banks - 1):
            yield Fault("column_banks", f"is {self.column_banks}, no power of two")
        if self.units > self.layout.columns:
            yield Fault("column_banks", f"is {self.column_banks}, more than the {self.layout.columns} columns")
        if not self.projections:
            yield Fault("projections", "is empty; an engine hears at least one population")
        leaks = self.population.leak_shift is not None
        if not self.passes or len(set(self.passes)) != len(self.passes):
            yield Fault("passes", "is empty, or has one of them twice")
        elif self.membrane_pass >= len(self.passes):
            yield Fault("membrane_pass", f"is {self.membrane_pass}, but there are {len(self.passes)} passes")
        elif self.passes != passes_of(fires=self.population.fires, floor=self.population.floor, leaks=leaks):
            yield Fault("passes", "are not those of the population's reset, floor and leak")
        fields = [field for field in self.constant_fields if field is not ConstantField.INITIAL]
        if (
            tuple(fields) != constant_fields_of(self.passes, initial=False)
            or len(self.constant_fields) > len(fields) + 1
        ):
            yield Fault("constant_fields", "are not those that the passes read, and the initial one at most once")
        if self.membrane.width != word:
            yield Fault(
                "membrane.width", f"is {self.membrane.width}, not {self.lanes} lanes of {self.residual_bits} bits"
            )
        if self.constants.width != word * len(self.constant_fields):
            yield Fault(
                "constants.width", f"is {self.constants.width}, not {len(self.constant_fields)} fields of {word} bits"
            )
        if self.constants.depth != layout.groups:
            yield Fault("constants.depth", f"is {self.constants.depth}, not a word for each of {layout.groups} groups")
        for k, projection in enumerate(self.projections):
            if projection.weights.width != self.lanes * projection.weight_bits:
                expected = f"not {self.lanes} lanes of {projection.weight_bits} bits"
                yield Fault(f"projections[{k}].weights.width", f"is {projection.weights.width}, {expected}")
            if projection.weights.copies not in (1, self.column_banks, -(-self.units // 2)):
                yield Fault(
                    f"projections[{k}].weights.copies", f"is {projection.weights.copies}, not one for each bank"
                )
            if projection is not self.main and projection.digits is not None:
                yield Fault(f"projections[{k}].source", "has pixels, which an engine hears alone")
        if self.projections:
            yield from self.kind.faults_in(self)
