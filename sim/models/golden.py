"""The golden model: ``docs/semantics.md`` section 2 in NumPy, every spike and every membrane.

Written from that page alone and sharing no arithmetic with the hardware, so that the two can disagree. A whole batch
goes through each time step at once; `snnc.sim.models.synapses` has the weighted sums.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, assert_never

import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import DataError, FitError, OptionError
from snnc.compiler.ir import (
    Array,
    Encoding,
    Exit,
    Graph,
    IntegrateAndFire,
    Level,
    Population,
    verify,
)
from snnc.sim.models.neurons import Layer
from snnc.sim.models.synapses import WeightedSum
from snnc.sim.models.threads import one_blas_thread

__all__ = ["PopulationTrace", "Trace", "accuracy", "batch_size", "run", "run_batches", "sample_count", "take"]

IntArray: TypeAlias = npt.NDArray[np.int64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
AnyArray: TypeAlias = npt.NDArray[Any]

_EXACT: Final[tuple[tuple[type[np.signedinteger[Any]], int], ...]] = (
    (np.int16, 2**14),
    (np.int32, 2**30),
    (np.int64, 2**62),
)
"""Integers for currents and membranes, fastest first, with the magnitude below which everything is exact in them."""

_BATCH: Final = 256
_MEMORY: Final = 2**25
_STATE: Final = 2**22
_SMALLEST: Final = 16
"""Where the caller leaves the size of a batch open: samples at most, bytes that its traces may take, bytes of its
membranes, and samples that are enough for a product. What a step reads and writes should lie in a core's cache: a
convolutional network goes 1.5 times as fast with 74 samples as with 1,000.
"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PopulationTrace:
    """What one population did.

    Attributes
    ----------
    spikes
        ``s``, shape ``(time, batch, neuron)``; all False for a readout.
    membranes
        ``V`` after the reset and the floor, shape ``(time, batch, neuron)``; ``(0, batch, neuron)`` where they were not
        kept.
    currents
        ``I``, shape ``(time, batch, neuron)``; None unless asked for.
    """

    spikes: BoolArray
    membranes: IntArray
    currents: IntArray | None

    @property
    def firing_rate(self) -> float:
        """Spikes per neuron and time step."""
        return float(self.spikes.mean())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trace:
    """What a network did with a batch.

    Attributes
    ----------
    populations
        By name, all but the input, in the graph's order; in all steps, those after a sample's exit included: what
        hardware had under way is held against them.
    logits
        The readout's membranes after the last step that a sample takes, shape ``(batch, class)``.
    classes
        Index of the largest logit, the lowest on a tie; shape ``(batch,)``.
    steps
        Steps that each sample takes, ``(batch,)``: all, but where the network has an exit.
    counted
        Gives the `synaptic_operations`, which take a third of a run to count.
    """

    populations: Mapping[str, PopulationTrace]
    logits: IntArray
    classes: IntArray
    steps: IntArray
    counted: Callable[[], tuple[IntArray, ...]]

    @property
    def synaptic_operations(self) -> tuple[IntArray, ...]:
        """Per projection, in the graph's order: events that take effect within the steps taken, times the neurons each
        reaches; shape ``(batch,)``. A pixel of a direct input that is not 0 is one event per sample, since its current
        is the same at every step.
        """
        return self.counted()


def run(
    graph: Graph,
    inputs: AnyArray,
    *,
    time_steps: int,
    membranes: bool = True,
    currents: bool = False,
    stuck: Mapping[str, npt.NDArray[np.int8]] | None = None,
) -> Trace:
    """Run a batch of samples through an integer network.

    Parameters
    ----------
    graph
        At `Level.INTEGER`.
    inputs
        Direct encoding: images ``(batch, address)``, or any ``(batch, ...)`` that flattens to that, of integers in
        ``[0, 2**bits)``. Rate and events: spikes ``(time, batch, address)``, 0 or 1.
    time_steps
        ``T``, 1 to the graph's ``T_max``.
    membranes, currents
        Keep those of every step. Spikes and logits are always kept.
    stuck
        Faults, by the population's name, shape ``(neuron,)``: 0 or 1 where a neuron's output is stuck at that, -1 where
        it works. What the neuron does inside, its reset included, is not changed.

    Raises
    ------
    DataError
        `inputs` does not fit the network's input.
    OptionError
        `time_steps` is out of range.
    FitError
        A membrane could leave 62 bits, so that this model could not promise exactness.
    """
    _check_network(graph, time_steps)
    sums = _sums(graph)
    values = _checked_inputs(graph, inputs, time_steps)
    into = {
        population.name: [weighted for weighted in sums if weighted.projection.target == population.name]
        for population in graph.layers
    }
    kinds = {layer.name: _exact_in(_reach(layer, into[layer.name], time_steps), layer) for layer in graph.layers}
    batch = values.shape[1]
    faults = stuck or {}
    layers = [
        Layer(population, time_steps, batch, kinds[population.name], keep=membranes, stuck=faults.get(population.name))
        for population in graph.layers
    ]
    outputs: dict[str, AnyArray] = {graph.input.name: values} | {layer.name: layer.spikes for layer in layers}
    kept = {layer.name: np.empty((time_steps, batch, layer.size), dtype=np.int64) for layer in layers if currents}
    constants: dict[WeightedSum, AnyArray] = {}
    ending = _Ending(graph.exit, time_steps, batch, graph.readout.size)
    with one_blas_thread():
        for block in _blocks(graph):
            hearing = [layers[k] for k in block.layers]
            # What hears itself, perhaps through others, goes step by step.
            spoken = [weighted.together for weighted in into[hearing[0].name] if not weighted.direct]
            stride = 1 if block.returns else max(spoken, default=time_steps)
            for first in range(0, time_steps, stride):
                steps = range(first, min(first + stride, time_steps))
                for layer in hearing:
                    found = _currents(layer, into[layer.name], outputs, constants, steps)
                    if currents:
                        kept[layer.name][first : steps.stop] = found
                    for t, current in zip(steps, found, strict=True):
                        layer.step(t, current)
                        if layer is layers[-1]:
                            ending.after(t + 1, layer.membrane)

    return Trace(
        populations={
            layer.name: PopulationTrace(spikes=layer.spikes, membranes=layer.membranes, currents=kept.get(layer.name))
            for layer in layers
        },
        logits=ending.logits,
        classes=np.argmax(ending.logits, axis=1),
        steps=ending.steps,
        counted=lambda: tuple(
            weighted.operations(outputs[weighted.projection.source], ending.steps) for weighted in sums
        ),
    )


def run_batches(
    graph: Graph, inputs: AnyArray, *, time_steps: int, batch: int | None = None, membranes: bool = True
) -> Iterator[tuple[slice, Trace]]:
    """`run` in pieces of `batch` samples, so that memory stays bounded; yields which samples, and their trace."""
    inputs = np.asarray(inputs)
    encoding = graph.source.encoding
    count = sample_count(encoding, inputs)
    if batch is None:
        batch = batch_size(graph, time_steps=time_steps, membranes=membranes)
    for start in range(0, count, batch):
        samples = slice(start, min(start + batch, count))
        yield samples, run(graph, take(encoding, inputs, samples), time_steps=time_steps, membranes=membranes)


def batch_size(graph: Graph, *, time_steps: int, membranes: bool = True, currents: bool = False) -> int:
    """How many samples to run at once, so that what is kept of them stays small."""
    neurons = sum(layer.size for layer in graph.layers)
    kept = _MEMORY // (max(1, time_steps) * neurons * (1 + 8 * membranes + 8 * currents))
    return max(1, min(_BATCH, kept, max(_SMALLEST, _STATE // (8 * neurons))))


def sample_count(encoding: Encoding, inputs: AnyArray) -> int:
    """Samples in inputs that are made for this encoding."""
    return inputs.shape[0] if encoding is Encoding.DIRECT or inputs.ndim < 2 else inputs.shape[1]


def take(encoding: Encoding, inputs: AnyArray, samples: slice) -> AnyArray:
    """Some of the samples of `inputs`: images ``(batch, ...)``, or spikes ``(time, batch, address)``."""
    return inputs[samples] if encoding is Encoding.DIRECT else inputs[:, samples]


def accuracy(classes: AnyArray, labels: AnyArray) -> float:
    """Fraction of samples whose class is their label."""
    return float(np.mean(np.asarray(classes) == np.asarray(labels)))


class _Ending:
    """After how many steps each sample ends, and its logits there."""

    def __init__(self, sealed: Exit | None, time_steps: int, batch: int, classes: int) -> None:
        self._exit = sealed
        self._time_steps = time_steps
        self._open = np.ones(batch, dtype=np.bool_)
        self.steps: IntArray = np.full(batch, time_steps, dtype=np.int64)
        self.logits: IntArray = np.empty((batch, classes), dtype=np.int64)

    def after(self, taken: int, membranes: AnyArray) -> None:
        """So many steps have been taken; `membranes` are the readout's, ``(batch, class)``."""
        if taken == self._time_steps:
            ends = self._open
        elif self._exit is not None and taken in self._exit.steps:
            ordered = np.sort(membranes, axis=1)
            ends = self._open & (ordered[:, -1] - ordered[:, -2] >= self._exit.margin)
        else:
            return
        self.steps[ends] = taken
        self.logits[ends] = membranes[ends]
        self._open = self._open & ~ends


@dataclass(frozen=True, slots=True)
class _Block:
    """Layers that follow each other, by number; `returns` says whether any hears itself, perhaps through others."""

    layers: range
    returns: bool


def _blocks(graph: Graph) -> list[_Block]:
    """All layers in their order, those together that spikes come back to: the others can go through all steps alone."""
    number = {layer.name: k for k, layer in enumerate(graph.layers)}
    # By the first layer of each loop, the last one that it hears.
    back = dict.fromkeys(range(len(number)), -1)
    for projection in graph.projections:
        source, target = number.get(projection.source, -1), number[projection.target]
        back[target] = max(back[target], source if source >= target else -1)
    blocks: list[_Block] = []
    first, last = 0, -1
    for k in range(len(number)):
        last = max(last, back[k])
        if last <= k:
            blocks.append(_Block(range(first, k + 1), returns=last == k))
            first = k + 1
    return blocks


def _currents(
    layer: Layer,
    incoming: list[WeightedSum],
    outputs: Mapping[str, AnyArray],
    constants: dict[WeightedSum, AnyArray],
    steps: range,
) -> AnyArray:
    """What reaches a layer in steps that follow each other, ``(step, batch, neuron)``.

    `constants` keeps what a direct source brings to every step. Where nothing else arrives, all steps are one and the
    same array.
    """
    shape = (len(steps), *layer.membrane.shape)
    found = layer.bias[np.newaxis, np.newaxis]
    for weighted in incoming:
        delay, emitted = weighted.projection.delay, outputs[weighted.projection.source]
        heard = range(max(0, steps.start - delay), steps.stop - delay)
        if not heard:
            continue
        sums = constants.get(weighted)
        if sums is None:
            sums = weighted.several(emitted, heard, layer.kind)
        if weighted.direct:
            constants[weighted] = sums
        if len(heard) < len(steps):
            found = np.broadcast_to(found, shape).copy()
            found[len(steps) - len(heard) :] += sums
        else:
            found = np.add(found, sums, out=None if weighted.direct else sums)
    return np.broadcast_to(found, shape)


@functools.lru_cache(maxsize=4)  # graphs never change, and one is run batch after batch
def _sums(graph: Graph) -> tuple[WeightedSum, ...]:
    """Of a graph that keeps the invariants of its level."""
    verify(graph)
    return tuple(WeightedSum(graph, projection) for projection in graph.projections)


def _check_network(graph: Graph, time_steps: int) -> None:
    if graph.level is not Level.INTEGER:
        raise ValueError(f"'{graph.name}' is at level {graph.level.name}; the golden model runs integer networks.")
    if not 1 <= time_steps <= graph.time_steps:
        raise OptionError(f"'{graph.name}' runs for 1 to {graph.time_steps} time steps, not {time_steps}.")


def _checked_inputs(graph: Graph, inputs: AnyArray, time_steps: int) -> AnyArray:
    """`inputs` as ``(time, batch, address)``; for a direct source a view that repeats the image at every step."""
    inputs, source, size = np.asarray(inputs), graph.source, graph.input.size
    if inputs.dtype.kind not in "biu":
        raise DataError(f"The inputs of '{graph.name}' are {inputs.dtype}; it takes integers.")
    match source.encoding:
        case Encoding.DIRECT:
            wanted, largest = f"(batch, {size})", 2**source.bits - 1
            if inputs.ndim > 2:
                inputs = inputs.reshape(len(inputs), math.prod(inputs.shape[1:]))
            fits = inputs.ndim == 2 and inputs.shape[1] == size
        case Encoding.RATE | Encoding.EVENTS:
            wanted, largest = f"({time_steps}, batch, {size})", 1
            fits = inputs.ndim == 3 and inputs.shape[::2] == (time_steps, size)
        case _ as unreachable:
            assert_never(unreachable)
    if not fits:
        raise DataError(f"The inputs of '{graph.name}' have the shape {inputs.shape}; it takes {wanted}.")
    if inputs.size and not 0 <= int(inputs.min()) <= int(inputs.max()) <= largest:
        raise DataError(
            f"The inputs of '{graph.name}' reach from {inputs.min()} to {inputs.max()}; it takes 0 to {largest}."
        )
    return np.broadcast_to(inputs, (time_steps, *inputs.shape)) if source.encoding is Encoding.DIRECT else inputs


def _reach(layer: Population, incoming: list[WeightedSum], time_steps: int) -> int:
    """Bounds every number that a neuron computes with, in Python's unbounded integers and without looking at the data.

    Neither leak nor reset makes a membrane larger than the current that it adds to, but for an amount that it subtracts
    beyond the membrane, where no spike follows; and a floor lifts it to the floor at most.
    """
    current = _largest(layer.bias) + sum(weighted.reach << weighted.projection.shift for weighted in incoming)
    reach = time_steps * current
    if isinstance(layer.neuron, IntegrateAndFire):
        reach += _largest(layer.neuron.threshold)
        reach += 0 if layer.neuron.subtracted is None else _largest(layer.neuron.subtracted)
        reach += 0 if layer.neuron.floor is None else _largest(layer.neuron.floor)
    return reach


def _exact_in(reach: int, layer: Population) -> type[np.signedinteger[Any]]:
    """The smallest integers in which no such number overflows: what is half as wide goes twice as fast."""
    for kind, limit in _EXACT:
        if reach < limit:
            return kind
    raise FitError(
        f"The membranes of layer '{layer.name}' can reach {reach}; the golden model is exact below 2^62. "
        "Use fewer fractional bits or a smaller bias."
    )


def _largest(values: Array) -> int:
    return max(abs(int(values.min())), abs(int(values.max())))
