"""The float meaning of a network: ``docs/semantics.md`` section 4, last paragraphs, in float64.

What the integers were rounded from. It runs the graph that the golden model's was made from, on the same inputs, so
that the two can be compared spike for spike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, assert_never

import numpy as np
import numpy.typing as npt

from snnc.compiler.ir import (
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
)
from snnc.sim.models.convolving import arranged, convolved

__all__ = ["FloatNetwork", "FloatSum", "FloatTrace", "seen_by"]

FloatArray: TypeAlias = npt.NDArray[np.float64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FloatTrace:
    """What a float network did with a batch.

    Attributes
    ----------
    spikes
        By population, all but the input and the readout; ``(time, batch, neuron)``.
    logits
        The readout's membranes after every step, ``(time, batch, class)``.
    fed
        What each population does where it hears another network's spikes in the place of its own network's, so that its
        difference from that network is its own and not that of the layers before. Empty where nobody asked for it.
    """

    spikes: Mapping[str, BoolArray]
    logits: FloatArray
    fed: Mapping[str, BoolArray] = field(default_factory=dict)


class FloatNetwork:
    """A network at `Level.NORMALISED`, ready to run."""

    def __init__(self, graph: Graph) -> None:
        if graph.level is not Level.NORMALISED:
            raise ValueError(f"'{graph.name}' is at level {graph.level.name}, not NORMALISED.")
        self.graph = graph
        self._sums = {
            population.name: [FloatSum(graph, projection) for projection in graph.into(population.name)]
            for population in graph.layers
        }

    def run(
        self, inputs: npt.NDArray[Any], *, time_steps: int, beside: Mapping[str, BoolArray] | None = None
    ) -> FloatTrace:
        """Run a batch that is encoded as `snnc.sim.models.golden.run` takes it.

        Parameters
        ----------
        beside
            Spikes by population, ``(time, batch, neuron)``, such as the integer network's, for `FloatTrace.fed`.
        """
        graph = self.graph
        direct = graph.source.encoding is Encoding.DIRECT
        values = np.broadcast_to(inputs, (time_steps, *inputs.shape)) if direct else inputs
        batch = values.shape[1]
        own: dict[str, npt.NDArray[Any]] = {graph.input.name: values}
        others: dict[str, npt.NDArray[Any]] = {graph.input.name: values, **(beside or {})}
        layers = [_Layer(layer, time_steps, batch) for layer in graph.layers]
        own |= {layer.name: layer.outputs for layer in layers}
        # What hears the input alone hears the same in both.
        fed = {
            layer.name: _Layer(layer, time_steps, batch)
            for layer in graph.layers[:-1]
            if beside and any(projection.source in beside for projection in graph.into(layer.name))
        }
        constants: dict[FloatSum, FloatArray] = {}

        def current(layer: Population, heard: Mapping[str, npt.NDArray[Any]], t: int) -> FloatArray:
            found = np.broadcast_to(_per_neuron(layer.bias, layer), (batch, layer.size)).copy()
            for weighted in self._sums[layer.name]:
                earlier = t - weighted.projection.delay
                if earlier < 0:
                    continue
                if not weighted.direct:
                    found += weighted(heard[weighted.projection.source][earlier])
                    continue
                if weighted not in constants:
                    constants[weighted] = weighted(values[0])
                found += constants[weighted]
            return found

        for t in range(time_steps):
            for layer in layers:
                layer.step(t, current(layer.population, own, t))
                if (other := fed.get(layer.name)) is not None:
                    other.step(t, current(layer.population, others, t))
        spikes = {layer.name: layer.outputs for layer in layers[:-1]}
        return FloatTrace(
            spikes=spikes,
            logits=layers[-1].outputs,
            fed=spikes | {name: layer.outputs for name, layer in fed.items()} if beside else {},
        )


class _Layer:
    """A population in a run: its membranes, and what it has put out, ``(time, batch, neuron)``: spikes, or logits."""

    def __init__(self, population: Population, time_steps: int, batch: int) -> None:
        self.name = population.name
        self.population = population
        kind = np.float64 if isinstance(population.neuron, Readout) else np.bool_
        self.outputs: npt.NDArray[Any] = np.zeros((time_steps, batch, population.size), kind)
        self._membrane = _start(population, batch)

    def step(self, t: int, current: FloatArray) -> None:
        """Step `t`."""
        self._membrane, spikes = _step(self.population, self._membrane, current)
        self.outputs[t] = self._membrane if spikes is None else spikes


def _step(layer: Population, membrane: FloatArray, current: FloatArray) -> tuple[FloatArray, BoolArray | None]:
    """The membrane after a step, in the place of `current`, and the spikes of a neuron that has any."""
    match layer.neuron:
        case IntegrateAndFire(leak_shift=leak, reset=reset, floor=floor):
            threshold = _per_neuron(layer.neuron.threshold, layer)
            current += membrane if leak is None else membrane * (1 - 2.0**-leak)
            membrane = current
            above = layer.neuron.comparison is Comparison.ABOVE
            spikes = membrane > threshold if above else membrane >= threshold
            match reset:
                case Reset.SOFT:
                    taken = layer.neuron.subtracted
                    membrane -= (threshold if taken is None else _per_neuron(taken, layer)) * spikes
                case Reset.HARD:
                    membrane *= ~spikes
                case _ as unreachable_reset:
                    assert_never(unreachable_reset)
            if floor is not None:
                membrane = np.maximum(membrane, _per_neuron(floor, layer))
            return membrane, spikes
        case Readout(leak_shift=leak):
            return current + (membrane if leak is None else membrane * (1 - 2.0**-leak)), None
        case InputSource():
            raise AssertionError("an input has no membrane")
        case _ as unreachable:
            assert_never(unreachable)


def _start(layer: Population, batch: int) -> FloatArray:
    start = np.zeros(layer.size)
    if isinstance(layer.neuron, IntegrateAndFire):
        match layer.neuron.initial:
            case Initial.ZERO:
                pass
            case Initial.HALF:
                start = _per_neuron(layer.neuron.threshold, layer) / 2
            case _ as unreachable:
                assert_never(unreachable)
    return np.broadcast_to(start, (batch, layer.size))


class FloatSum:
    """``g * unit * W * s`` of one projection, in real units."""

    def __init__(self, graph: Graph, projection: Projection) -> None:
        self.projection = projection
        source, target = graph.population(projection.source), graph.population(projection.target)
        self._source, self._target = source.shape, target.shape
        self.direct = isinstance(source.neuron, InputSource) and source.neuron.encoding is Encoding.DIRECT
        self._weight = projection.weight.astype(np.float64)
        if not isinstance(projection, Pooling):
            unit = 1 / (2**graph.source.bits - 1) if self.direct else 1.0
            gain = np.ones(target.channels) if projection.gain is None else projection.gain
            scale = np.repeat(gain * unit / projection.pool**2, len(self._weight) // target.channels)
            self._weight = self._weight * scale.reshape(-1, *[1] * (self._weight.ndim - 1))
        if isinstance(projection, Convolution):
            self._weight = arranged(self._weight, projection.groups)

    def __call__(self, values: npt.NDArray[Any]) -> FloatArray:
        """``(batch, source)`` to ``(batch, target)``."""
        maps = values.reshape(len(values), *self._source).astype(np.float64)
        match self.projection:
            case Dense() as dense:
                return seen_by(dense, maps)[0] @ self._weight.T
            case Convolution(pool=pool) as convolution:
                pooled = _window_sums(maps, (pool, pool), (pool, pool))
                return convolved(pooled, convolution, self._weight, self._target, np.float64)
            case Pooling(kernel=kernel, stride=stride):
                return (_window_sums(maps, kernel, stride) * self._weight[:, None, None]).reshape(len(values), -1)
            case _ as unreachable:
                assert_never(unreachable)


def seen_by(projection: Dense | Convolution, maps: FloatArray) -> FloatArray:
    """What the weights of each output channel see of a batch, in the order in which a channel's weights lie.

    Parameters
    ----------
    maps
        Of the source, ``(batch, channel, height, width)``.

    Returns
    -------
    ``(group, batch and position, synapse)``; a dense projection has one group and one position.
    """
    pool = (projection.pool, projection.pool)
    pooled = _window_sums(maps, pool, pool)
    batch, channels = pooled.shape[:2]
    match projection:
        case Dense():
            return pooled.reshape(1, batch, -1)
        case Convolution(groups=groups):
            (above, left) = projection.padding
            padded = np.pad(pooled, ((0, 0), (0, 0), (above, above), (left, left)))
            extent = [d * (k - 1) + 1 for d, k in zip(projection.dilation, projection.kernel, strict=True)]
            windows = np.lib.stride_tricks.sliding_window_view(padded, extent, axis=(2, 3))
            (down, right), (apart_rows, apart_columns) = projection.stride, projection.dilation
            windows = windows[:, :, ::down, ::right, ::apart_rows, ::apart_columns]
            rows, columns = windows.shape[2:4]
            # (batch, group, channel, row, column, kernel row, kernel column) to (group, position, synapse)
            grouped = windows.reshape(batch, groups, channels // groups, rows, columns, *projection.kernel)
            return grouped.transpose(1, 0, 3, 4, 2, 5, 6).reshape(groups, batch * rows * columns, -1)
        case _ as unreachable:
            assert_never(unreachable)


def _window_sums(maps: FloatArray, kernel: tuple[int, int], stride: tuple[int, int]) -> FloatArray:
    if kernel == (1, 1) == stride:
        return maps
    windows = np.lib.stride_tricks.sliding_window_view(maps, kernel, axis=(2, 3))
    return windows[:, :, :: stride[0], :: stride[1]].sum(axis=(4, 5))


def _per_neuron(channels: npt.NDArray[Any], layer: Population) -> FloatArray:
    return np.repeat(channels.astype(np.float64), layer.size // layer.channels)
