"""What is corrected of a layer whose weights are rounded: its bias, its thresholds, and how finely it counts.

All of it is judged on the integers that the pass `quantise` would make, run by the golden model: no second arithmetic.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import FitError
from snnc.compiler.ir import (
    Encoding,
    Graph,
    InputSource,
    IntegrateAndFire,
    Pooling,
    Population,
    Readout,
    frozen,
)
from snnc.compiler.passes.bound import WIDTH_LIMIT, layer_bounds
from snnc.compiler.passes.quantise import quantised
from snnc.sim.models.floating import FloatSum

__all__ = [
    "Emitted",
    "alone",
    "corrected_bias",
    "corrected_thresholds",
    "fewest_fraction_bits",
    "shifted",
    "widest_shift",
]

Emitted: TypeAlias = Mapping[str, npt.NDArray[Any]]
"""What every population gives at every step, ``(time, batch, address)``."""

Runner: TypeAlias = Callable[[Graph], Emitted]
"""Runs the integer network of a float one on the calibration samples."""

FloatArray: TypeAlias = npt.NDArray[np.float64]

_FACTORS: Final = (1.0, 0.97, 1.03, 0.94, 1.06, 0.9, 1.1, 0.85, 1.15, 0.8, 1.2)
"""Thresholds to try, in units of the trained one, the nearest first: of equal ones the nearest is taken."""


def corrected_bias(graph: Graph, name: str, *, trained: Graph, heard: Emitted, reference: Emitted) -> Graph:
    """Give each channel of a layer the mean input current that it has in the trained network.

    Parameters
    ----------
    graph
        With the layer's weights rounded.
    heard, reference
        What its sources emit in the integer network, and in the trained one.
    """
    now, before = (_mean_current(item, name, seen) for item, seen in ((graph, heard), (trained, reference)))
    population = graph.population(name)
    bias = frozen(population.bias.astype(np.float64) + before - now)
    return _with(graph, dataclasses.replace(population, bias=bias))


def _mean_current(graph: Graph, name: str, emitted: Emitted) -> FloatArray:
    """Of the dense projections and convolutions into a layer, per channel; currents are linear in what is emitted."""
    population = graph.population(name)
    total = np.zeros(population.channels)
    for projection in graph.weighted(name):
        seen = emitted[projection.source]
        mean = seen[: max(0, len(seen) - projection.delay)].sum(axis=0, dtype=np.float64).mean(axis=0) / len(seen)
        total += FloatSum(graph, projection)(mean[None])[0].reshape(population.channels, -1).mean(axis=1)
    return total


def corrected_thresholds(graph: Graph, name: str, *, run: Runner, reference: Emitted) -> tuple[Graph, FloatArray]:
    """Scale each channel's threshold, what is subtracted and the floor so that its neurons fire as often as trained.

    Returns
    -------
    The network, and the factor of each channel: of `_FACTORS` the one with the least squared difference of the spikes
    of a neuron in a sample.
    """
    population = graph.population(name)
    neuron = population.neuron
    assert isinstance(neuron, IntegrateAndFire)
    wanted = reference[name].sum(axis=0, dtype=np.int64)
    errors = []
    for factor in _FACTORS:
        found = run(_with(graph, _scaled(population, np.full(population.channels, factor))))[name]
        difference = found.sum(axis=0, dtype=np.int64) - wanted
        errors.append((difference**2).sum(axis=0).reshape(population.channels, -1).sum(axis=1))
    factors = np.array(_FACTORS)[np.argmin(errors, axis=0)]
    return _with(graph, _scaled(population, factors)), factors


def _scaled(population: Population, factors: FloatArray) -> Population:
    neuron = population.neuron
    assert isinstance(neuron, IntegrateAndFire)
    return dataclasses.replace(
        population,
        neuron=dataclasses.replace(
            neuron,
            threshold=frozen(neuron.threshold * factors),
            floor=None if neuron.floor is None else frozen(neuron.floor * factors),
            subtracted=None if neuron.subtracted is None else frozen(neuron.subtracted * factors),
        ),
    )


def widest_shift(graph: Graph, name: str, most: int) -> int:
    """The most fraction bits of a layer, up to `most`, whose membranes are proven to stay within 32 bits."""
    for shift in range(most, 0, -1):
        integers = quantised(shifted(graph, name, shift))
        try:
            bounds = layer_bounds(integers, integers.population(name))
        except FitError:
            continue
        if max(bounds.residual.bits, bounds.before_reset.bits) <= WIDTH_LIMIT:
            return shift
    return 0


def fewest_fraction_bits(graph: Graph, name: str, *, run: Runner, tolerance: float) -> int:
    """The fewest fraction bits with which at most a share `tolerance` of a layer's spikes differ from those with all
    that it has."""
    (most,) = {projection.shift for projection in graph.weighted(name)}
    if not most:
        return 0
    wanted = run(graph)[name]
    for shift in range(most):
        if np.mean(run(shifted(graph, name, shift))[name] != wanted) <= tolerance:
            return shift
    return most


def alone(graph: Graph, name: str) -> tuple[Graph, str] | None:
    """A layer that hears one other population without a delay, and perhaps itself: as a network of its own, which hears
    that population's spikes from outside, and the name of that population. None of any other layer."""
    population, into = graph.population(name), graph.into(name)
    heard = [item for item in into if item.source != name]
    if len(heard) != 1 or heard[0].delay:
        return None
    source = graph.population(heard[0].source)
    if not isinstance(source.neuron, InputSource):
        events = InputSource(encoding=Encoding.EVENTS, bits=1)
        source = dataclasses.replace(source, neuron=events, bias=frozen(np.zeros(source.channels)))
    last = Population(
        name=f"{name}_answer", shape=population.shape, neuron=Readout(), bias=frozen(np.zeros(population.channels))
    )
    ones = frozen(np.ones(population.channels))
    answer = Pooling(source=name, target=last.name, weight=ones, kernel=(1, 1), stride=(1, 1))
    own = dataclasses.replace(
        graph, populations=(source, population, last), projections=(*into, answer), classes=(), activity=None
    )
    return own, source.name


def shifted(graph: Graph, name: str, shift: int) -> Graph:
    """Give the weighted projections into a layer another number of fraction bits."""
    into = graph.weighted(name)
    return dataclasses.replace(
        graph,
        projections=tuple(
            dataclasses.replace(item, shift=shift)
            if not isinstance(item, Pooling) and any(item is other for other in into)
            else item
            for item in graph.projections
        ),
    )


def _with(graph: Graph, population: Population) -> Graph:
    """The network with another population of that name."""
    return dataclasses.replace(
        graph,
        populations=tuple(population if item.name == population.name else item for item in graph.populations),
    )
