"""How far sums and membranes of an integer network reach: a bound from the actual weights, for the writers.

It is wider than the ranges that `snnc.compiler.passes.bound` proves, and needs no walk over time: neither a leak nor a
reset makes a membrane larger than the currents that it has added, and the first one.
"""

from __future__ import annotations

import numpy as np

from snnc.compiler.errors import FitError
from snnc.compiler.ir import (
    Array,
    Convolution,
    Dense,
    Encoding,
    Graph,
    InputSource,
    IntegrateAndFire,
    Pooling,
    Population,
    Projection,
    window,
)

__all__ = ["largest_input", "membrane_reach", "tap_reach", "weighted_reach"]

_LIMIT = 2**62


def largest_input(graph: Graph, projection: Projection) -> int:
    """The largest value that one weight of a projection sees: of a pixel, or of the sum over a `pool` window."""
    largest = 1
    match graph.population(projection.source).neuron:
        case InputSource(encoding=Encoding.DIRECT, bits=bits):
            largest = int(2**bits - 1)
    return largest * window(projection)


def tap_reach(graph: Graph, projection: Projection) -> int:
    """The magnitude of the largest single product."""
    return _largest(projection.weight) * largest_input(graph, projection)


def weighted_reach(graph: Graph, projection: Projection) -> int:
    """Bounds the magnitude of ``(W * s)[n]`` before the shift, and of every partial sum in whatever order."""
    magnitude = np.abs(projection.weight.astype(np.int64))
    match projection:
        case Dense() | Convolution():
            row = int(magnitude.reshape(len(magnitude), -1).sum(axis=1).max())
        case Pooling():
            row = int(magnitude.max())
    return row * largest_input(graph, projection)


def membrane_reach(graph: Graph, population: Population) -> int:
    """Bounds the magnitude of ``I``, ``U`` and ``V`` over ``T_max`` steps, and of every sum on the way to them.

    Raises
    ------
    FitError
        It is 2^62 or more.
    """
    current = _largest(population.bias)
    current += sum(weighted_reach(graph, item) << item.shift for item in graph.into(population.name))
    reach = graph.time_steps * current
    if isinstance(population.neuron, IntegrateAndFire):
        reach += 2 * _largest(population.neuron.threshold)
        reach += 0 if population.neuron.subtracted is None else _largest(population.neuron.subtracted)
        reach += 0 if population.neuron.floor is None else _largest(population.neuron.floor)
    if reach >= _LIMIT:
        raise FitError(
            f"The membranes of layer '{population.name}' can reach {reach}; below 2^62 is written.",
            "Use fewer fraction bits or time steps.",
        )
    return reach


def _largest(values: Array) -> int:
    return max(abs(int(values.min())), abs(int(values.max())))
