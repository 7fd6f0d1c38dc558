"""A network of any graph in torch, in real numbers or in the integers that section 4 of ``docs/semantics.md`` makes.

`snnc.distill.students` trains students of our own architectures; this runs what was imported: neurons that fire above
their threshold, subtract late or have a floor, layers that hear several others, outputs that fire. In its integers the
rounding is in the graph, with straight-through gradients, so that what is trained is what is compiled; the channels
alone that no weight moves are left to the pass `quantise`, and so are the sums beyond the 2^24 that float32 counts
exactly. Whoever exports measures the golden model.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, TypeAlias, assert_never

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snnc.compiler.ir import (
    Array,
    Comparison,
    Convolution,
    Dense,
    Encoding,
    Graph,
    Initial,
    InputSource,
    IntegrateAndFire,
    Level,
    Pooling,
    Population,
    Projection,
    Readout,
    Reset,
    frozen,
)
from snnc.distill.quantisers import integer_weights, round_through, step_size

__all__ = ["GraphLayer", "GraphNetwork"]

_Weighted: TypeAlias = Dense | Convolution


class GraphNetwork(nn.Module):
    """A network at `Level.NORMALISED`, whose weights, quantiser steps and biases are trained.

    Parameters
    ----------
    graph
        Without gains beside its weights (`snnc.compiler.calibration.calibrate` multiplies them in).
    rounded
        Whether it counts in integers; every weighted projection has its quantiser then.
    """

    def __init__(self, graph: Graph, *, rounded: bool) -> None:
        super().__init__()
        if graph.level is not Level.NORMALISED:
            raise ValueError(f"'{graph.name}' is at level {graph.level.name}, not NORMALISED.")
        self.graph = graph
        self.rounded = rounded
        self.layers = nn.ModuleDict({layer.name: GraphLayer(graph, layer, rounded=rounded) for layer in graph.layers})

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``[B, K]`` in real units.

        Parameters
        ----------
        x
            Floats as the golden model takes them: pixels ``[B, N]``, or spikes ``[T, B, N]``.
        """
        graph, steps = self.graph, self.graph.time_steps
        direct = graph.source.encoding is Encoding.DIRECT
        batch = x.shape[0] if direct else x.shape[1]
        layers = {name: layer for name, layer in self.layers.items() if isinstance(layer, GraphLayer)}
        shape = graph.input.shape
        given = [x.reshape(batch, *shape)] * steps if direct else [step.reshape(batch, *shape) for step in x]
        emitted: dict[str, list[Tensor]] = {graph.input.name: given} | {name: [] for name in layers}
        constants = {name: layer.constants(x.dtype) for name, layer in layers.items()}
        membranes = {name: constants[name].start.expand(batch, *layers[name].shape) for name in layers}
        still: dict[tuple[str, int], Tensor] = {}
        for t in range(steps):
            for name, layer in layers.items():
                parts = constants[name]
                current = parts.bias
                for index, projection in enumerate(layer.projections):
                    if t < projection.delay:
                        continue
                    key = (name, index)
                    # Pixels are the same at every step.
                    once = direct and projection.source == graph.input.name
                    if once and key in still:
                        current = current + still[key]
                        continue
                    source = emitted[projection.source][t - projection.delay]
                    part = _weighted_sum(projection, source, parts.weights[index]).reshape(batch, *layer.shape)
                    if once:
                        still[key] = part
                    current = current + part
                membranes[name], spikes = _step(layer.neuron, membranes[name], current, parts, whole=self.rounded)
                if spikes is not None:
                    emitted[name].append(spikes)
        readout = graph.readout.name
        return (membranes[readout] * constants[readout].scale).flatten(1)

    def trained(self) -> Graph:
        """The graph with what was trained, its weights on the grid of their integers."""
        layers = {name: layer for name, layer in self.layers.items() if isinstance(layer, GraphLayer)}
        return dataclasses.replace(
            self.graph,
            populations=tuple(
                layers[item.name].population() if item.name in layers else item for item in self.graph.populations
            ),
            projections=tuple(
                layers[item.target].projection(item) if not isinstance(item, Pooling) else item
                for item in self.graph.projections
            ),
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Constants:
    """What a layer computes with.

    Attributes
    ----------
    weights
        Of every projection in its order, shifted.
    bias, threshold, taken, floor, start
        ``[C, 1, 1]``; `floor` None where there is none. Of a readout, `threshold` and `taken` say nothing.
    scale
        Real value of one unit of the current.
    """

    weights: list[Tensor]
    bias: Tensor
    threshold: Tensor
    taken: Tensor
    floor: Tensor | None
    start: Tensor
    scale: Tensor


class GraphLayer(nn.Module):
    """A population with all that it hears."""

    theta: Tensor
    taken: Tensor
    floor: Tensor

    def __init__(self, graph: Graph, population: Population, *, rounded: bool) -> None:
        super().__init__()
        assert not isinstance(population.neuron, InputSource)
        self._population = population
        self.neuron = population.neuron
        self.shape = population.shape
        self.projections = graph.into(population.name)
        self._rounded = rounded
        self._steps = graph.time_steps
        weighted = [item for item in self.projections if not isinstance(item, Pooling)]
        self.weights = nn.ParameterList(nn.Parameter(_tensor(item.weight)) for item in weighted)
        self._unit = _unit(graph, weighted[0]) if weighted else 1.0
        self._shift = weighted[0].shift if weighted else 0
        self._bits = weighted[0].bits if weighted else None
        self.bias = nn.Parameter(_tensor(population.bias), requires_grad=bool(weighted))
        for index, item in enumerate(self.projections):
            if isinstance(item, Pooling):
                self.register_buffer(f"pooling{index}", _tensor(item.weight))
        if rounded and weighted:
            step = weighted[0].step
            if step is None or self._bits is None:
                raise ValueError(f"Layer '{population.name}' has no quantiser.")
            self.log_step = nn.Parameter(_tensor(step).log())
        theta, floor = _tensor(np.ones(population.channels)), None
        taken = theta
        if isinstance(self.neuron, IntegrateAndFire):
            theta = _tensor(self.neuron.threshold)
            taken = theta if self.neuron.subtracted is None else _tensor(self.neuron.subtracted)
            floor = None if self.neuron.floor is None else _tensor(self.neuron.floor)
        self.register_buffer("theta", theta)
        self.register_buffer("taken", taken)
        self.register_buffer("floor", floor)

    def constants(self, dtype: torch.dtype) -> _Constants:
        """Weights, bias and thresholds as this network has them; with gradients."""
        unit = torch.ones_like(self.bias)
        weights: list[Tensor] = [weight * self._unit for weight in self.weights]
        shift = 2.0**self._shift
        whole = self._rounded
        if whole and len(self.weights):
            assert self._bits is not None
            step = step_size(self.log_step)
            weights = [
                integer_weights(weight, _per_row(step, len(weight)), self._bits) * shift for weight in self.weights
            ]
            unit = (step * self._unit).expand_as(self.bias)

        def scaled(value: Tensor) -> Tensor:
            return round_through(shift * value / unit) if whole else value

        threshold, taken, margin = self.theta, self.taken, torch.zeros_like(self.theta)
        if isinstance(self.neuron, IntegrateAndFire):
            margin = margin + (_margin(self.neuron, self._steps) if whole else 0.0)
            threshold = scaled(threshold).clamp(min=1) if whole else threshold
            # Without an amount of its own a soft reset subtracts the margin as well.
            own = self.neuron.subtracted is not None
            taken = (scaled(taken).clamp(min=1) if whole else taken) if own else threshold + margin
        start = torch.zeros_like(self.theta)
        if isinstance(self.neuron, IntegrateAndFire) and self.neuron.initial is Initial.HALF:
            start = (threshold + margin).detach() / 2
            start = start.floor() if whole else start
        into, ready = iter(weights), list[Tensor]()
        for index, item in enumerate(self.projections):
            if not isinstance(item, Pooling):
                ready.append(next(into).to(dtype))
                continue
            weight = self.get_buffer(f"pooling{index}")
            # Behind pooling alone everything is whole already.
            ready.append((scaled(weight) if len(self.weights) else weight).to(dtype))
        floor = None if self.neuron_floor is None else _map(scaled(self.neuron_floor).to(dtype))
        return _Constants(
            weights=ready,
            bias=_map(scaled(self.bias).to(dtype)),
            threshold=_map((threshold + margin).to(dtype)),
            taken=_map(taken.to(dtype)),
            floor=floor,
            start=_map(start.to(dtype)),
            scale=_map((unit / shift if whole else unit).to(dtype)),
        )

    @property
    def neuron_floor(self) -> Tensor | None:
        """``[C]``; None where membranes have none."""
        found: Tensor | None = self._buffers["floor"]
        return found

    def population(self) -> Population:
        """With the bias as it was trained."""
        return dataclasses.replace(self._population, bias=frozen(_array(self.bias)))

    def projection(self, item: _Weighted) -> Projection:
        """With weights on the grid of their integers, and the step as it was trained."""
        weighted = [other for other in self.projections if not isinstance(other, Pooling)]
        (index,) = [position for position, other in enumerate(weighted) if other is item]
        weight = self.weights[index]
        if not self._rounded:
            return dataclasses.replace(item, weight=frozen(_array(weight)))
        assert self._bits is not None
        step = step_size(self.log_step)
        rows = _per_row(step, len(weight))
        grid = integer_weights(weight, rows, self._bits) * rows.view(-1, *[1] * (weight.dim() - 1))
        return dataclasses.replace(item, weight=frozen(_array(grid)), step=frozen(_array(step)))


class _Fire(torch.autograd.Function):
    """``U >= threshold`` or ``U > threshold``, with the derivative of an arctangent (Fang et al., ICCV 2021)."""

    @staticmethod
    def forward(ctx: Any, membrane: Tensor, threshold: Tensor, above: bool) -> Tensor:
        ctx.save_for_backward(membrane, threshold)
        return (membrane > threshold if above else membrane >= threshold).to(membrane.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor | None, None]:
        membrane, threshold = ctx.saved_tensors
        slope = 1 / (threshold * (1 + (math.pi * (membrane - threshold) / threshold) ** 2))
        gradient = gradients[0] * slope
        return gradient, -gradient.sum_to_size(threshold.shape) if ctx.needs_input_grad[1] else None, None


def _step(
    neuron: IntegrateAndFire | Readout, membrane: Tensor, current: Tensor, parts: _Constants, *, whole: bool
) -> tuple[Tensor, Tensor | None]:
    """The membrane after a step, and the spikes of a neuron that has any."""
    if neuron.leak_shift is not None:
        part = membrane * 2.0**-neuron.leak_shift
        membrane = membrane - (part + (torch.floor(part) - part).detach() if whole else part)
    membrane = membrane + current
    if isinstance(neuron, Readout):
        return membrane, None
    above = neuron.comparison is Comparison.ABOVE and not whole
    spikes: Tensor = _Fire.apply(membrane, parts.threshold, above)
    match neuron.reset:  # no gradient through the spike that resets: it would multiply slopes over time
        case Reset.SOFT:
            membrane = membrane - parts.taken * spikes.detach()
        case Reset.HARD:
            membrane = membrane * (1 - spikes.detach())
        case _ as unreachable:
            assert_never(unreachable)
    if parts.floor is not None:
        membrane = torch.maximum(membrane, parts.floor)
    return membrane, spikes


def _weighted_sum(projection: Projection, source: Tensor, weight: Tensor) -> Tensor:
    match projection:
        case Dense(pool=pool):
            return F.linear(_window_sum(source, (pool, pool), (pool, pool)).flatten(1), weight)
        case Convolution(pool=pool):
            return F.conv2d(
                _window_sum(source, (pool, pool), (pool, pool)),
                weight,
                stride=projection.stride,
                padding=projection.padding,
                dilation=projection.dilation,
                groups=projection.groups,
            )
        case Pooling():
            return _window_sum(source, projection.kernel, projection.stride) * _map(weight)
        case _ as unreachable:
            assert_never(unreachable)


def _window_sum(maps: Tensor, kernel: tuple[int, int], stride: tuple[int, int]) -> Tensor:
    return maps if kernel == (1, 1) == stride else F.avg_pool2d(maps, kernel, stride, divisor_override=1)


def _margin(neuron: IntegrateAndFire, steps: int) -> float:
    """By which a threshold of integers is larger, where a membrane fires above it and not at it."""
    if neuron.comparison is Comparison.AT_LEAST:
        return 0.0
    return 1.0 if neuron.leak_shift is None else float(min(2**neuron.leak_shift, steps))


def _unit(graph: Graph, projection: _Weighted) -> float:
    """Real value of an input of 1, the same for all projections into a layer."""
    pixels = projection.source == graph.input.name and graph.source.encoding is Encoding.DIRECT
    return 1 / (2**graph.source.bits - 1 if pixels else 1) / projection.pool**2


def _per_row(step: Tensor, rows: int) -> Tensor:
    return step.repeat_interleave(rows // len(step))


def _map(channels: Tensor) -> Tensor:
    return channels.view(-1, 1, 1)


def _tensor(values: Array) -> Tensor:
    return torch.from_numpy(np.array(values, np.float64))


def _array(values: Tensor) -> np.ndarray[Any, np.dtype[np.float64]]:
    found: np.ndarray[Any, np.dtype[np.float64]] = values.detach().double().cpu().numpy()
    return found
