"""Every memory gets a home, and the plan is complete."""

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from snnc.compiler.design import Design
from snnc.compiler.errors import FitError
from snnc.compiler.ir import Dense, Encoding, InputSource, IntegrateAndFire, Population, Projection
from snnc.compiler.model import model_hash
from snnc.compiler.passes.area import total_cells
from snnc.compiler.passes.memories import (
    TINY_LOGIC,
    block_memory,
    logic_cells,
    logic_memory,
    register_memory,
    spram_memory,
)
from snnc.compiler.plan import (
    DigitPlan,
    EngineKind,
    EnginePlan,
    InputPlan,
    MemoryKind,
    MemoryPlan,
    Plan,
    ProjectionPlan,
    QueuePlan,
)
from snnc.compiler.targets import Device

__all__ = ["Fit", "best_fit", "place", "place_anyway"]

INPUT_QUEUE: Final = 2
SPIKE_QUEUE: Final = 4

RING_WORDS: Final = 4
"""Membranes of at most so many words stay in flip-flops, which need no address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A plan, and what it needs beyond what its device has, as the object of a sentence; empty if it fits."""

    plan: Plan
    problem: str


_Choices: TypeAlias = tuple[MemoryPlan, ...]
"""The ways to build one memory, the preferred one first."""


def place(design: Design) -> Design:
    """Choose the kind and shape of every memory, and write the plan.

    Invariant: the plan fits the device's block RAMs and SPRAM, and by estimate its logic cells; block RAM goes where it
    saves the most logic, and SPRAM is used where a network does not fit without. Raises `FitError` with the numbers
    otherwise.
    """
    fit = best_fit(design)
    if fit.problem:
        weights = max(
            (engine.projections[0].weights for engine in fit.plan.engines), key=lambda memory: memory.bits_used
        )
        raise FitError(
            f"'{design.graph.name}' does not fit {design.device.title} ({design.device.name}) with "
            f"{', '.join(str(lanes) for lanes in design.lanes)} lanes: it needs {fit.problem}. The largest memory is "
            f"'{weights.name}' with {weights.bits_used:,} bits{_in_spram(weights, design.device)}. Use fewer weight "
            "bits (--weight-bits), fewer neurons, fewer lanes (--lanes), or a larger device (--dry-run shows which "
            "fit)."
        )
    return dataclasses.replace(design, plan=fit.plan)


def best_fit(design: Design) -> Fit:
    """A plan for the device; where there is none, the plan with the fewest block RAMs that has logic enough."""
    device = design.device

    def with_blocks(blocks: int, sprams: int = device.spram_blocks) -> Plan:
        limited = dataclasses.replace(device, block_rams=blocks, spram_blocks=sprams)
        return place_anyway(dataclasses.replace(design, device=limited))

    def fits(plan: Plan) -> bool:
        return plan.blocks <= device.block_rams and total_cells(plan) <= device.logic_cells

    # A core without SPRAM starts from its bitstream alone.
    plan = with_blocks(device.block_rams, sprams=0)
    if device.spram_blocks and not fits(plan):
        plan = with_blocks(device.block_rams)
    if not fits(plan):
        # More block RAM never costs logic.
        more = range(device.block_rams + 1, max(device.block_rams + 1, with_blocks(2**31).blocks))
        enough = bisect.bisect_left(
            more, True, key=lambda blocks: total_cells(with_blocks(blocks)) <= device.logic_cells
        )
        plan = with_blocks(device.block_rams + 1 + enough)
    lacks = []
    if plan.blocks > device.block_rams:
        beside = f" beside {plan.sprams} SPRAM" if plan.sprams else ""
        lacks.append(f"{plan.blocks} EBR (it has {device.block_rams}){beside}")
    if total_cells(plan) > device.logic_cells:
        lacks.append(f"about {total_cells(plan):,} LCs (it has {device.logic_cells:,})")
    return Fit(plan=plan, problem=" and ".join(lacks))


def _in_spram(weights: MemoryPlan, device: Device) -> str:
    """Why a memory is not in SPRAM, to follow its size; empty if it is, or if the device has none."""
    spram = spram_memory(device, "", width=weights.width, depth=weights.depth, bits_used=weights.bits_used)
    if spram is None or weights.kind is MemoryKind.SPRAM:
        return ""
    return f", which would take {spram.sprams} SPRAM (it has {device.spram_blocks})"


def place_anyway(design: Design) -> Plan:
    """The plan that leaves as little as possible to logic, whether or not it fits the device."""
    graph = design.graph
    layers = [
        _Layer(design, position, population, graph.into(population.name)[0])
        for position, population in enumerate(graph.layers)
    ]
    slots = [choices for layer in layers for choices in layer.memories]
    chosen = _within_blocks(_with_spram(slots, design.device), design.device)
    engines: list[EnginePlan] = []
    remaining = iter(chosen)
    for layer in layers:
        own = [next(remaining) for _ in layer.memories]
        engines.append(layer.engine(*own, before=engines[-1] if engines else None))
    return Plan(
        name=graph.name,
        model_hash=model_hash(graph),
        target=design.device.family,
        device=design.device.name,
        time_steps=graph.time_steps,
        input=InputPlan(
            name=graph.input.name,
            encoding=graph.source.encoding,
            addresses=graph.input.size,
            value_bits=graph.source.bits,
        ),
        engines=tuple(engines),
    )


class _Layer:
    """One layer's memories, each with its choices, and then its engine."""

    def __init__(self, design: Design, position: int, population: Population, projection: Projection) -> None:
        assert isinstance(projection, Dense)
        assert projection.bits is not None
        self._device = design.device
        self._population = population
        self._projection = projection
        self._source = design.graph.population(projection.source)
        self._bounds = design.bounds[position]
        self._lanes = design.lanes[position]
        self._words = -(-population.size // self._lanes)
        self._spiking = isinstance(population.neuron, IntegrateAndFire)
        # The adder takes signed weights: -1 and 1 need two bits.
        self._weight_bits = max(2, projection.bits)
        weights = self._weights()
        membrane = self._membrane()
        # With room for the third field where the membranes may be in block RAM.
        self.memories: tuple[_Choices, ...] = (weights, membrane, self._constants(membrane[0]), *self._current())

    def engine(
        self,
        weights: MemoryPlan,
        membrane: MemoryPlan,
        constants: MemoryPlan,
        *current: MemoryPlan,
        before: EnginePlan | None,
    ) -> EnginePlan:
        """The engine with these of the choices; `before` is the engine that it listens to."""
        neuron, bounds = self._population.neuron, self._bounds
        digits = None
        match self._source.neuron:
            case InputSource(encoding=Encoding.DIRECT, bits=bits):
                weighted = bounds.weighted[0]
                digits = DigitPlan(value_bits=bits, current=weighted, current_bits=weighted.bits, memory=current[0])
        return EnginePlan(
            name=self._population.name,
            kind=EngineKind.SPIKING if self._spiking else EngineKind.READOUT,
            neurons=self._population.size,
            lanes=self._lanes,
            words=self._words,
            reset=neuron.reset if isinstance(neuron, IntegrateAndFire) else None,
            pipeline=1 + (weights.banks > 1) + (digits is not None),
            residual_bits=bounds.residual.bits,
            membrane=membrane,
            constants=next(choice for choice in self._constants(membrane) if choice.kind is constants.kind),
            input_current=bounds.input_current,
            before_reset=bounds.before_reset,
            after_reset=bounds.after_reset,
            projections=(
                ProjectionPlan(
                    source=self._projection.source,
                    walker="dense",
                    addresses=self._source.size,
                    source_lanes=before.lanes if before else 1,
                    source_words=before.words if before else self._source.size,
                    row_stride=weights.depth // self._source.size,
                    weight_bits=self._weight_bits,
                    shift=self._projection.shift,
                    weights=weights,
                    queue=QueuePlan(depth=_queue_depth(before)),
                    digits=digits,
                ),
            ),
        )

    def _weights(self) -> _Choices:
        """With a row stride that is a power of two, which makes a row's address a concatenation, where it is free."""
        name, width = f"{self._population.name}.weights", self._lanes * self._weight_bits
        used = self._projection.weight.size * self._weight_bits
        strides = (1 << (self._words - 1).bit_length(), self._words)
        aligned, tight = (
            block_memory(self._device, name, width=width, depth=self._source.size * stride, bits_used=used, banked=True)
            for stride in strides
        )
        assert aligned is not None
        assert tight is not None
        block = aligned if aligned.blocks <= tight.blocks else tight
        logic = logic_memory(name, width=width, depth=block.depth, bits_used=used)
        if logic_cells(logic) <= TINY_LOGIC:
            return logic, block
        sprams = (
            spram_memory(self._device, name, width=width, depth=memory.depth, bits_used=used)
            for memory in (aligned, tight)
        )
        spram = min((choice for choice in sprams if choice), key=lambda choice: choice.sprams, default=None)
        return (block, logic) if spram is None else (block, spram, logic)

    def _membrane(self) -> _Choices:
        name, width = f"{self._population.name}.membrane", self._lanes * self._bounds.residual.bits
        used = self._population.size * self._bounds.residual.bits
        ring = register_memory(name, width=width, depth=self._words, bits_used=used)
        if not self._spiking or self._words <= RING_WORDS:
            return (ring,)
        block = block_memory(self._device, name, width=width, depth=self._words, bits_used=used, banked=False)
        return (ring,) if block is None else (block, ring)

    def _current(self) -> tuple[_Choices, ...]:
        """An image's current, where the layer stores one: as the membranes, in flip-flops while it has few words."""
        match self._source.neuron:
            case InputSource(encoding=Encoding.DIRECT):
                bits = self._bounds.weighted[0].bits
                name, width = f"{self._population.name}.current", self._lanes * bits
                used = self._population.size * bits
                ring = register_memory(name, width=width, depth=self._words, bits_used=used)
                block = block_memory(self._device, name, width=width, depth=self._words, bits_used=used, banked=False)
                return ((ring,),) if block is None or self._words <= RING_WORDS else ((block, ring),)
        return ()

    def _constants(self, membrane: MemoryPlan) -> _Choices:
        """``bias``; where it spikes, ``bias - threshold``; with its membranes in block RAM, the initial residual."""
        fields = 1 + self._spiking + (self._spiking and membrane.kind is MemoryKind.EBR)
        name, width = f"{self._population.name}.constants", self._lanes * self._bounds.residual.bits * fields
        used = self._population.size * self._bounds.residual.bits * fields
        logic = logic_memory(name, width=width, depth=self._words, bits_used=used)
        block = block_memory(self._device, name, width=width, depth=self._words, bits_used=used, banked=False)
        # The hardware reads logic in the same cycle, which is as good as a register while it is shallow.
        if block is None or self._words <= RING_WORDS or logic_cells(logic) <= TINY_LOGIC:
            return (logic,)
        return block, logic


def _queue_depth(before: EnginePlan | None) -> int:
    """Room for the spike words of a pipeline full of sweeps, so that an engine never waits for itself."""
    return INPUT_QUEUE if before is None else max(SPIKE_QUEUE, before.pipeline + 2)


def _with_spram(slots: Sequence[_Choices], device: Device) -> list[_Choices]:
    """What is left to choose when SPRAM has been given out: to the memory that takes the most block RAMs first."""
    left, rest = device.spram_blocks, list(slots)
    for position in sorted(range(len(slots)), key=lambda position: -slots[position][0].blocks):
        choices = slots[position]
        rest[position] = tuple(choice for choice in choices if not choice.sprams)
        for choice in choices:
            if 0 < choice.sprams <= left:
                rest[position] = (choice,)
                left -= choice.sprams
    return rest


def _within_blocks(slots: Sequence[_Choices], device: Device) -> list[MemoryPlan]:
    """One choice per memory: the preferred one, but while there are too few blocks, give up those that save least."""
    chosen = [choices[0] for choices in slots]
    while sum(memory.blocks for memory in chosen) > device.block_rams:
        exchanges = [
            ((logic_cells(other) - logic_cells(memory)) / (memory.blocks - other.blocks), position, other)
            for position, (memory, choices) in enumerate(zip(chosen, slots, strict=True))
            for other in choices
            if other.blocks < memory.blocks
        ]
        if not exchanges:
            break
        _, position, other = min(exchanges, key=lambda exchange: exchange[:2])
        chosen[position] = other
    return chosen
