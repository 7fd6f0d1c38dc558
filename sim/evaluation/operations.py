"""How much work and how much memory a network is, layer by layer.

The equal ANN has the same layers and one pass per sample. Its multiply-accumulates (MACs) are counted as every such
tool does: one per weight and position, padding included, sums over windows and skip connections not counted. What the
spiking network does is counted exactly, event by event, by the golden model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

import numpy as np

from snnc.compiler.ir import (
    Convolution,
    Dense,
    Encoding,
    Graph,
    IntegrateAndFire,
    Pooling,
    Population,
    Projection,
)
from snnc.compiler.passes.bound import layer_bounds
from snnc.compiler.plan import signed_bits
from snnc.sim.evaluation.activity import Activity

__all__ = ["LayerWork", "Work", "count_work"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerWork:
    """Size and work of one layer; work is per sample.

    Attributes
    ----------
    name, shape
        Of the population.
    neurons, weights
        Counts; the weights of dense projections and convolutions.
    weight_bits
        Widths of those weights, without repetition; empty for a layer of pooling alone.
    firing_rate, spikes
        Per neuron and time step, and in all; None for a readout.
    direct
        Whether it reads pixels, of which each is multiplied, instead of spikes.
    macs
        Of the equal ANN's layer.
    operations
        Synaptic operations: events times the neurons that each reaches. Of a direct input, pixels that are not 0, once
        per sample.
    updates
        Neurons times time steps.
    weight_memory, membrane_memory, constant_memory
        Bits: of weights; of membranes at their proven width; of thresholds, biases and pooling weights.
    """

    name: str
    shape: tuple[int, int, int]
    neurons: int
    weights: int
    weight_bits: tuple[int, ...]
    firing_rate: float | None
    spikes: float | None
    direct: bool
    macs: int
    operations: float
    updates: int
    weight_memory: int
    membrane_memory: int
    constant_memory: int

    @property
    def memory(self) -> int:
        """Bits."""
        return self.weight_memory + self.membrane_memory + self.constant_memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A network's layers, and what they add up to.

    Attributes
    ----------
    layers
        In the graph's order.
    time_steps
        ``T``.
    """

    layers: tuple[LayerWork, ...]
    time_steps: int

    @property
    def macs(self) -> int:
        """Of the equal ANN."""
        return sum(layer.macs for layer in self.layers)

    @property
    def first_macs(self) -> int:
        """MACs of the layers that read pixels, in one pass."""
        return sum(layer.macs for layer in self.layers if layer.direct)

    @property
    def spike_operations(self) -> float:
        """Synaptic operations of the layers that read spikes: additions."""
        return sum(layer.operations for layer in self.layers if not layer.direct)

    def operations(self, *, first_every_step: bool) -> float:
        """Synaptic operations of a sample, with the first layer's pixels counted once, or at every step."""
        first = sum(layer.operations for layer in self.layers if layer.direct)
        return self.spike_operations + first * (self.time_steps if first_every_step else 1)

    @property
    def updates(self) -> int:
        return sum(layer.updates for layer in self.layers)

    @property
    def neurons(self) -> int:
        return sum(layer.neurons for layer in self.layers)

    @property
    def weights(self) -> int:
        return sum(layer.weights for layer in self.layers)

    @property
    def spikes(self) -> float:
        """Of a mean sample."""
        return sum(layer.spikes or 0.0 for layer in self.layers)

    @property
    def memory(self) -> int:
        """Bits."""
        return sum(layer.memory for layer in self.layers)


def count_work(graph: Graph, activity: Activity) -> Work:
    """Sizes from the integer graph, events from what it did."""
    layers = []
    for population, seen in zip(graph.layers, activity.layers, strict=True):
        positions = [index for index, p in enumerate(graph.projections) if p.target == population.name]
        into = [graph.projections[index] for index in positions]
        weighted = [p for p in into if not isinstance(p, Pooling)]
        firing = isinstance(population.neuron, IntegrateAndFire)
        layers.append(
            LayerWork(
                name=population.name,
                shape=population.shape,
                neurons=population.size,
                weights=sum(p.weight.size for p in weighted),
                weight_bits=tuple(sorted({p.bits or 0 for p in weighted})),
                firing_rate=seen.rate if firing else None,
                spikes=seen.rate * population.size * activity.time_steps if firing else None,
                direct=any(_direct(graph, p) for p in into),
                macs=sum(_macs(population, p) for p in into),
                operations=sum(activity.operations[index] for index in positions),
                updates=population.size * activity.time_steps,
                weight_memory=sum(p.weight.size * (p.bits or 0) for p in weighted),
                membrane_memory=_membrane_bits(graph, population, activity.time_steps),
                constant_memory=_constant_bits(population, into),
            )
        )
    return Work(layers=tuple(layers), time_steps=activity.time_steps)


def _direct(graph: Graph, projection: Projection) -> bool:
    return projection.source == graph.input.name and graph.source.encoding is Encoding.DIRECT


def _macs(target: Population, projection: Projection) -> int:
    match projection:
        case Dense(weight=weight):
            return weight.size
        case Convolution(weight=weight):
            return weight.size * (target.size // target.channels)
        case Pooling():
            return 0
        case _ as unreachable:
            assert_never(unreachable)


def _membrane_bits(graph: Graph, population: Population, time_steps: int) -> int:
    """0 where nothing lives on from step to step: the membrane is always the same, or there is one step only."""
    bounds = layer_bounds(graph, population)
    if time_steps == 1 or bounds.after_reset.low == bounds.after_reset.high:
        return 0
    return population.size * max(bounds.residual.bits, bounds.before_reset.bits)


def _constant_bits(population: Population, into: list[Projection]) -> int:
    """Per channel: threshold and bias as wide as their largest; pooling weights too, unless they are all 1."""
    constants = [population.bias]
    if isinstance(population.neuron, IntegrateAndFire) and any(not isinstance(p, Pooling) for p in into):
        constants.append(population.neuron.threshold)
    constants += [p.weight for p in into if isinstance(p, Pooling)]
    return sum(
        values.size * signed_bits(int(values.min()), int(values.max()))
        for values in constants
        if not (np.all(values == values.flat[0]) and int(values.flat[0]) in (0, 1))
    )
