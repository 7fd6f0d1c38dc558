"""One layer on its way into the plan: the menu of its memories, and with one way chosen for each, its engine."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from snnc.compiler.design import Bounds
from snnc.compiler.ir import (
    Convolution,
    Dense,
    Encoding,
    Graph,
    InputSource,
    IntegrateAndFire,
    Pooling,
    Population,
    Projection,
    as_convolution,
)
from snnc.compiler.lanes.gathering import mapped, spike_gatherers
from snnc.compiler.lanes.knapsack import Menu
from snnc.compiler.lanes.memories import (
    RING_WORDS,
    TINY_LOGIC,
    block_memory,
    deep_memory,
    logic_cells,
    logic_memory,
    map_memory,
    paired_memory,
    queue_memories,
    side_by_side,
    spram_memory,
    weights_in_logic,
)
from snnc.compiler.lanes.order import walk_order
from snnc.compiler.lanes.rules import (
    emission_of,
    forwards_of,
    map_registers,
    pipeline_of,
    queue_latency,
    registered_of,
    staged_of,
    waits_of,
)
from snnc.compiler.plan import (
    ConstantField,
    DigitPlan,
    EnginePlan,
    ExitPlan,
    LayoutPlan,
    MemoryKind,
    MemoryPlan,
    PopulationPlan,
    ProjectionPlan,
    QueuePlan,
    Range,
    Walk,
)
from snnc.compiler.plan.kinds import EngineKind
from snnc.compiler.plan.residual import constant_fields_of, membrane_pass_of, passes_of
from snnc.compiler.targets import Device
from snnc.rtl import engines, walkers
from snnc.rtl.engines.memories import Choices, EngineMemories, LayerFacts
from snnc.rtl.walkers.memories import WalkMemories

__all__ = ["Layer"]

INPUT_QUEUE: Final = 2
SPIKE_QUEUE: Final = 4


class Layer:
    """One layer's memories, each with its choices, and then its engine.

    Attributes
    ----------
    menu
        The choices of each memory, by its name.
    """

    menu: Menu

    def __init__(
        self,
        graph: Graph,
        device: Device,
        gathered: frozenset[str],
        population: Population,
        bounds: Bounds,
        layouts: Mapping[str, LayoutPlan],
        column_banks: Mapping[str, int],
        shallow: frozenset[Projection],
    ) -> None:
        """`layouts` and `column_banks` are those of the layer and of what it hears; `gathered` are all layers that
        gather spikes; in front of the projections `shallow` a short queue will do.
        """
        maps = mapped(graph, gathered)
        gathers = population.name in gathered
        neuron = population.neuron
        fires = neuron if isinstance(neuron, IntegrateAndFire) else None
        self._population = population
        sealed = None if population is not graph.readout else graph.exit
        self._exit = None if sealed is None else ExitPlan(margin=sealed.margin, steps=sealed.steps)
        self._stream = graph.stream and population is graph.readout
        self._passes = passes_of(
            fires=fires is not None,
            floor=fires is not None and fires.floor is not None,
            leaks=_leak_of(population) is not None,
        )
        walked = walk_order(graph, population)
        self._inputs = [
            _Input(
                graph,
                device,
                projection,
                bounds.weighted[at],
                layouts,
                column_banks,
                projection in shallow,
                "" if projection is walked[-1] else str(k),
                gathered=population.name in spike_gatherers(graph, gathered),
                mapped=projection.source in maps,
            )
            for k, projection in enumerate(walked)
            for at, other in enumerate(graph.into(population.name))
            if other is projection
        ]
        main = self._inputs[-1]
        self._facts = facts = LayerFacts(
            device=device,
            time_steps=graph.time_steps,
            bounds=bounds,
            population=population,
            layout=layouts[population.name],
            column_banks=column_banks[population.name],
            fires=fires is not None,
            walks=tuple(one.walk for one in self._inputs),
            pixels=main.pixels,
            source_layout=main.source_layout,
            weight_bits=main.weight_bits,
            weighted=main.weighted,
            sources=main.sources,
            gathered=gathers,
            into_maps=population.name in maps,
        )
        self._kind: EngineMemories = _memories_of(facts)
        self._membrane = self._kind.membrane(facts)
        self._own = self._kind.own(facts)
        # The constants with room for the field of the initial residual, where the membranes may be in block RAM.
        memories = [self._membrane, self._constants(self._constant_fields(self._membrane[0])), *self._own.values()]
        for one in self._inputs:
            memories += one.memories(loads=self._kind.LOADS)
        self.menu = {choices[0].name: choices for choices in memories}

    def engine(self, chosen: Mapping[str, MemoryPlan], pipelines: Mapping[str, int]) -> EnginePlan:
        """The engine with these ways to build the memories of `menu`, by name.

        `pipelines` says of earlier engines how long a sweep takes to give its spike word.
        """
        facts = self._facts
        own = {field: chosen[choices[0].name] for field, choices in self._own.items()}
        late = facts.device.late_block_ram
        # Of several maps that are read in turn each has as many as the one that needs most.
        registers = map_registers(max(one.writers for one in self._inputs), late=late)
        projections = tuple(one.projection(chosen, own.get("current"), pipelines, registers) for one in self._inputs)
        membrane = chosen[self._membrane[0].name]
        fields = self._constant_fields(membrane)
        # Of the same kind, as wide as the membranes that were chosen need them.
        constants = {choice.kind: choice for choice in self._constants(fields)}
        staged = staged_of(membrane, words=facts.layout.words, in_turn=facts.in_turn, late=late)
        registered = registered_of(
            projections, pixels=facts.pixels is not None, staged=staged, late=late and self._kind.ADDS_ROWS
        )
        kind: EngineKind = self._kind.record(facts, own)
        return EnginePlan(
            population=self._computed(),
            kind=kind,
            layout=facts.layout,
            column_banks=facts.column_banks,
            passes=self._passes,
            membrane_pass=membrane_pass_of(self._passes),
            constant_fields=fields,
            pipeline=pipeline_of(
                projections, registered=registered, staged=staged, further=self._kind.registers(facts)
            ),
            registered=registered,
            staged=staged,
            forwards=forwards_of(staged=staged, in_turn=facts.in_turn),
            waits=waits_of(
                staged=staged, words=facts.layout.words, returns=any(one.walk.returns for one in projections)
            ),
            emission=emission_of(membrane, staged=staged, replays=self._kind.REPLAYS),
            residual_bits=facts.bounds.residual.bits,
            membrane=membrane,
            constants=constants[chosen[constants[MemoryKind.LUT].name].kind],
            projections=projections,
        )

    def _computed(self) -> PopulationPlan:
        neuron, bounds = self._population.neuron, self._facts.bounds
        fires = neuron if isinstance(neuron, IntegrateAndFire) else None
        return PopulationPlan(
            name=self._population.name,
            shape=self._population.shape,
            reset=fires.reset if fires else None,
            leak_shift=_leak_of(self._population),
            floor=fires is not None and fires.floor is not None,
            input_current=bounds.input_current,
            before_reset=bounds.before_reset,
            after_reset=bounds.after_reset,
            exit=self._exit,
            stream=self._stream,
        )

    def _constant_fields(self, membrane: MemoryPlan) -> tuple[ConstantField, ...]:
        """Of a word of constants; the initial residual is among them where the membranes' memory has no other."""
        return constant_fields_of(self._passes, initial=self._kind.REPLAYS or membrane.kind is MemoryKind.EBR)

    def _constants(self, fields: tuple[ConstantField, ...]) -> Choices:
        layout, bits = self._facts.layout, self._facts.bounds.residual.bits * len(fields)
        name, width, depth = f"{self._population.name}.constants", layout.lanes * bits, layout.groups
        used = layout.channels * bits
        logic = logic_memory(name, width=width, depth=depth, bits_used=used)
        block = block_memory(self._facts.device, name, width=width, depth=depth, bits_used=used, banked=False)
        # The hardware reads logic in the same cycle, which is as good as a register while it is shallow.
        if block is None or depth <= RING_WORDS or logic_cells(logic) <= TINY_LOGIC:
            return (side_by_side(logic, self._facts.units),)
        return side_by_side(block, self._facts.units), side_by_side(logic, self._facts.units)


def _leak_of(population: Population) -> int | None:
    """``k`` of its leak; None without one."""
    return None if isinstance(population.neuron, InputSource) else population.neuron.leak_shift


class _Input:
    """What one projection needs: weights, and a queue in front of its walker.

    Attributes
    ----------
    walk
        How it is walked.
    pixels
        Its source, where that is an image.
    source_layout, weighted, sources
        How its source lies in words, the range of its weighted sum, and how many sources have rows of weights.
    writers
        Units that write its spike map; 1 without one.
    """

    def __init__(
        self,
        graph: Graph,
        device: Device,
        projection: Projection,
        weighted: Range,
        layouts: Mapping[str, LayoutPlan],
        column_banks: Mapping[str, int],
        shallow: bool,
        suffix: str,
        *,
        gathered: bool,
        mapped: bool,
    ) -> None:
        """`suffix` tells side projections' memories apart from each other and from the main one's.

        `gathered` says whether the target's words gather spikes, `mapped` whether the source's go into spike maps.
        """
        self._shallow = shallow
        self._mapped = mapped
        self._shortcut = gathered and bool(suffix)
        if isinstance(projection, Pooling):
            projection = as_convolution(projection)
        assert projection.bits is not None
        self._device = device
        self._projection = projection
        self._stem = f"{projection.target}{suffix and '_side' + suffix}"
        self._layout = layouts[projection.target]
        self._column_banks = column_banks[projection.target]
        self.writers = column_banks[projection.source] if mapped else 1
        self._readers = self._column_banks if gathered else 1
        self.source_layout = layouts[projection.source]
        self.weighted = weighted
        source = graph.population(projection.source).neuron
        direct = isinstance(source, InputSource) and source.encoding is Encoding.DIRECT
        self.pixels = source if isinstance(source, InputSource) and direct else None
        self.walk = _walk_of(projection, pixels=direct, gathered=gathered)
        self._of_walk = _memories_of_walk(self.walk)
        self._from_port = isinstance(source, InputSource)
        steps = graph.time_steps
        self._steps = min(steps, projection.delay) if projection.source == projection.target else steps
        # The adder takes signed weights: -1 and 1 need two bits.
        self.weight_bits = max(2, projection.bits)
        self.sources = self._of_walk.sources(projection, self.source_layout)

    def memories(self, *, loads: bool) -> list[Choices]:
        """The choices for its weights and its queue; `loads` says whether weights may be loaded after a reset."""
        return [self._weights(loads=loads), *self._queue()]

    def projection(
        self,
        chosen: Mapping[str, MemoryPlan],
        current: MemoryPlan | None,
        pipelines: Mapping[str, int],
        registers: int,
    ) -> ProjectionPlan:
        """The projection with these ways to build its memories; `current` keeps an image's, where it is kept.

        So many `registers` stand behind its spike map, where there is one.
        """
        weights = chosen[f"{self._stem}.weights"]
        queue = chosen.get(f"{self._stem}.queue")
        held = queue if queue is not None and queue.kind is MemoryKind.EBR else None
        digits = None
        if self.pixels is not None and current is not None:
            digits = DigitPlan(
                value_bits=self.pixels.bits, current=self.weighted, current_bits=self.weighted.bits, memory=current
            )
        if self._mapped:
            depth = chosen[f"{self._stem}.map"].depth
            held = chosen[f"{self._stem}.map"]
        elif self._from_port:
            depth = INPUT_QUEUE
        elif self._shallow:
            # Room for the spike words of a pipeline full of sweeps, so that an engine never waits for itself.
            depth = max(SPIKE_QUEUE, pipelines[self._projection.source] + 2)
        else:
            depth = self._whole_sample
        return ProjectionPlan(
            source=self._projection.source,
            source_layout=self.source_layout,
            walk=self._of_walk.walk(self._projection, weights.depth // self.sources),
            weight_bits=self.weight_bits,
            shift=self._projection.shift,
            weights=weights,
            delay=self._projection.delay,
            queue=QueuePlan(
                depth=depth,
                latency=queue_latency(held, registers=registers if self._mapped else 0),
                memory=held,
                steps=self._steps if self._mapped else None,
            ),
            digits=digits,
        )

    @property
    def _whole_sample(self) -> int:
        """Words that can wait for a projection that its source does not wait for; at least 2, for block RAM."""
        return max(2, self._steps * self.source_layout.words)

    def _queue(self) -> list[Choices]:
        """Where spike words wait, if they are more than a few."""
        if self._mapped:
            units = {"writers": self.writers, "readers": self._readers}
            return [(map_memory(self._device, f"{self._stem}.map", self.source_layout, self._steps, **units),)]
        if self._from_port or self._shallow:
            return []
        return [queue_memories(self._device, f"{self._stem}.queue", self.source_layout, self._whole_sample)]

    def _for_units(self, block: MemoryPlan, used: int) -> MemoryPlan:
        """One for each unit, or for two of them at a port each where that takes fewer blocks."""
        each = side_by_side(block, self._readers)
        pairs = paired_memory(
            self._device, block.name, width=block.width, depth=block.depth, bits_used=used, copies=self._readers
        )
        if pairs is None or each.blocks <= pairs.blocks:
            return each
        return replace(pairs, registered=block.registered)

    def _weights(self, *, loads: bool) -> Choices:
        """With the first of the possible row strides that takes the fewest blocks."""
        name, width = f"{self._stem}.weights", self._layout.lanes * self.weight_bits
        used = self._projection.weight.size * self.weight_bits
        depths = [self.sources * stride for stride in self._of_walk.strides(self._projection, self._layout)]
        blocks = [deep_memory(self._device, name, width=width, depth=depth, bits_used=used) for depth in depths]
        block = replace(min(blocks, key=lambda memory: memory.blocks), registered=self._device.late_block_ram)
        logic = weights_in_logic(self._device, name, width=width, depth=block.depth, bits_used=used)
        sprams = [spram_memory(self._device, name, width=width, depth=depth, bits_used=used) for depth in depths]
        spram = min((choice for choice in sprams if choice), key=lambda choice: choice.sprams, default=None)
        choices: Choices
        if logic_cells(logic) <= TINY_LOGIC:
            choices = logic, block
        elif self._readers > 1:
            # One port fills one memory. Logic for each of several units is worth it for a shortcut's few rows alone.
            return (self._for_units(block, used), *((side_by_side(logic, self._readers),) if self._shortcut else ()))
        elif spram is None or not loads:
            choices = block, logic
        else:
            choices = block, spram, logic
        return tuple(side_by_side(choice, self._column_banks) for choice in choices)


def _walk_of(projection: Dense | Convolution, *, pixels: bool, gathered: bool) -> type[Walk]:
    """The kind of walk that such a projection has."""
    return next(
        walk
        for walk in walkers.WALKERS.values()
        if _memories_of_walk(walk).takes(projection, pixels=pixels, gathered=gathered)
    )


@functools.cache
def _memories_of_walk(walk: type[Walk]) -> WalkMemories:
    found: WalkMemories = walkers.witness(walk, "memories")
    return found


def _memories_of(facts: LayerFacts) -> EngineMemories:
    """What the kind of engine that computes such a layer says of memories."""
    found: EngineMemories = next(memories for memories in _engine_memories() if memories.takes(facts))
    return found


@functools.cache
def _engine_memories() -> tuple[EngineMemories, ...]:
    return tuple(engines.witness(kind, "memories") for kind in engines.ENGINES.values())
