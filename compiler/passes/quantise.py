"""Float parameters become integers: ``docs/semantics.md``, section 4."""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np
import numpy.typing as npt

from snnc.compiler.design import Design
from snnc.compiler.errors import FitError, UnsupportedError
from snnc.compiler.ir import (
    Array,
    Dense,
    Encoding,
    Graph,
    InputSource,
    IntegrateAndFire,
    Level,
    Neuron,
    Population,
    Readout,
    frozen,
)

__all__ = ["DEFAULT_BITS", "quantise", "searched_step"]

DEFAULT_BITS: Final = 8
"""Weight bits of a network that was trained without quantisation, where none are asked for."""

CONSTANT_RATIO: Final = 2.0**-24
"""A channel whose integer step is below this fraction of its threshold carries no signal."""

_LIMIT: Final = 2.0**40
"""Beyond what any accumulator may hold, and small enough that no sum of such integers leaves 64 bits."""

_SEARCH: Final = np.linspace(0.2, 1.0, 81)
"""Quantiser steps to try, as fractions of the one that clips nothing."""

_Float = npt.NDArray[np.float64]


def quantise(design: Design) -> Design:
    """Round weights, biases and thresholds.

    Invariant: the graph is at `Level.INTEGER`, and equals what the quantised student computes in training. Integer
    networks pass unchanged.
    """
    graph = design.graph
    if graph.level is Level.INTEGER:
        return design
    populations, projections = [_integer_input(graph.input)], []
    for population in graph.layers:
        into = graph.into(population.name)
        if len(into) != 1:
            raise UnsupportedError(f"Layer '{population.name}' has {len(into)} inputs; only chains are quantised.")
        new_population, new_projection = _layer(population, into[0], _unit(graph, into[0]), design.options.weight_bits)
        populations.append(new_population)
        projections.append(new_projection)
    integer = dataclasses.replace(
        graph, level=Level.INTEGER, populations=tuple(populations), projections=tuple(projections)
    )
    return dataclasses.replace(design, graph=integer)


def searched_step(weight: _Float, bits: int, *, per_tensor: bool) -> _Float:
    """The quantiser steps with the least squared rounding error, ``(channels,)`` or ``(1,)``, by search."""
    rows = weight.reshape(1, -1) if per_tensor else weight
    largest = 2 ** (bits - 1) - 1
    full = _full_scale(rows, largest)
    errors = []
    for fraction in _SEARCH:
        step = (full * fraction)[:, None]
        rounded = step * np.clip(np.rint(rows / step), -largest, largest)
        errors.append(((rows - rounded) ** 2).sum(axis=1))
    return full * _SEARCH[np.argmin(errors, axis=0)]


def _full_scale(rows: _Float, largest: int) -> _Float:
    step: _Float = np.abs(rows).max(axis=1) / largest
    return np.where(step > 0, step, 1.0)


def _integer_input(population: Population) -> Population:
    return dataclasses.replace(population, bias=frozen(np.zeros(population.channels, np.int64)))


def _unit(graph: Graph, projection: Dense) -> float:
    """The real value of an input of 1."""
    match graph.population(projection.source).neuron:
        case InputSource(encoding=Encoding.DIRECT, bits=bits):
            return 1 / (2**bits - 1)
        case _:
            return 1.0


def _layer(population: Population, projection: Dense, unit: float, override: int | None) -> tuple[Population, Dense]:
    readout = isinstance(population.neuron, Readout)
    bits, step = _quantiser(projection, override, per_tensor=readout)
    largest = 2 ** (bits - 1) - 1
    weight = np.clip(np.rint(projection.weight / step[:, None]), -largest, largest)
    gain = np.ones(population.channels) if projection.gain is None else projection.gain
    scale = gain * step * unit
    weight = np.where(scale[:, None] < 0, -weight, weight)
    scale = np.abs(scale)
    neuron: Neuron = population.neuron
    match neuron:
        case IntegrateAndFire(threshold=theta):
            if neuron.leak_shift is not None or neuron.floor is not None:
                raise UnsupportedError(f"Layer '{population.name}' has a leak or a floor; neither is quantised yet.")
            constant = scale < CONSTANT_RATIO * theta
            scale = np.where(constant, 1.0, scale)
            weight = np.where(constant[:, None], 0.0, weight)
            bias = np.where(constant, population.bias >= theta / 2, _scaled(population.bias, scale, projection.shift))
            threshold = np.where(constant, 1.0, np.maximum(1.0, _scaled(theta, scale, projection.shift)))
            what = f"a threshold of layer '{population.name}'"
            neuron = dataclasses.replace(neuron, threshold=_integers(threshold, what))
        case _:
            bias = _scaled(population.bias, scale, projection.shift)
    return (
        dataclasses.replace(population, bias=_integers(bias, f"a bias of layer '{population.name}'"), neuron=neuron),
        dataclasses.replace(
            projection, weight=_integers(weight, "a weight"), step=None, gain=None, bits=bits, shift=projection.shift
        ),
    )


def _quantiser(projection: Dense, override: int | None, *, per_tensor: bool) -> tuple[int, _Float]:
    """Width of a weight, and the quantiser's steps, ``(channels,)`` or ``(1,)``."""
    weight = projection.weight.astype(np.float64)
    if projection.step is not None and projection.bits is not None and override in (None, projection.bits):
        return projection.bits, projection.step.astype(np.float64)
    bits = override or projection.bits or DEFAULT_BITS
    if projection.step is not None:
        return bits, searched_step(weight, bits, per_tensor=per_tensor)
    return bits, _full_scale(weight.reshape(1, -1) if per_tensor else weight, 2 ** (bits - 1) - 1)


def _scaled(value: Array, scale: _Float, shift: int) -> _Float:
    return np.rint(2.0**shift * value.astype(np.float64) / scale)


def _integers(value: Array, what: str) -> npt.NDArray[np.int64]:
    largest = np.abs(value).max()
    if not largest < _LIMIT:
        raise FitError(
            f"As an integer, {what} is {largest:.3g}, beyond any accumulator: its weights are too small against it. "
            "Train again, or look at the layer's scale."
        )
    integers: npt.NDArray[np.int64] = value.astype(np.int64)
    return frozen(integers)
