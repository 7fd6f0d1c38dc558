"""Where the integer steps of an untrained quantisation lie: fraction bits, and whole numbers behind pooling alone."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from snnc.compiler.formats.foreign.assumptions import Assumptions
from snnc.compiler.formats.reach import largest_input
from snnc.compiler.ir import (
    Comparison,
    Dense,
    Graph,
    InputSource,
    IntegrateAndFire,
    Pooling,
    Population,
    Projection,
    Readout,
    frozen,
)

__all__ = ["with_fractions", "with_whole_pools"]

_ACCUMULATOR_BITS = 31
"""Of a magnitude, as `snnc.compiler.passes.bound` allows."""


def with_fractions(graph: Graph, assumptions: Assumptions) -> Graph:
    """Give the projections into each layer as many fraction bits as are asked for and as 32-bit membranes allow."""
    shifts = {population.name: _fraction_bits(graph, population, assumptions) for population in graph.layers}
    return dataclasses.replace(
        graph,
        projections=tuple(
            projection
            if isinstance(projection, Pooling)
            else dataclasses.replace(projection, shift=shifts[projection.target])
            for projection in graph.projections
        ),
    )


def _fraction_bits(graph: Graph, population: Population, assumptions: Assumptions) -> int:
    weighted = [item for item in graph.into(population.name) if not isinstance(item, Pooling)]
    neuron = population.neuron
    # A sum is exact as it is; what a leak rounds down is one unit a step.
    if isinstance(neuron, InputSource) or (isinstance(neuron, Readout) and neuron.leak_shift is None) or not weighted:
        return 0
    largest_weight = max(1, 2 ** (assumptions.weight_bits - 1) - 1)
    channels = population.channels
    rows = [item.weight.astype(np.float64).reshape(channels, -1) for item in weighted]
    step = np.max([np.abs(row).max(axis=1) for row in rows], axis=0) / largest_weight
    step = np.where(step > 0, step, 1.0)
    if isinstance(neuron, Readout):  # one step for all
        step = np.full_like(step, step.max())
    fan = [item.weight.size // (population.size if isinstance(item, Dense) else channels) for item in weighted]
    # Of one sign at a time: what inhibits does not add to what excites.
    current = np.zeros((2, channels))
    for item, row, inputs in zip(weighted, rows, fan, strict=True):
        for k, of_sign in enumerate((np.maximum(row, 0), np.maximum(-row, 0))):
            per_neuron = of_sign.reshape(channels, -1, inputs).sum(axis=2).max(axis=1)
            # Rounding adds half a step to each weight.
            current[k] += (per_neuron / step + inputs / 2) * largest_input(graph, item)
    unit = step / _levels(graph, weighted)
    bias = np.abs(population.bias) / unit
    # As if each step added the most: a leak leaves a geometric series of it, and rounds by 2^k in the end.
    leak = neuron.leak_shift
    steps = graph.time_steps if leak is None else 2**leak * (1 - (1 - 0.5**leak) ** graph.time_steps)
    beyond = bias + (0.0 if leak is None else 2.0**leak)
    if isinstance(neuron, IntegrateAndFire):
        beyond += 2 * neuron.threshold / unit + (0.0 if neuron.subtracted is None else neuron.subtracted / unit)
    reach = float(((current + bias) * steps + beyond).max())
    return max(0, min(assumptions.fraction_bits, _ACCUMULATOR_BITS - math.ceil(math.log2(reach + 1))))


def _levels(graph: Graph, weighted: Sequence[Projection]) -> int:
    """What an input of 1 is divided by: ``1 / unit`` of ``docs/semantics.md``, section 4."""
    return max(largest_input(graph, projection) for projection in weighted)


def with_whole_pools(graph: Graph, assumptions: Assumptions) -> Graph:
    """Scale every layer that hears pooling alone so that its weights, bias and threshold are whole numbers.

    Scaling changes no spike; thresholds and biases that do not become whole are rounded to the fraction bits that are
    asked for, of the smallest weight. A readout is scaled as one, so that its largest membrane stays where it is.
    """
    for population in graph.layers:
        into = graph.into(population.name)
        if all(isinstance(projection, Pooling) for projection in into):
            graph = _whole(graph, population, 2**assumptions.fraction_bits)
    return graph


def _whole(graph: Graph, population: Population, fine: int) -> Graph:
    into = graph.into(population.name)
    weights = np.array([projection.weight for projection in into], np.float64)
    smallest = np.where(weights == 0, np.inf, np.abs(weights)).min(axis=0)
    smallest = np.where(np.isfinite(smallest), smallest, 1.0)
    if isinstance(population.neuron, Readout):
        smallest = np.full_like(smallest, smallest.min())
    values = [*weights, np.asarray(population.bias, np.float64)]
    if isinstance(population.neuron, IntegrateAndFire):
        values.append(np.asarray(population.neuron.threshold, np.float64))
    factor = 1 / smallest
    for value in values:
        scaled = value * factor
        if (np.abs(scaled - np.rint(scaled)) > 1e-6 * np.maximum(1, np.abs(scaled))).any():
            factor = factor * fine
            break
    neuron = population.neuron
    rounds = not isinstance(neuron, InputSource) and neuron.leak_shift is not None
    rounds |= isinstance(neuron, IntegrateAndFire) and neuron.comparison is Comparison.ABOVE
    if rounds and (factor == 1 / smallest).all():
        # A leak of whole membranes would be rounded to whole weights, and a margin above the threshold is one unit.
        factor = factor * fine
    if isinstance(neuron, IntegrateAndFire):
        neuron = dataclasses.replace(
            neuron,
            threshold=frozen(np.maximum(1.0, np.rint(neuron.threshold * factor))),
            floor=None if neuron.floor is None else frozen(np.rint(neuron.floor * factor)),
            subtracted=None
            if neuron.subtracted is None
            else frozen(np.maximum(1.0, np.rint(neuron.subtracted * factor))),
        )
    scaled_population = dataclasses.replace(population, neuron=neuron, bias=frozen(np.rint(population.bias * factor)))
    return dataclasses.replace(
        graph,
        populations=tuple(scaled_population if item is population else item for item in graph.populations),
        projections=tuple(
            dataclasses.replace(item, weight=frozen(np.rint(item.weight * factor))) if item in into else item
            for item in graph.projections
        ),
    )
