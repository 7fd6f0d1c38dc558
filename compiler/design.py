"""What the passes transform: the network, what was asked for, and what has been decided so far."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

from snnc.compiler.ir import ActivityRecord, Graph
from snnc.compiler.plan import Plan, Range
from snnc.compiler.targets import Device

__all__ = ["ActivitySource", "Bounds", "Considered", "Design", "Engines", "Firing", "Objective", "Options"]


class Objective(Enum):
    """What the lanes are chosen for, among those that fit the device; by the estimates of cycles and of logic."""

    LATENCY = "latency"
    """The fewest cycles of a sample, though not at any price: twice the logic must save 4 % of them."""
    BALANCED = "balanced"
    """The least product of cycles and logic cells: twice the logic must make it twice as fast."""
    AREA = "area"
    """The fewest logic cells."""


class ActivitySource(Enum):
    """By which activity lanes are chosen and cycles estimated."""

    RECORDED = "recorded"
    """What was measured of the network and stands in its file; typical values where there is nothing."""
    ASSUMED = "assumed"
    """Typical values."""


class Engines(Enum):
    """Which kind of engine computes convolutions of spikes, where both could."""

    SCATTER = "scatter"
    """Each event adds to the words that it reaches."""
    GATHER = "gather"
    """Each word gathers the spikes below its kernel, in all layers that can."""
    AUTO = "auto"
    """What is better by the objective, layer after layer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the user asked for; None leaves the decision to the compiler.

    Attributes
    ----------
    time_steps
        ``T_max``.
    lanes
        Channels of a word, one number per layer, hidden layers first.
    column_banks
        Columns side by side that a convolution's operation updates, a number for each of `lanes`.
    objective
        What is chosen where `lanes` is None.
    weight_bits
        Quantise the trained weights again, to this width.
    activity
        What the network is taken to do; a record stands for the one in its file.
    engines
        Which kind computes convolutions of spikes.
    stream
        The hardware is for streams without an end (`Graph.stream`); a sealed model may say so by itself.
    spram
        Weights may be in SPRAM, which has to be loaded after every reset.
    dsp
        Products may be taken in the device's multipliers.
    wide_port
        A beat of the input may bring the pixels of several channels.
    """

    time_steps: int | None = None
    lanes: tuple[int, ...] | None = None
    column_banks: tuple[int, ...] | None = None
    objective: Objective = Objective.LATENCY
    weight_bits: int | None = None
    activity: ActivitySource | ActivityRecord = ActivitySource.RECORDED
    engines: Engines = Engines.AUTO
    stream: bool = False
    spram: bool = True
    dsp: bool = True
    wide_port: bool = True

    def of(self, device: Device) -> Device:
        """What of a device may be used."""
        if not self.spram:
            device = dataclasses.replace(device, spram_blocks=0)
        return device if self.dsp else dataclasses.replace(device, dsps=0)


class Firing(Enum):
    """What is proven of the spikes of a layer, over all inputs, steps and neurons."""

    DEPENDS = "on the input"
    NEVER = "no neuron ever fires"
    ALWAYS = "every neuron fires in every step"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Proven ranges of one layer over all of its neurons, for at most ``T_max`` steps.

    Attributes
    ----------
    input_current, before_reset, after_reset
        ``I``, ``U`` and ``V`` of ``docs/semantics.md``; `after_reset` includes the initial membrane.
    residual
        What the membrane memory holds: ``leak(V) + bias - threshold`` between steps, ``U - threshold`` at a step's end,
        and what the passes of a sweep leave (`plan.SweepPass`); for a readout, ``V``.
    weighted
        Per projection into the layer: its weighted sum of one step, before the shift and without bias.
    firing
        Whether its neurons fire at all.
    """

    input_current: Range
    before_reset: Range
    after_reset: Range
    residual: Range
    weighted: tuple[Range, ...]
    firing: Firing


@dataclass(frozen=True, slots=True, kw_only=True)
class Considered:
    """One way to give the layers of a network to kinds of engines, with the best lanes that were found for it.

    Attributes
    ----------
    gathered
        The layers whose words gather spikes, a list of pixels, or those pixels of an image that are not 0, by name.
    widths
        Lanes and column banks of each layer, as ``--lanes`` takes them.
    cycles
        Of a mean sample, estimated.
    cells, blocks, sprams
        Logic cells, estimated, block RAMs and SPRAM.
    lacks
        What the device lacks for it; empty where it fits.
    """

    gathered: tuple[str, ...]
    widths: tuple[str, ...]
    cycles: float
    cells: int
    blocks: int
    sprams: int
    lacks: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Design:
    """A network on its way to hardware.

    Attributes
    ----------
    graph
        The network, at the level that the passes so far have reached.
    options, device
        What was asked for.
    bounds
        Per layer, in the order of ``graph.layers``; empty before the pass `bound`.
    lanes
        Channels of a word, per layer; empty before the pass `schedule`.
    column_banks
        `plan.EnginePlan.column_banks`, per layer; empty where every layer has one.
    plan
        Every decision of the hardware, for this device, these lanes and these column banks; None before the pass
        `schedule`. The pass `place` refuses one that its device does not hold.
    gathered
        The same layers as of `Considered`, of those that could.
    considered
        The ways to choose these that the pass `schedule` compared, the one that it took among them.
    rewrites
        What the pass `lower` put in the place of something else, a sentence each.
    notes
        What the pass `schedule` could not do as it was asked to, a sentence each.
    files
        The build's files by name; empty before the pass `emit`.
    """

    graph: Graph
    options: Options
    device: Device
    bounds: tuple[Bounds, ...] = ()
    lanes: tuple[int, ...] = ()
    column_banks: tuple[int, ...] = ()
    plan: Plan | None = None
    gathered: frozenset[str] = frozenset()
    considered: tuple[Considered, ...] = ()
    rewrites: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        if self.plan is None:
            return
        planned = tuple((engine.lanes, engine.column_banks) for engine in self.plan.engines)
        banks = self.column_banks or (1,) * len(self.lanes)
        if self.plan.device != self.device.name or planned != tuple(zip(self.lanes, banks, strict=True)):
            raise ValueError(f"The plan of '{self.graph.name}' is one of another device or of other lanes")

    def on(self, device: Device) -> Design:
        """The same network and lanes for another device, without a plan."""
        return dataclasses.replace(self, device=self.options.of(device), plan=None)

    def gathering(self, layers: frozenset[str]) -> Design:
        """The same network with these layers gathering spikes, without lanes and plan."""
        return dataclasses.replace(self, gathered=layers, lanes=(), column_banks=(), plan=None)

    def with_lanes(self, lanes: tuple[int, ...], column_banks: tuple[int, ...]) -> Design:
        """The same network with other lanes and column banks, without a plan."""
        return dataclasses.replace(self, lanes=lanes, column_banks=column_banks, plan=None)

    @property
    def complete_plan(self) -> Plan:
        """`plan`, of a design that has passed `schedule`."""
        if self.plan is None:
            raise ValueError(f"The design of '{self.graph.name}' is not scheduled yet")
        return self.plan
