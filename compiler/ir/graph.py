"""The intermediate representation: a graph of populations and projections.

Immutable: passes build new graphs (`dataclasses.replace`). Arrays are read-only. One representation serves all levels;
`Level` says which invariants hold, and `verify` (`snnc.compiler.ir.invariants`) checks them after every pass.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, assert_never, overload

import numpy as np
import numpy.typing as npt

from snnc.compiler.ir.activity import ActivityRecord
from snnc.compiler.ir.exits import Exit
from snnc.compiler.ir.neurons import Array, InputSource, IntegrateAndFire, Neuron, Readout
from snnc.compiler.ir.projections import Convolution, Dense, Pooling, Projection
from snnc.compiler.ir.rival import RivalRecord

__all__ = ["BatchNorm", "Graph", "Level", "Population", "format_graph", "frozen"]


class Level(IntEnum):
    """What a graph promises."""

    IMPORTED = 0
    """As trained: float parameters, batch norm where the network had it."""
    NORMALISED = 1
    """No batch norm; float."""
    INTEGER = 2
    """Every parameter is an int64 under ``docs/semantics.md``."""


@overload
def frozen(array: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]: ...
@overload
def frozen(array: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]: ...
def frozen(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A read-only, contiguous copy of `array`."""
    result = np.array(array, order="C", copy=True)
    result.setflags(write=False)
    return result


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BatchNorm:
    """``y = gain * (x - mean) / sqrt(variance + epsilon) + offset``, per channel ``(C,)``, `x` with the bias."""

    gain: Array
    offset: Array
    mean: Array
    variance: Array
    epsilon: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Population:
    """An array of neurons of one model.

    Attributes
    ----------
    name
        Unique in its graph; letters, digits, ``_``.
    shape
        ``(C, H, W)``. Neuron ``n = (c * H + h) * W + w``.
    neuron
        The model, with its per-channel parameters.
    bias
        Constant input current of every step, per channel ``(C,)``. Zeros for an input.
    norm
        Batch norm of the summed input current; None from `Level.NORMALISED` on.
    """

    name: str
    shape: tuple[int, int, int]
    neuron: Neuron
    bias: Array
    norm: BatchNorm | None = None

    @property
    def size(self) -> int:
        """Number of neurons."""
        return math.prod(self.shape)

    @property
    def channels(self) -> int:
        return self.shape[0]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Graph:
    """A network.

    Attributes
    ----------
    name
        For people; not used to look anything up.
    level
        Which invariants hold.
    populations
        In topological order (projections with a delay aside): the input first, the readout last.
    projections
        In any order.
    time_steps
        ``T_max``: the most steps a sample may have.
    classes
        Names of the readout's neurons; empty if unknown.
    activity
        What it did on data; None if unknown. It is not part of what the network is: no hash knows of it.
    rival
        How the quantised artificial network of its architecture did beside it; None if unknown. No hash knows of it.
    exit
        When samples end early; None: never. Its margin is one of integer logits, at every level.
    stream
        Whether it may be run without an end, and hands out its logits in the middle. ``T_max`` is then the most steps
        from one answer to the next.
    """

    name: str
    level: Level
    populations: tuple[Population, ...]
    projections: tuple[Projection, ...]
    time_steps: int
    classes: tuple[str, ...] = ()
    activity: ActivityRecord | None = None
    rival: RivalRecord | None = None
    exit: Exit | None = None
    stream: bool = False

    @property
    def input(self) -> Population:
        return self.populations[0]

    @property
    def source(self) -> InputSource:
        """The input population's model."""
        assert isinstance(self.input.neuron, InputSource)
        return self.input.neuron

    @property
    def readout(self) -> Population:
        return self.populations[-1]

    @property
    def restarts(self) -> bool:
        """Whether its readout starts again with each answer of a stream: it sums, and does not leak."""
        return not isinstance(self.readout.neuron, Readout) or self.readout.neuron.leak_shift is None

    @property
    def layers(self) -> tuple[Population, ...]:
        """Every population that has a membrane: all but the input."""
        return self.populations[1:]

    def population(self, name: str) -> Population:
        for population in self.populations:
            if population.name == name:
                return population
        raise KeyError(name)

    def into(self, name: str) -> tuple[Projection, ...]:
        """The projections that end in population `name`."""
        return tuple(projection for projection in self.projections if projection.target == name)

    def weighted(self, name: str) -> tuple[Dense | Convolution, ...]:
        """Of the projections that end in population `name`, those whose synapses have weights of their own."""
        return tuple(projection for projection in self.into(name) if not isinstance(projection, Pooling))

    def out_of(self, name: str) -> tuple[Projection, ...]:
        """The projections that start from population `name`."""
        return tuple(projection for projection in self.projections if projection.source == name)


def format_graph(graph: Graph) -> str:
    """One line per population and projection, for `--print-after`."""
    lines = [f"graph {graph.name}  level {graph.level.name.lower()}  T_max {graph.time_steps}"]
    for population in graph.populations:
        norm = ", batch norm" if population.norm is not None else ""
        shape = "x".join(map(str, population.shape))
        lines.append(f"  population {population.name}  {shape}  {neuron_text(population)}{norm}")
    lines += [f"  {projection_text(projection)}" for projection in graph.projections]
    if graph.exit is not None:
        lines.append(f"  exit at a margin of {graph.exit.margin} after step {', '.join(map(str, graph.exit.steps))}")
    if graph.stream:
        lines.append("  a stream without an end")
    return "\n".join(lines)


def neuron_text(population: Population) -> str:
    """What its neurons are, for people."""
    match population.neuron:
        case InputSource() as source:
            return f"input, {source.encoding.value}, {source.bits} bits"
        case IntegrateAndFire() as neuron:
            low, high = neuron.threshold.min(), neuron.threshold.max()
            kind = "IF" if neuron.leak_shift is None else f"LIF of leak shift {neuron.leak_shift}"
            model = f"{kind}, {neuron.reset.value} reset, threshold {low:.6g} to {high:.6g}"
            return f"{model}, from {neuron.initial.value}"
        case Readout(leak_shift=shift):
            return "readout" if shift is None else f"readout of leak shift {shift}"


def projection_text(projection: Projection) -> str:
    """From where to where it goes, and how, for people."""
    shape = "x".join(map(str, projection.weight.shape))
    integer = projection.weight.dtype == np.int64
    extra: list[tuple[str, object, object]] = []
    match projection:
        case Dense():
            kind, bits = "dense", f"{projection.bits}-bit" if integer else "float"
        case Convolution():
            kind, bits = "convolution", f"{projection.bits}-bit" if integer else "float"
            extra += [
                ("stride", _pair(projection.stride), "1x1"),
                ("padding", _pair(projection.padding), "0x0"),
                ("dilation", _pair(projection.dilation), "1x1"),
                ("groups", projection.groups, 1),
            ]
        case Pooling():
            kind, shape = "pooling", f"{_pair(projection.kernel)} at {_pair(projection.stride)}"
            bits = f"weight {projection.weight.min():.6g} to {projection.weight.max():.6g}"
        case _ as unreachable:
            assert_never(unreachable)
    if not isinstance(projection, Pooling):
        extra.append(("pool", projection.pool, 1))
    extra += [("shift", projection.shift, 0), ("delay", projection.delay, 0)]
    said = "".join(f", {name} {value}" for name, value, usual in extra if value != usual)
    return f"{kind} {projection.source} -> {projection.target}  {shape}  {bits}{said}"


def _pair(pair: tuple[int, int]) -> str:
    return f"{pair[0]}x{pair[1]}"
