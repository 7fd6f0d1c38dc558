"""What the passes transform: the network, what was asked for, and what has been decided so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from snnc.compiler.ir import Graph
from snnc.compiler.plan import Plan, Range
from snnc.compiler.targets import Device

__all__ = ["Bounds", "Design", "Options"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the user asked for; None leaves the decision to the compiler.

    Attributes
    ----------
    time_steps
        ``T_max``.
    lanes
        Neurons updated per cycle, one number per layer, hidden layers first.
    weight_bits
        Quantise the trained weights again, to this width.
    """

    time_steps: int | None = None
    lanes: tuple[int, ...] | None = None
    weight_bits: int | None = None


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
    """

    input_current: Range
    before_reset: Range
    after_reset: Range
    residual: Range
    weighted: tuple[Range, ...]


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
        Neurons per cycle, per layer; empty before the pass `schedule`.
    plan
        Every decision of the hardware; None before the pass `place`.
    rewrites
        What the pass `lower` put in the place of something else, a sentence each.
    files
        The build's files by name; empty before the pass `emit`.
    """

    graph: Graph
    options: Options
    device: Device
    bounds: tuple[Bounds, ...] = ()
    lanes: tuple[int, ...] = ()
    plan: Plan | None = None
    rewrites: tuple[str, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def complete_plan(self) -> Plan:
        """`plan`, of a design that has passed `place`."""
        if self.plan is None:
            raise ValueError(f"The design of '{self.graph.name}' is not placed yet")
        return self.plan
