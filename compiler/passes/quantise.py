"""Float parameters become integers: ``docs/semantics.md``, section 4."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final, TypeAlias, TypeVar, assert_never

import numpy as np
import numpy.typing as npt

from snnc.compiler.design import Design
from snnc.compiler.errors import FitError, OptionError, UnsupportedError
from snnc.compiler.ir import (
    Array,
    Comparison,
    Convolution,
    Dense,
    Encoding,
    Graph,
    InputSource,
    IntegrateAndFire,
    Level,
    Neuron,
    Pooling,
    Population,
    Projection,
    Readout,
    Reset,
    frozen,
)
from snnc.compiler.passes.constant import constant_channels, resolution, steady_drive

__all__ = ["DEFAULT_BITS", "quantise", "quantised", "searched_step"]

DEFAULT_BITS: Final = 8
"""Weight bits of a network that was trained without quantisation, where none are asked for."""

_LIMIT: Final = 2.0**40
"""Beyond what any accumulator may hold, and small enough that no sum of such integers leaves 64 bits."""

_SEARCH: Final = np.linspace(0.2, 1.0, 81)
"""Quantiser steps to try, as fractions of the one that clips nothing."""

_Float: TypeAlias = npt.NDArray[np.float64]
_Weighted: TypeAlias = Dense | Convolution
_Scalar = TypeVar("_Scalar", bound=np.generic)


def quantise(design: Design) -> Design:
    """Round weights, biases and thresholds.

    Invariant: the graph is at `Level.INTEGER`, and equals what the quantised student computes in training. Integer
    networks pass unchanged.
    """
    return dataclasses.replace(design, graph=quantised(design.graph, design.options.weight_bits))


def quantised(graph: Graph, weight_bits: int | None = None) -> Graph:
    """`quantise`, of a graph alone."""
    if graph.level is Level.INTEGER:
        return graph
    if graph.exit is not None and graph.exit.weight_bits != weight_bits:
        if (chosen_in := graph.exit.weight_bits) is not None:
            raise OptionError(
                f"The early exit of '{graph.name}' was chosen on the logits of weights in {chosen_in} bits: give "
                f"--weight-bits {chosen_in}, or choose it again with snnc early-exit."
            )
        raise OptionError(
            f"The early exit of '{graph.name}' was chosen on its own logits, and --weight-bits {weight_bits} makes "
            f"others: choose it again for these, with snnc early-exit --weight-bits {weight_bits}."
        )
    populations, projections = [_integer_input(graph.input)], dict[int, Projection]()
    positions: dict[str, list[int]] = {population.name: [] for population in graph.populations}
    for position, projection in enumerate(graph.projections):
        positions[projection.target].append(position)
    for population in graph.layers:
        into = positions[population.name]
        new_population, new = _layer(graph, population, [graph.projections[i] for i in into], weight_bits)
        populations.append(new_population)
        projections |= zip(into, new, strict=True)
    return dataclasses.replace(
        graph,
        level=Level.INTEGER,
        populations=tuple(populations),
        projections=tuple(projections[position] for position in sorted(projections)),
        exit=None if graph.exit is None else dataclasses.replace(graph.exit, weight_bits=None),
        # With other weights the network does other things than what was recorded beside its rival.
        rival=graph.rival if weight_bits is None else None,
    )


def searched_step(weight: _Float, bits: int, *, per_tensor: bool) -> _Float:
    """The quantiser steps with the least squared rounding error, ``(channels,)`` or ``(1,)``, by search."""
    rows = weight.reshape(1, -1) if per_tensor else weight
    full = _full_scale([rows], [bits])
    some = np.where(full > 0, full, 1.0)
    if bits == 1:
        # The mean magnitude is the least-squares answer for -1 and 1 (Rastegari et al., ECCV 2016).
        return full
    largest = 2 ** (bits - 1) - 1
    errors = []
    for fraction in _SEARCH:
        step = (some * fraction)[:, None]
        rounded = step * np.clip(np.rint(rows / step), -largest, largest)
        errors.append(((rows - rounded) ** 2).sum(axis=1))
    return full * _SEARCH[np.argmin(errors, axis=0)]


def _full_scale(rows: Sequence[_Float], bits: Sequence[int]) -> _Float:
    """One step per row for all of several matrices, of their widths, that clips nothing; 0 for a row of zeros."""
    steps = [
        np.abs(matrix).mean(axis=1) if width == 1 else np.abs(matrix).max(axis=1) / (2 ** (width - 1) - 1)
        for matrix, width in zip(rows, bits, strict=True)
    ]
    step: _Float = np.max(steps, axis=0)
    return step


def _integer_input(population: Population) -> Population:
    return dataclasses.replace(population, bias=frozen(np.zeros(population.channels, np.int64)))


def _layer(
    graph: Graph, population: Population, into: Sequence[Projection], override: int | None
) -> tuple[Population, list[Projection]]:
    """A population and the projections that end in it, in their order."""
    weighted = [projection for projection in into if not isinstance(projection, Pooling)]
    shift = _shift(population, weighted)
    scale, integers, bits = np.ones(population.channels), list[_Float](), list[int]()
    if weighted:
        bits, step = _quantiser(population, weighted, override)
        integers = [_rounded(*item, step, population) for item in zip(weighted, bits, strict=True)]
        gain = np.ones(population.channels) if weighted[0].gain is None else weighted[0].gain
        scale = gain * step * _unit(graph, population, weighted)
        integers = [np.where(_per_row(scale, rows) < 0, -rows, rows) for rows in integers]
        scale = np.abs(scale)
    neuron: Neuron = population.neuron
    constant = np.zeros(population.channels, np.bool_)
    returned = np.zeros(population.channels)
    match neuron:
        case IntegrateAndFire(threshold=theta):
            if weighted:
                constant = constant_channels(scale, theta, integers)
            pooled = len(weighted) < len(into)
            scale = np.where(constant, theta * 2.0 ** (shift - resolution(neuron)), scale)
            steady = constant & (not pooled)
            drive = np.where(steady, np.clip(population.bias, 0, theta), population.bias)
            bias, threshold = _scaled(drive, scale, shift), np.maximum(1.0, _scaled(theta, scale, shift))
            if neuron.leak_shift is None:
                exact = steady_drive(population.bias, theta)
                bias, threshold = np.where(steady, exact[0], bias), np.where(steady, exact[1], threshold)
            margin = np.where(steady, 0.0, _margin(neuron, graph.time_steps))
            returned = _returned(neuron, margin)
            floor = neuron.floor
            if floor is not None:
                if not weighted:
                    _check_whole(floor, f"The floors of layer '{population.name}'")
                # What nothing but a drive from 0 on moves is never below 0.
                floor = np.where(steady, 0.0, _scaled(floor, scale, shift))
                floor = _integers(floor, f"a floor of layer '{population.name}'")
            taken = neuron.subtracted
            if taken is not None:
                if not weighted:
                    _check_whole(taken, f"The amounts that layer '{population.name}' subtracts")
                # What only a drive moves has the rhythm of its threshold.
                amount = np.where(
                    steady & (neuron.leak_shift is None), threshold, np.maximum(1.0, _scaled(taken, scale, shift))
                )
                taken = _integers(amount, f"an amount that layer '{population.name}' subtracts")
            neuron = dataclasses.replace(
                neuron,
                threshold=_integers(threshold + margin, f"a threshold of layer '{population.name}'"),
                floor=floor,
                comparison=Comparison.AT_LEAST,
                subtracted=taken,
            )
            if not weighted:
                _check_whole(theta, f"The thresholds of layer '{population.name}'")
        case _:
            bias = _scaled(population.bias, scale, shift)
    if not weighted:
        _check_whole(population.bias, f"The biases of layer '{population.name}'")

    rows_and_bits = iter(zip(integers, bits, strict=True))
    projections: list[Projection] = []
    for projection in into:
        what = f"a weight from '{projection.source}' to '{projection.target}'"
        match projection:
            case Dense() | Convolution():
                rows, width = next(rows_and_bits)
                weight = np.where(_per_row(constant, rows), 0.0, rows).reshape(projection.weight.shape)
                projections.append(
                    dataclasses.replace(projection, weight=_integers(weight, what), step=None, gain=None, bits=width)
                )
            case Pooling():
                _check_pooling(graph, projection, alone=not weighted)
                weight = _scaled(projection.weight, scale, shift)
                if _hears_own_spikes(projection):
                    weight = weight + returned
                projections.append(dataclasses.replace(projection, weight=_integers(weight, what)))
            case _ as unreachable:
                assert_never(unreachable)
    whole = _integers(bias, f"a bias of layer '{population.name}'")
    return dataclasses.replace(population, bias=whole, neuron=neuron), projections


def _margin(neuron: IntegrateAndFire, steps: int) -> float:
    """What a threshold is larger by, so that a membrane at or above it was above the float one.

    A leak rounds down what it takes, so that a membrane is less than one unit a step too high, ``2^k`` at most.
    """
    match neuron.comparison:
        case Comparison.AT_LEAST:
            return 0.0
        case Comparison.ABOVE:
            return 1.0 if neuron.leak_shift is None else float(min(2**neuron.leak_shift, steps))
        case _ as unreachable:
            assert_never(unreachable)


def _returned(neuron: IntegrateAndFire, margin: _Float) -> _Float:
    """What is left in the next step of a margin that a soft reset subtracted."""
    if neuron.reset is not Reset.SOFT or neuron.subtracted is not None:
        return np.zeros_like(margin)
    return np.rint(margin if neuron.leak_shift is None else margin * (1 - 2.0**-neuron.leak_shift))


def _hears_own_spikes(projection: Pooling) -> bool:
    """Whether each neuron hears its own spike of the step before."""
    return projection.source == projection.target and projection.kernel == (1, 1) and projection.delay == 1


def _unit(graph: Graph, population: Population, weighted: Sequence[_Weighted]) -> float:
    """The real value of an input of 1, the same for all projections."""
    units = []
    for projection in weighted:
        match graph.population(projection.source).neuron:
            case InputSource(encoding=Encoding.DIRECT, bits=bits):
                unit = 1 / (2**bits - 1)
            case _:
                unit = 1.0
        units.append(unit / projection.pool**2)
    for projection, unit in zip(weighted, units, strict=True):
        if unit != units[0]:
            raise UnsupportedError(
                f"In layer '{population.name}', an input of 1 from '{projection.source}' stands for {unit:.6g}, from "
                f"'{weighted[0].source}' for {units[0]:.6g}; both sums need one integer step. Pool both alike, and do "
                "not join the direct input with spikes."
            )
    return units[0]


def _shift(population: Population, weighted: Sequence[_Weighted]) -> int:
    shifts = sorted({projection.shift for projection in weighted}) or [0]
    if len(shifts) > 1:
        raise UnsupportedError(f"The projections into layer '{population.name}' have the shifts {shifts}; use one.")
    return shifts[0]


def _quantiser(population: Population, weighted: Sequence[_Weighted], override: int | None) -> tuple[list[int], _Float]:
    """Width of a weight per projection, and the quantiser's steps for all, ``(channels,)`` or ``(1,)``."""
    steps = [projection.step for projection in weighted]
    trained = [projection.bits for projection in weighted]
    per_tensor = isinstance(population.neuron, Readout)
    if any(step is None for step in steps) != all(step is None for step in steps):
        raise UnsupportedError(
            f"Some of the projections into layer '{population.name}' have trained quantiser steps and some have none; "
            "quantise all of them, or none."
        )
    bits = [override or width or DEFAULT_BITS for width in trained]
    first = steps[0]
    if first is not None and bits == trained:
        if any(step is None or not np.array_equal(step, first) for step in steps):
            raise UnsupportedError(f"The projections into layer '{population.name}' differ in their quantiser steps.")
        return bits, first.astype(np.float64)
    count = 1 if per_tensor else population.channels
    rows = [projection.weight.astype(np.float64).reshape(count, -1) for projection in weighted]
    if first is not None and len(set(bits)) == 1:
        step = searched_step(np.concatenate(rows, axis=1), bits[0], per_tensor=per_tensor)
    else:
        step = _full_scale(rows, bits)
    # Without a threshold there is nothing else to take a step from.
    return bits, np.where(step > 0, step, 1.0) if per_tensor else step


def _rounded(projection: _Weighted, bits: int, step: _Float, population: Population) -> _Float:
    """Integer weights in floats: a row per neuron of a dense projection, per channel of a convolution."""
    rows = projection.weight.astype(np.float64).reshape(len(projection.weight), -1)
    if bits == 1:
        return np.where(rows >= 0, 1.0, -1.0)
    largest = 2 ** (bits - 1) - 1
    return np.clip(np.rint(rows / _per_row(np.where(step > 0, step, 1.0), rows)), -largest, largest)


def _per_row(values: npt.NDArray[_Scalar], rows: _Float) -> npt.NDArray[_Scalar]:
    """One value per channel (or one for all) beside the rows of each channel."""
    return np.repeat(values, len(rows) // len(values))[:, None]


def _check_pooling(graph: Graph, projection: Pooling, *, alone: bool) -> None:
    where = f"the pooling from '{projection.source}' to '{projection.target}'"
    match graph.population(projection.source).neuron:
        case InputSource(encoding=Encoding.DIRECT):
            raise UnsupportedError(
                f"A pixel has no exact integer in {where}; average pixels with the pool of the next projection, or put "
                "a layer between."
            )
    if projection.shift:
        raise UnsupportedError(f"There is a shift of {projection.shift} on {where}, whose weights need none.")
    if alone:
        _check_whole(projection.weight, f"The weights of {where}")


def _check_whole(values: Array, what: str) -> None:
    if (values != np.rint(values)).any():
        raise UnsupportedError(
            f"{what} are not whole numbers, and nothing but pooling gives the layer an integer step; use a convolution "
            "or a dense projection, or average with the pool of the next projection."
        )


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
