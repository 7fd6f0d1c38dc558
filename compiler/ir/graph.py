"""The intermediate representation: a graph of populations and projections.

Immutable: passes build new graphs (`dataclasses.replace`). Arrays are read-only. One representation serves all levels;
`Level` says which invariants hold, and `verify` checks them after every pass.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeAlias, overload

import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import CheckpointError, UnsupportedError
from snnc.compiler.ir.neurons import Array, InputSource, IntegrateAndFire, Neuron, Readout

__all__ = ["BatchNorm", "Dense", "Graph", "Level", "Population", "Projection", "format_graph", "frozen", "verify"]


_TITLE = re.compile(r"[A-Za-z0-9 _.,+-]{1,100}")


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
class Dense:
    """All-to-all synapses: ``I[n] += (sum over m of weight[n, m] * s[m]) << shift``.

    Attributes
    ----------
    source, target
        Names of populations.
    weight
        ``(target.size, source.size)``. Float before quantisation (latent weights), int64 after.
    step
        Quantiser step per output channel ``(target.channels,)`` or ``(1,)``; None where none was trained, and at
        `Level.INTEGER`.
    gain
        Factor of the weighted sum per output channel ``(target.channels,)``, left by a folded batch norm (``g`` of
        ``docs/semantics.md``, of either sign); None for 1, and at `Level.INTEGER`.
    bits
        Width of a signed weight, 2 to 8: ``|weight| <= 2**(bits - 1) - 1``. None: not yet chosen.
    shift
        ``f``: fractional bits of the target's membrane against this projection's sum.
    delay
        Time steps between a spike and its effect.
    """

    source: str
    target: str
    weight: Array
    step: Array | None = None
    gain: Array | None = None
    bits: int | None = None
    shift: int = 0
    delay: int = 0


Projection: TypeAlias = Dense
"""Becomes a union as convolution, pooling and identity are built."""


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
    """

    name: str
    level: Level
    populations: tuple[Population, ...]
    projections: tuple[Projection, ...]
    time_steps: int
    classes: tuple[str, ...] = ()

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

    def out_of(self, name: str) -> tuple[Projection, ...]:
        """The projections that start from population `name`."""
        return tuple(projection for projection in self.projections if projection.source == name)


def verify(graph: Graph) -> None:
    """Check the invariants of `graph.level`.

    Raises
    ------
    CheckpointError
        The graph contradicts itself: shapes, names, values.
    UnsupportedError
        It is sound, but its structure is not built (loops, branches).
    """
    if not _TITLE.fullmatch(graph.name):
        # It is written into generated source files.
        raise CheckpointError(
            f"The network's name {graph.name[:60]!r} must be 1 to 100 letters, digits, spaces and any of '_.,+-'."
        )
    names = [population.name for population in graph.populations]
    if len(set(names)) != len(names):
        raise CheckpointError(
            f"Two layers of '{graph.name}' have the same name: {', '.join(sorted(names))}. Rename one."
        )
    if (
        len(names) < 2
        or not isinstance(graph.input.neuron, InputSource)
        or not isinstance(graph.readout.neuron, Readout)
    ):
        raise CheckpointError(f"'{graph.name}' needs an input population first and a readout last.")
    if graph.time_steps < 1:
        raise CheckpointError(f"'{graph.name}' runs for {graph.time_steps} time steps; at least 1 is needed.")
    for population in graph.populations:
        _verify_population(population, graph.level)
    order = {name: position for position, name in enumerate(names)}
    for projection in graph.projections:
        for end in (projection.source, projection.target):
            if end not in order:
                raise CheckpointError(f"A projection of '{graph.name}' names the unknown layer '{end}'.")
        if projection.delay == 0 and order[projection.source] >= order[projection.target]:
            raise UnsupportedError(
                f"The projection from '{projection.source}' to '{projection.target}' closes a loop without a delay; "
                "give it a delay of at least one time step."
            )
        _verify_projection(graph, projection)
    for population in graph.layers:
        if not graph.into(population.name):
            raise CheckpointError(f"Layer '{population.name}' has no input.")


def _verify_population(population: Population, level: Level) -> None:
    name, channels = population.name, population.channels
    if not name.isidentifier() or not name.isascii():
        raise CheckpointError(f"'{name}' cannot name a layer; use letters, digits and '_', starting with a letter.")
    if min(population.shape) < 1:
        raise CheckpointError(f"Layer '{name}' has the shape {population.shape}; every dimension must be at least 1.")
    arrays = {"bias": population.bias}
    if isinstance(population.neuron, IntegrateAndFire):
        arrays["threshold"] = population.neuron.threshold
        if population.neuron.floor is not None:
            arrays["floor"] = population.neuron.floor
    for what, array in arrays.items():
        _verify_array(array, f"the {what} of layer '{name}'", (channels,), level)
    if isinstance(population.neuron, IntegrateAndFire):
        least = 1 if level is Level.INTEGER else 0
        smallest = population.neuron.threshold.min()
        if smallest < least or smallest <= 0:
            raise CheckpointError(
                f"A threshold of layer '{name}' is {smallest}; it must be {'at least 1' if least else 'positive'}."
            )
    if population.norm is not None and level >= Level.NORMALISED:
        raise CheckpointError(f"Layer '{name}' still has a batch norm after normalisation.")


def _verify_projection(graph: Graph, projection: Projection) -> None:
    source, target = graph.population(projection.source), graph.population(projection.target)
    where = f"the weights from '{source.name}' to '{target.name}'"
    _verify_array(projection.weight, where, (target.size, source.size), graph.level)
    for what, array, shapes in (
        ("step", projection.step, ((target.channels,), (1,))),
        ("gain", projection.gain, ((target.channels,),)),
    ):
        if array is None:
            continue
        if graph.level is Level.INTEGER or array.shape not in shapes or not np.isfinite(array).all():
            raise CheckpointError(f"{_capital(where)} have a {what} that cannot be at level {graph.level.name}.")
    if graph.level is Level.INTEGER:
        if projection.bits is None or not 2 <= projection.bits <= 8:
            raise CheckpointError(f"{_capital(where)} have {projection.bits} bits; 2 to 8 are possible.")
        largest, allowed = int(np.abs(projection.weight).max()), 2 ** (projection.bits - 1) - 1
        if largest > allowed:
            raise CheckpointError(f"{_capital(where)} reach {largest}; {projection.bits} bits hold {allowed}.")
    if not 0 <= projection.shift <= 16 or projection.delay < 0:
        raise CheckpointError(f"{_capital(where)}: shift {projection.shift}, delay {projection.delay}.")


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _verify_array(array: Array, what: str, shape: tuple[int, ...], level: Level) -> None:
    if array.shape != shape:
        raise CheckpointError(f"Shape of {what}: {array.shape}, expected {shape}.")
    if level is Level.INTEGER:
        if array.dtype != np.int64:
            raise CheckpointError(f"Values of {what} are {array.dtype}, expected int64.")
    elif not np.isfinite(array).all():
        raise CheckpointError(f"There is a NaN or an infinity in {what}; train again from the last good checkpoint.")


def format_graph(graph: Graph) -> str:
    """One line per population and projection, for `--print-after`."""
    lines = [f"graph {graph.name}  level {graph.level.name.lower()}  T_max {graph.time_steps}"]
    for population in graph.populations:
        match population.neuron:
            case InputSource() as source:
                model = f"input, {source.encoding.value}, {source.bits} bits"
            case IntegrateAndFire() as neuron:
                low, high = neuron.threshold.min(), neuron.threshold.max()
                model = (
                    f"IF, {neuron.reset.value} reset, threshold {low:.6g} to {high:.6g}, from {neuron.initial.value}"
                )
            case Readout():
                model = "readout"
        norm = ", batch norm" if population.norm is not None else ""
        lines.append(f"  population {population.name}  {'x'.join(map(str, population.shape))}  {model}{norm}")
    for projection in graph.projections:
        shape = "x".join(map(str, projection.weight.shape))
        bits = "float" if projection.weight.dtype != np.int64 else f"{projection.bits}-bit"
        extra = f", shift {projection.shift}" if projection.shift else ""
        extra += f", delay {projection.delay}" if projection.delay else ""
        lines.append(f"  dense {projection.source} -> {projection.target}  {shape}  {bits}{extra}")
    return "\n".join(lines)
