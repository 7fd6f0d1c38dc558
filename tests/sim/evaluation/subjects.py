"""Small networks and samples to evaluate."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from snnc.compiler.ir import (
    Convolution,
    Dense,
    Encoding,
    Graph,
    InputSource,
    IntegrateAndFire,
    Level,
    Pooling,
    Population,
    Readout,
    Reset,
    frozen,
)
from snnc.sim.models.inputs import Samples

__all__ = ["convolutional", "neuron", "random_samples", "with_layer", "with_weight"]


def _spiking(name: str, shape: tuple[int, int, int], threshold: int, reset: Reset = Reset.SOFT) -> Population:
    full = np.full(shape[0], threshold, np.int64)
    return Population(
        name=name,
        shape=shape,
        neuron=IntegrateAndFire(threshold=frozen(full), reset=reset),
        bias=frozen(np.zeros(shape[0], np.int64)),
    )


def convolutional(*, bits: int = 4, threshold: int = 20, seed: int = 0, time_steps: int = 3) -> Graph:
    """1x4x4 pixels of 2 bits, a 3x3 convolution to 3 channels, its maximum over 2x2, a readout of 2 classes."""
    generator = np.random.default_rng(seed)
    largest = max(1, 2 ** (bits - 1) - 1)

    def weights(*shape: int) -> Any:
        if bits == 1:
            return frozen(2 * generator.integers(0, 2, shape) - 1)
        return frozen(generator.integers(-largest, largest + 1, shape))

    source = InputSource(encoding=Encoding.DIRECT, bits=2)
    zero, two = frozen(np.zeros(1, np.int64)), frozen(np.zeros(2, np.int64))
    return Graph(
        name="tiny",
        level=Level.INTEGER,
        populations=(
            Population(name="input", shape=(1, 4, 4), neuron=source, bias=zero),
            _spiking("conv1", (3, 4, 4), threshold),
            _spiking("max2", (3, 2, 2), 1, Reset.HARD),
            Population(name="readout", shape=(2, 1, 1), neuron=Readout(), bias=two),
        ),
        projections=(
            Convolution(source="input", target="conv1", weight=weights(3, 1, 3, 3), padding=(1, 1), bits=bits),
            Pooling(source="conv1", target="max2", weight=frozen(np.ones(3, np.int64)), kernel=(2, 2), stride=(2, 2)),
            Dense(source="max2", target="readout", weight=weights(2, 12), bits=bits),
        ),
        time_steps=time_steps,
    )


def random_samples(graph: Graph, count: int, *, seed: int = 0) -> Samples:
    """Random images and labels that fit a network."""
    generator = np.random.default_rng(seed)
    classes = graph.readout.size
    return Samples(
        name="random",
        images=generator.integers(0, 256, (count, *graph.input.shape), dtype=np.uint8),
        labels=generator.integers(0, classes, count),
        classes=tuple(map(str, range(classes))),
    )


def neuron(graph: Graph, name: str) -> IntegrateAndFire:
    """The model of a firing population."""
    found = graph.population(name).neuron
    assert isinstance(found, IntegrateAndFire)
    return found


def with_layer(graph: Graph, name: str, *, bias: Any = None, **neuron_changes: Any) -> Graph:
    """The network with another bias, or other fields of the neuron model, in one population."""
    populations = []
    for population in graph.populations:
        if population.name == name:
            changed: Any = dataclasses.replace(population.neuron, **neuron_changes)
            population = dataclasses.replace(
                population, neuron=changed, bias=population.bias if bias is None else frozen(np.asarray(bias))
            )
        populations.append(population)
    return dataclasses.replace(graph, populations=tuple(populations))


def with_weight(graph: Graph, position: int, weight: Any) -> Graph:
    """The network with other weights in one of its projections."""
    projections = list(graph.projections)
    projections[position] = dataclasses.replace(projections[position], weight=frozen(np.asarray(weight, np.int64)))
    return dataclasses.replace(graph, projections=tuple(projections))
