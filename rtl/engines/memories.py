"""What a kind of engine says of itself while the plan is being made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from snnc.compiler.design import Bounds
from snnc.compiler.ir import InputSource, Population
from snnc.compiler.plan import LayoutPlan, MemoryPlan, Range, Walk
from snnc.compiler.plan.kinds import EngineKind, multiplier_takes
from snnc.compiler.targets import Device

__all__ = ["Choices", "EngineMemories", "LayerFacts"]

Choices: TypeAlias = tuple[MemoryPlan, ...]
"""The ways to build one memory, the preferred one first."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LayerFacts:
    """A layer whose memories are being chosen.

    Attributes
    ----------
    device, time_steps, bounds
        Of the design, and the layer's proven ranges.
    population, layout, column_banks
        What is computed, and how its neurons lie in words.
    fires
        Whether its neurons spike.
    walks
        Of its projections, the main one's last.
    pixels
        The network's input where the main projection hears pixels; else None.
    source_layout, weight_bits, weighted, sources
        Of the main projection: its source's layout, the width of a weight, the range of its weighted sum, and how many
        sources have weights.
    gathered
        Whether its words are to gather spikes, a list of pixels, or those pixels of an image that are not 0.
    into_maps
        Whether its spikes go into spike maps.
    """

    device: Device
    time_steps: int
    bounds: Bounds
    population: Population
    layout: LayoutPlan
    column_banks: int
    fires: bool
    walks: tuple[type[Walk], ...]
    pixels: InputSource | None
    source_layout: LayoutPlan
    weight_bits: int
    weighted: Range
    sources: int
    gathered: bool
    into_maps: bool

    @property
    def units(self) -> int:
        """Engines side by side that share out the words."""
        return self.column_banks if self.into_maps else 1

    @property
    def summed(self) -> int:
        """Lanes of each unit whose products go into the device's multipliers, where the layer hears pixels.

        Of several units with a multiplier for each lane, all lanes or none. Few of many draw the units to where the
        multipliers are: the MNIST student with an early exit on an LFE5U-25F, with 7 of 24 lanes of four units in them,
        was routed for 81 MHz in place of 95.
        """
        assert self.pixels is not None
        products = self.device.dsp_products
        if not products or not multiplier_takes(self.weight_bits, self.pixels.bits, self.weighted.bits):
            return 0
        lanes, there = self.layout.lanes, self.device.dsps // self.units * self.lanes_each
        return 0 if products == 1 and self.units > 1 and there < lanes else min(lanes, there)

    @property
    def lanes_each(self) -> int:
        """How many of these share a multiplier: where it has one product, two where there are too few for each."""
        assert self.pixels is not None
        device = self.device
        enough = self.units * self.layout.lanes <= device.dsps
        alone = enough or not device.pairs_products(self.weight_bits, self.pixels.bits)
        return 1 if device.dsp_products == 1 and alone else 2

    @property
    def in_turn(self) -> bool:
        """Whether words are always visited in turn."""
        return all(walk.in_turn for walk in self.walks)


class EngineMemories(Protocol):
    """The functions and constants of a kind's ``memories.py``."""

    REPLAYS: bool
    """Whether spike words come out of a memory of the kind's own."""
    LOADS: bool
    """Whether its weights may be in memories that are filled after a reset."""
    ADDS_ROWS: bool
    """Whether a row of weights goes to the adder as it comes out of its memory (`rules.registered_of`)."""

    def takes(self, facts: LayerFacts) -> bool:
        """Whether it computes such a layer."""

    def membrane(self, facts: LayerFacts) -> Choices:
        """Where the membranes may be."""

    def own(self, facts: LayerFacts) -> Mapping[str, Choices]:
        """Further memories, by the field of the record (or of what the projection keeps) that takes them."""

    def registers(self, facts: LayerFacts) -> int:
        """Registers between issue and adder beside those that every kind may have (`rules.pipeline_of`)."""

    def record(self, facts: LayerFacts, chosen: Mapping[str, MemoryPlan]) -> EngineKind:
        """The record, with these of its own memories."""
