"""What is computed: a population of neurons, whatever hardware does it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from snnc.compiler.ir.neurons import Encoding, Reset
from snnc.compiler.plan.faults import Fault, at_least
from snnc.compiler.plan.layout import LayoutPlan
from snnc.compiler.plan.ranges import Range

__all__ = ["ExitPlan", "InputPlan", "PopulationPlan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitPlan:
    """When a sample ends early: `snnc.compiler.ir.Exit`.

    Attributes
    ----------
    margin
        Of the largest logit over the second largest.
    steps
        Numbers of steps after which the readout is asked, ascending.
    """

    margin: int
    steps: tuple[int, ...]

    def faults(self) -> Iterator[Fault]:
        yield from at_least(self, 1, "margin")
        if not self.steps or list(self.steps) != sorted(set(self.steps)) or self.steps[0] < 1:
            yield Fault("steps", "must be numbers of steps from 1 on, ascending")


@dataclass(frozen=True, slots=True, kw_only=True)
class PopulationPlan:
    """One population of neurons.

    Attributes
    ----------
    name
        Unique; what projections call their source.
    shape
        Channels, rows, columns.
    reset
        None for a readout.
    leak_shift
        ``k`` of a LIF neuron, or of a readout that leaks; None for one that does not.
    floor
        Whether membranes are clamped from below.
    input_current, before_reset, after_reset
        Proven ranges over all neurons of ``I``, ``U`` and ``V``.
    exit
        Of a readout: when samples end early; None: never.
    stream
        Of a readout: it hands out its logits in the middle of a stream, too, and starts its sum again if it has one.
    """

    name: str
    shape: tuple[int, int, int]
    reset: Reset | None
    leak_shift: int | None
    floor: bool
    input_current: Range
    before_reset: Range
    after_reset: Range
    exit: ExitPlan | None = None
    stream: bool = False

    @property
    def fires(self) -> bool:
        """Whether its neurons spike; those of a readout do not."""
        return self.reset is not None

    def faults(self) -> Iterator[Fault]:
        if not self.name.isidentifier():
            yield Fault("name", f"is {self.name!r}, which is no identifier")
        for axis, size in enumerate(self.shape):
            if size < 1:
                yield Fault(f"shape[{axis}]", f"is {size}; 1 is the least")
        yield from at_least(self, 0, "leak_shift")
        if not self.fires and self.floor:
            yield Fault("floor", "is true, but a readout has none")
        if self.exit is not None and (self.fires or self.shape[0] < 2):
            yield Fault("exit", "is given, but it is for readouts of two classes or more")
        if self.stream and (self.fires or self.exit is not None):
            yield Fault("stream", "is true, but it is for readouts without an exit")


@dataclass(frozen=True, slots=True, kw_only=True)
class InputPlan:
    """The network's input port: an event's address is that of its neuron's word in `layout`.

    A word has one lane, but of an image it may have several: then a beat brings the pixels of a whole word, of
    `layout.lanes` channels at a position.
    """

    name: str
    encoding: Encoding
    layout: LayoutPlan
    value_bits: int
    """Of a pixel."""

    @property
    def beat_value_bits(self) -> int:
        """Of the pixels in a beat, side by side, the lowest channel in the lowest bits."""
        return self.layout.lanes * self.value_bits

    def faults(self) -> Iterator[Fault]:
        yield from at_least(self, 1, "value_bits")
        lanes = self.layout.lanes
        if lanes > 1 and self.encoding is not Encoding.DIRECT:
            yield Fault("layout.lanes", f"is {lanes}; an input of events has 1")
        elif self.layout.channels % lanes or (self.layout.groups > 1 and lanes & (lanes - 1)):
            yield Fault("layout.lanes", f"is {lanes}, which does not share out {self.layout.channels} channels")
