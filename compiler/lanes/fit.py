"""Every memory gets a home: the plan for given lanes, and whether it fits the device."""

from __future__ import annotations

import bisect
import dataclasses
import functools
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from snnc.compiler.design import Bounds, Design
from snnc.compiler.ir import (
    Convolution,
    Dense,
    Encoding,
    InputSource,
    IntegrateAndFire,
    Pooling,
    Population,
    Projection,
    as_convolution,
)
from snnc.compiler.ir.model import model_hash
from snnc.compiler.lanes.area import total_cells
from snnc.compiler.lanes.memories import (
    TINY_LOGIC,
    block_memory,
    logic_cells,
    logic_memory,
    queue_memories,
    register_memory,
    side_by_side,
    spram_memory,
)
from snnc.compiler.lanes.order import paced, walk_order
from snnc.compiler.lanes.queues import deepened
from snnc.compiler.lanes.rules import emission_of, forwards_of, pipeline_of, queue_latency, staged_of, waits_of
from snnc.compiler.plan import (
    ConstantField,
    DigitPlan,
    EngineKind,
    EnginePlan,
    ImagePlan,
    InputPlan,
    LayoutPlan,
    MemoryKind,
    MemoryPlan,
    Plan,
    PopulationPlan,
    ProjectionPlan,
    QueuePlan,
    Range,
    Walk,
)
from snnc.compiler.plan.residual import constant_fields_of, membrane_pass_of, passes_of
from snnc.compiler.targets import Device
from snnc.rtl.walkers import WALKERS, witness
from snnc.rtl.walkers.memories import WalkMemories

__all__ = ["Fit", "best_fit", "fitting", "layout_of", "place_anyway"]

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


def best_fit(design: Design) -> Fit:
    """A plan for the device; where there is none, the plan with the fewest block RAMs that has logic enough."""
    device = design.device
    plan = fitting(design)
    if plan is not None:
        return Fit(plan=plan, problem="")
    # More block RAM never costs logic.
    more = range(device.block_rams + 1, max(device.block_rams + 1, _with_blocks(design, 2**31).blocks))
    enough = bisect.bisect_left(
        more, True, key=lambda blocks: total_cells(_with_blocks(design, blocks)) <= device.logic_cells
    )
    plan = _with_blocks(design, device.block_rams + 1 + enough)
    lacks = []
    if plan.blocks > device.block_rams:
        beside = f" beside {plan.sprams} SPRAM" if plan.sprams else ""
        lacks.append(f"{plan.blocks} {device.block_ram_name} (it has {device.block_rams}){beside}")
    if total_cells(plan) > device.logic_cells:
        lacks.append(f"about {total_cells(plan):,} {device.logic_name}s (it has {device.logic_cells:,})")
    return Fit(plan=plan, problem=" and ".join(lacks))


def fitting(design: Design) -> Plan | None:
    """A plan for the device, if there is one."""
    device = design.device
    # A core without SPRAM starts from its bitstream alone.
    for sprams in (0, device.spram_blocks) if device.spram_blocks else (0,):
        plan = _with_blocks(design, device.block_rams, sprams)
        if plan.blocks <= device.block_rams and total_cells(plan) <= device.logic_cells:
            return deepened(plan, device)
    return None


def _with_blocks(design: Design, blocks: int, sprams: int | None = None) -> Plan:
    """The plan for a device with so many block RAMs, and as much SPRAM as it has, or so much."""
    device = design.device
    sprams = device.spram_blocks if sprams is None else sprams
    limited = dataclasses.replace(device, block_rams=blocks, spram_blocks=sprams)
    return place_anyway(dataclasses.replace(design, device=limited))


def place_anyway(design: Design) -> Plan:
    """The plan that leaves as little as possible to logic, whether or not it fits the device."""
    graph = design.graph
    lanes = dict(zip((population.name for population in graph.layers), design.lanes, strict=True))
    layouts = {
        population.name: layout_of(population, lanes.get(population.name, 1)) for population in graph.populations
    }
    shallow = paced(graph)
    column_banks = design.column_banks or (1,) * len(graph.layers)
    layers = [
        _Layer(design, population, bounds, layouts, banks, shallow)
        for population, bounds, banks in zip(graph.layers, design.bounds, column_banks, strict=True)
    ]
    slots = [choices for layer in layers for choices in layer.memories]
    chosen = _within_blocks(_with_spram(slots, design.device), design.device)
    pipelines: dict[str, int] = {}
    engines: list[EnginePlan] = []
    remaining = iter(chosen)
    for layer in layers:
        mine = list(itertools.islice(remaining, len(layer.memories)))
        engines.append(layer.engine(mine, pipelines))
        pipelines[engines[-1].name] = engines[-1].pipeline + engines[-1].emission
    return Plan(
        name=graph.name,
        model_hash=model_hash(graph),
        target=design.device.family,
        device=design.device.name,
        time_steps=graph.time_steps,
        input=InputPlan(
            name=graph.input.name,
            encoding=graph.source.encoding,
            layout=layout_of(graph.input, 1),
            value_bits=graph.source.bits,
        ),
        engines=tuple(engines),
    )


class _Layer:
    """One layer's memories, each with its choices, and then its engine."""

    def __init__(
        self,
        design: Design,
        population: Population,
        bounds: Bounds,
        layouts: Mapping[str, LayoutPlan],
        column_banks: int,
        shallow: frozenset[Projection],
    ) -> None:
        self._device = design.device
        self._population = population
        self._bounds = bounds
        self._layout = layouts[population.name]
        self._column_banks = column_banks
        self._spiking = isinstance(population.neuron, IntegrateAndFire)
        self._time_steps = design.graph.time_steps
        walked = walk_order(design.graph, population)
        self._inputs = [
            _Input(
                design,
                projection,
                bounds.weighted[at],
                layouts,
                column_banks,
                shallow,
                "" if projection is walked[-1] else str(k),
            )
            for k, projection in enumerate(walked)
            for at, other in enumerate(design.graph.into(population.name))
            if other is projection
        ]
        self._main = self._inputs[-1]
        self._gathers = self._main.gathers
        neuron = population.neuron
        self._passes = passes_of(
            fires=isinstance(neuron, IntegrateAndFire),
            floor=isinstance(neuron, IntegrateAndFire) and neuron.floor is not None,
            leaks=isinstance(neuron, IntegrateAndFire) and neuron.leak_shift is not None,
        )
        membrane = self._membrane()
        # The constants with room for the field of the initial residual, where the membranes may be in block RAM.
        self.memories: tuple[_Choices, ...] = (
            membrane,
            self._constants(self._constant_fields(membrane[0])),
            *self._of_pixels(),
            *(choices for one in self._inputs for choices in one.memories),
        )

    def engine(self, chosen: Sequence[MemoryPlan], pipelines: Mapping[str, int]) -> EnginePlan:
        """The engine with these of the choices, in the order of `memories`.

        `pipelines` says of earlier engines how long a sweep takes to give its spike word.
        """
        remaining = iter(chosen)
        membrane, constants = next(remaining), next(remaining)
        of_pixels = list(itertools.islice(remaining, len(self._of_pixels())))
        projections = []
        for one in self._inputs:
            mine = list(itertools.islice(remaining, len(one.memories)))
            projections.append(one.projection(mine, of_pixels if one is self._main else [], pipelines))
        words = self._layout.words
        staged = staged_of(membrane, words=words, in_turn=self._ordered, late=self._device.late_block_ram)
        fields = self._constant_fields(membrane)
        constants = next(choice for choice in self._constants(fields) if choice.kind is constants.kind)
        return EnginePlan(
            population=self._computed(),
            kind=EngineKind.IMAGE if self._gathers else EngineKind.SPIKING if self._spiking else EngineKind.READOUT,
            layout=self._layout,
            column_banks=self._column_banks,
            passes=self._passes,
            membrane_pass=membrane_pass_of(self._passes),
            constant_fields=fields,
            pipeline=pipeline_of(
                projections,
                staged=staged,
                joins=self._main.pixels is not None or len(projections) > 1,
                multiplies=self._main.multiplies,
                column_banks=self._column_banks,
            ),
            staged=staged,
            forwards=forwards_of(staged=staged, in_turn=self._ordered),
            waits=waits_of(
                staged=staged,
                words=words,
                returns=any(one.walk.returns for one in projections),
            ),
            emission=emission_of(membrane, staged=staged, replays=self._gathers),
            residual_bits=self._bounds.residual.bits,
            membrane=membrane,
            constants=constants,
            projections=tuple(projections),
        )

    def _computed(self) -> PopulationPlan:
        neuron = self._population.neuron
        fires = neuron if isinstance(neuron, IntegrateAndFire) else None
        return PopulationPlan(
            name=self._population.name,
            shape=self._population.shape,
            reset=fires.reset if fires else None,
            leak_shift=fires.leak_shift if fires else None,
            floor=fires is not None and fires.floor is not None,
            input_current=self._bounds.input_current,
            before_reset=self._bounds.before_reset,
            after_reset=self._bounds.after_reset,
        )

    def _constant_fields(self, membrane: MemoryPlan) -> tuple[ConstantField, ...]:
        """Of a word of constants; the initial residual is among them where the membranes' memory has no other."""
        return constant_fields_of(self._passes, initial=self._gathers or membrane.kind is MemoryKind.EBR)

    @property
    def _ordered(self) -> bool:
        """Whether words are always visited in turn."""
        return all(one.walker.in_turn for one in self._inputs)

    def _membrane(self) -> _Choices:
        layout, bits = self._layout, self._bounds.residual.bits
        name, width = f"{self._population.name}.membrane", layout.lanes * bits
        if self._gathers:  # one word's at a time, from the first step to the last
            return (register_memory(name, width=width, depth=1, bits_used=width),)
        used = self._population.size * bits
        ring = register_memory(name, width=width, depth=layout.words, bits_used=used)
        if not self._spiking or layout.words == 1 or (self._ordered and layout.words <= RING_WORDS):
            return (ring,)
        if not self._ordered:
            depth = max(2, layout.in_banks(self._column_banks).depth)
            memory = _deep_memory(self._device, name, width=width, depth=depth, bits_used=used)
            return (side_by_side(memory, self._column_banks),)
        depth = max(2, layout.depth)
        block = block_memory(self._device, name, width=width, depth=depth, bits_used=used, banked=False)
        return (ring,) if block is None else (block, ring)

    def _of_pixels(self) -> tuple[_Choices, ...]:
        """What a layer behind pixels keeps: the image and spikes where it gathers, else the image's current."""
        pixels = self._main.pixels
        if pixels is None:
            return ()
        layout, name = self._layout, self._population.name
        if not self._gathers:
            # As the membranes, in flip-flops while it has few words.
            bits = self._main.weighted.bits
            width, used = layout.lanes * bits, self._population.size * bits
            ring = register_memory(f"{name}.current", width=width, depth=layout.words, bits_used=used)
            depth = max(2, layout.depth)
            block = block_memory(self._device, ring.name, width=width, depth=depth, bits_used=used, banked=False)
            return ((ring,),) if block is None or layout.words <= RING_WORDS else ((block, ring),)
        later, source = self._time_steps - 1, self._main.source_layout
        wanted = [("pixels", pixels.bits, source.depth, source.neurons * pixels.bits)]
        if later:
            wanted.append(("spikes", later * layout.lanes, layout.depth, later * self._population.size))
        return tuple(
            (_deep_memory(self._device, f"{name}.{what}", width=width, depth=max(2, depth), bits_used=used),)
            for what, width, depth, used in wanted
        )

    def _constants(self, fields: tuple[ConstantField, ...]) -> _Choices:
        layout, bits = self._layout, self._bounds.residual.bits * len(fields)
        name, width, depth = f"{self._population.name}.constants", layout.lanes * bits, layout.groups
        used = layout.channels * bits
        logic = logic_memory(name, width=width, depth=depth, bits_used=used)
        block = block_memory(self._device, name, width=width, depth=depth, bits_used=used, banked=False)
        # The hardware reads logic in the same cycle, which is as good as a register while it is shallow.
        if block is None or depth <= RING_WORDS or logic_cells(logic) <= TINY_LOGIC:
            return (logic,)
        return block, logic


class _Input:
    """What one projection needs: weights, and a queue in front of its walker."""

    def __init__(
        self,
        design: Design,
        projection: Projection,
        weighted: Range,
        layouts: Mapping[str, LayoutPlan],
        column_banks: int,
        shallow: frozenset[Projection],
        suffix: str,
    ) -> None:
        """`suffix` tells side projections' memories apart from each other and from the main one's."""
        self._shallow = projection in shallow
        if isinstance(projection, Pooling):
            projection = as_convolution(projection)
        assert projection.bits is not None
        self._device = design.device
        self._projection = projection
        self._stem = f"{projection.target}{suffix and '_side' + suffix}"
        self._layout = layouts[projection.target]
        self._column_banks = column_banks
        self.source_layout = layouts[projection.source]
        self.weighted = weighted
        source = design.graph.population(projection.source).neuron
        direct = isinstance(source, InputSource) and source.encoding is Encoding.DIRECT
        self.pixels = source if isinstance(source, InputSource) and direct else None
        self.gathers = self.pixels is not None and isinstance(projection, Convolution)
        self.multiplies = self.gathers and design.device.multiplies
        self.walker = walker_of(projection, pixels=direct)
        self._of_walk: WalkMemories = memories_of(self.walker)
        self._from_port = isinstance(source, InputSource)
        steps = design.graph.time_steps
        self._steps = min(steps, projection.delay) if projection.source == projection.target else steps
        # The adder takes signed weights: -1 and 1 need two bits.
        self._weight_bits = max(2, projection.bits)
        self._sources = self._of_walk.sources(projection, self.source_layout)
        self.memories: tuple[_Choices, ...] = (self._weights(), *self._queue())

    def projection(
        self, chosen: Sequence[MemoryPlan], of_pixels: Sequence[MemoryPlan], pipelines: Mapping[str, int]
    ) -> ProjectionPlan:
        """The projection with these of the choices, in the order of `memories`."""
        weights, *queue = chosen
        digits, gathered = None, None
        if self.gathers:
            assert self.pixels is not None
            gathered = ImagePlan(
                value_bits=self.pixels.bits,
                current_bits=self.weighted.bits,
                multiplies=self.multiplies,
                pixels=of_pixels[0],
                spikes=of_pixels[1] if len(of_pixels) > 1 else None,
            )
        elif self.pixels is not None:
            digits = DigitPlan(
                value_bits=self.pixels.bits,
                current=self.weighted,
                current_bits=self.weighted.bits,
                memory=of_pixels[0],
            )
        if self._from_port:
            depth = INPUT_QUEUE
        elif self._shallow:
            # Room for the spike words of a pipeline full of sweeps, so that an engine never waits for itself.
            depth = max(SPIKE_QUEUE, pipelines[self._projection.source] + 2)
        else:
            depth = self._whole_sample
        held = queue[0] if queue and queue[0].kind is MemoryKind.EBR else None
        return ProjectionPlan(
            source=self._projection.source,
            source_layout=self.source_layout,
            walk=self._of_walk.walk(self._projection, weights.depth // self._sources),
            weight_bits=self._weight_bits,
            shift=self._projection.shift,
            weights=weights,
            delay=self._projection.delay,
            queue=QueuePlan(depth=depth, latency=queue_latency(held), memory=held),
            digits=digits,
            image=gathered,
        )

    @property
    def _whole_sample(self) -> int:
        """Words that can wait for a projection that its source does not wait for; at least 2, for block RAM."""
        return max(2, self._steps * self.source_layout.words)

    def _queue(self) -> tuple[_Choices, ...]:
        """Where spike words wait, if they are more than a few."""
        if self._from_port or self._shallow:
            return ()
        depth, source = self._whole_sample, self.source_layout
        return (queue_memories(self._device, f"{self._stem}.queue", source, depth),)

    def _weights(self) -> _Choices:
        """The first of the possible row strides that takes the fewest blocks."""
        name, width = f"{self._stem}.weights", self._layout.lanes * self._weight_bits
        used = self._projection.weight.size * self._weight_bits
        depths = [self._sources * stride for stride in self._of_walk.strides(self._projection, self._layout)]
        blocks = [_deep_memory(self._device, name, width=width, depth=depth, bits_used=used) for depth in depths]
        block = min(blocks, key=lambda memory: memory.blocks)
        logic = logic_memory(name, width=width, depth=block.depth, bits_used=used)
        sprams = [spram_memory(self._device, name, width=width, depth=depth, bits_used=used) for depth in depths]
        spram = min((choice for choice in sprams if choice), key=lambda choice: choice.sprams, default=None)
        choices: _Choices
        if logic_cells(logic) <= TINY_LOGIC:
            choices = logic, block
        elif spram is None or self.gathers:  # an image engine has no port to load its weights through; they are few
            choices = block, logic
        else:
            choices = block, spram, logic
        return tuple(side_by_side(choice, self._column_banks) for choice in choices)


def layout_of(population: Population, lanes: int) -> LayoutPlan:
    """How `population` lies in words of so many lanes."""
    channels, rows, columns = population.shape
    return LayoutPlan(channels=channels, rows=rows, columns=columns, lanes=lanes)


def walker_of(projection: Dense | Convolution, *, pixels: bool) -> type[Walk]:
    """The kind of walk that such a projection has."""
    return next(walk for walk in WALKERS.values() if memories_of(walk).takes(projection, pixels=pixels))


@functools.cache
def memories_of(walk: type[Walk]) -> WalkMemories:
    """What its kind says of weight memories."""
    found: WalkMemories = witness(walk, "memories")
    return found


def _deep_memory(device: Device, name: str, *, width: int, depth: int, bits_used: int) -> MemoryPlan:
    """Block RAM that is written, too: synthesis joins the blocks where it is deeper than one."""
    memory = block_memory(device, name, width=width, depth=depth, bits_used=bits_used, banked=True)
    assert memory is not None
    return memory


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
