"""A network made elsewhere, run in float64 as its own equations stand: no folding, no rounding, no refitted leak.

It shares the vocabulary of nodes with `build` and no more, so that what `build` made of them can be held against it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, assert_never

import numpy as np
import numpy.typing as npt

from snnc.compiler.formats.foreign.assumptions import ResetKind
from snnc.compiler.formats.foreign.flow import Flow
from snnc.compiler.formats.foreign.nodes import (
    Affine,
    ChannelAffine,
    Convolve,
    Firing,
    Floats,
    Integrator,
    MaxPool,
    Network,
    Node,
    Pass,
    Pool,
    Refused,
    Sink,
    Source,
    Wait,
)
from snnc.compiler.ir import Comparison, Convolution, Graph, InputSource, Shape, frozen
from snnc.sim.models.floating import FloatTrace, seen_by

__all__ = ["Simulation"]

_Value: TypeAlias = npt.NDArray[Any]


@dataclass(slots=True)
class _State:
    """Of one node: its membrane, and the spikes of the step before, where a reset is late."""

    membrane: Floats
    fired: Floats


class Simulation:
    """A network that `build` made a graph of.

    Parameters
    ----------
    names
        Ours of each of its populations, and its own (`Imported.names`).
    graph
        What was made of it; of this the order of its populations is taken, which says what a loop hears a step later,
        and the encoding of the input.
    """

    def __init__(self, network: Network, names: Sequence[tuple[str, str]], graph: Graph) -> None:
        self._flow = Flow(network)
        self._names = dict(names)
        self._graph = graph
        self._rank = {self._names[item.name]: place for place, item in enumerate(graph.populations)}

    def run(self, inputs: npt.NDArray[Any], *, time_steps: int) -> FloatTrace:
        """Run a batch that is encoded as `snnc.sim.models.golden.run` takes it."""
        return _Run(self._flow, self._names, self._graph, self._rank, inputs, time_steps).trace()


class _Run:
    def __init__(
        self,
        flow: Flow,
        names: Mapping[str, str],
        graph: Graph,
        rank: Mapping[str, int],
        inputs: npt.NDArray[Any],
        time_steps: int,
    ) -> None:
        self._flow, self._names, self._graph, self._rank, self._steps = flow, names, graph, rank, time_steps
        source = graph.input.neuron
        assert isinstance(source, InputSource)
        self._still = inputs.ndim == 2
        """Pixels are the same at every step."""
        self._inputs = inputs / (2**source.bits - 1) if self._still else inputs
        self._batch = inputs.shape[0] if self._still else inputs.shape[1]
        self._emitted: dict[str, list[_Value]] = {name: [] for name in rank}
        self._states: dict[str, _State] = {}
        self._constant: dict[str, Floats] = {}

    def trace(self) -> FloatTrace:
        last = self._flow.nodes[self._names[self._graph.readout.name]]
        firing = [self._flow.nodes[self._names[layer.name]] for layer in self._graph.layers[:-1]]
        logits, total = list[Floats](), np.zeros((self._batch, self._graph.readout.size))
        for t in range(self._steps):
            for node in firing:
                self._emitted[node.name].append(self._fired(node, self._heard(node, t, node, t)[0]))
            heard = self._heard(last, t, last, t)[0]
            if isinstance(last.operation, Integrator):
                total = self._integrated(last, last.operation, heard).reshape(total.shape)
            else:
                total = total + heard.reshape(total.shape)
            logits.append(total)
        spikes = {
            layer.name: np.array(self._emitted[node.name]).reshape(self._steps, self._batch, -1)
            for layer, node in zip(self._graph.layers[:-1], firing, strict=True)
        }
        return FloatTrace(spikes=spikes, logits=np.array(logits))

    def _heard(self, node: Node, time: int, target: Node, now: int) -> tuple[Floats, bool]:
        """The sum of what reaches a node at a step, and whether it is the same at every step.

        `target` is the neuron that is computed in step `now`, for which this is asked.
        """
        shape = self._flow.heard_shape(node)
        total, still = np.zeros((self._batch, *shape)), True
        for source in self._flow.before(node):
            value, same = self._given(source, time, target, now)
            total = total + value.reshape(self._batch, *shape)
            still = still and same
        return total, still

    def _given(self, node: Node, time: int, target: Node, now: int) -> tuple[Floats, bool]:
        """What a node gives at a step."""
        shape = self._flow.shapes[node.name]
        operation = node.operation
        if isinstance(operation, Source):
            if time < 0:
                return np.zeros((self._batch, *shape)), False
            value = self._inputs if self._still else self._inputs[time]
            return value.reshape(self._batch, *shape).astype(np.float64), self._still
        if node.name in self._rank:
            # What comes back on a loop is of the step before; what waited anyway is not.
            earlier = time == now and self._rank[node.name] >= self._rank[target.name]
            time -= earlier
            value = self._emitted[node.name][time] if time >= 0 else np.zeros((self._batch, *shape))
            return value.reshape(self._batch, *shape).astype(np.float64), False
        if isinstance(operation, Wait):
            late = time - operation.steps
            return (self._heard(node, late, target, now)[0] if late >= 0 else np.zeros((self._batch, *shape))), False
        if node.name in self._constant:
            return self._constant[node.name], True
        heard, still = self._heard(node, time, target, now)
        value = _linear(node, heard, shape)
        if still:
            self._constant[node.name] = value
        return value, still

    def _integrated(self, node: Node, operation: Integrator, current: Floats) -> Floats:
        start = self._states.setdefault(node.name, _State(np.zeros_like(current), np.zeros_like(current)))
        start.membrane = _wide(operation.beta, current) * start.membrane + _wide(operation.gain, current) * current
        start.membrane = start.membrane + _wide(operation.drive, current)
        return start.membrane

    def _fired(self, node: Node, current: Floats) -> _Value:
        """The spikes of a neuron, or of a maximum over spikes."""
        match node.operation:
            case MaxPool(kernel=kernel):
                return _windows(current, kernel).max(axis=(3, 5)) > 0
            case Firing() as firing:
                return self._stepped(node.name, firing, current)
            case _:
                raise AssertionError(node.kind)

    def _stepped(self, name: str, firing: Firing, current: Floats) -> _Value:
        zeros = np.zeros_like(current)
        state = self._states.setdefault(name, _State(zeros + _wide(firing.initial, current), zeros))
        threshold = _wide(firing.threshold, current)
        membrane = _wide(firing.beta, current) * state.membrane
        membrane = membrane + _wide(firing.gain, current) * current + _wide(firing.drive, current)
        if firing.reset is ResetKind.LATE:
            membrane = membrane - threshold * state.fired
        spikes = membrane > threshold if firing.comparison is Comparison.ABOVE else membrane >= threshold
        match firing.reset:
            case ResetKind.SOFT:
                membrane = membrane - threshold * spikes
            case ResetKind.HARD:
                membrane = np.where(spikes, _wide(firing.v_reset, current), membrane)
            case ResetKind.LATE:
                pass
            case _ as unreachable:
                assert_never(unreachable)
        if firing.floor is not None:
            membrane = np.maximum(membrane, _wide(firing.floor, current))
        state.membrane, state.fired = membrane, spikes.astype(np.float64)
        return spikes


def _linear(node: Node, x: Floats, shape: Shape) -> Floats:
    """What a node without neurons makes of ``(batch, C, H, W)``."""
    match node.operation:
        case Pass() | Sink():
            return x
        case Affine(weight=weight, bias=bias):
            y = x.reshape(len(x), -1) @ weight.T
            return (y if bias is None else y + bias.reshape(-1)).reshape(len(x), *shape)
        case ChannelAffine(scale=scale, offset=offset):
            y = x * _wide(scale, x)
            return y if offset is None else y + _wide(offset, x)
        case Convolve() as convolve:
            return _convolved(convolve, x, shape)
        case Pool(kernel=kernel, average=average):
            windows = _windows(x, (x.shape[2], x.shape[3]) if kernel is None else kernel)
            return windows.mean(axis=(3, 5)) if average else windows.sum(axis=(3, 5))
        case Integrator() | Refused() | Source() | Wait() | Firing() | MaxPool():
            raise AssertionError(node.kind)
        case _ as unreachable:
            assert_never(unreachable)


def _convolved(node: Convolve, x: Floats, shape: Shape) -> Floats:
    extents = [d * (k - 1) for d, k in zip(node.dilation, node.weight.shape[2:], strict=True)]
    padding = (extents[0] // 2, extents[1] // 2) if node.padding is None else node.padding
    geometry = Convolution(
        source="x",
        target="y",
        weight=frozen(node.weight),
        stride=node.stride,
        padding=padding,
        dilation=node.dilation,
        groups=node.groups,
    )
    seen = seen_by(geometry, x)
    # (group, batch and position, synapse) by (group, synapse, channel)
    y = seen @ node.weight.reshape(node.groups, len(node.weight) // node.groups, -1).transpose(0, 2, 1)
    y = y.reshape(node.groups, len(x), *shape[1:], -1).transpose(1, 0, 4, 2, 3).reshape(len(x), *shape)
    return y if node.bias is None else y + node.bias.reshape(-1, 1, 1)


def _windows(x: Floats, kernel: tuple[int, int]) -> Floats:
    """``(batch, C, H', kernel rows, W', kernel columns)``; windows divide, which `Flow` has seen to."""
    batch, channels, height, width = x.shape
    return x.reshape(batch, channels, height // kernel[0], kernel[0], width // kernel[1], kernel[1])


def _wide(values: Floats, x: Floats) -> Floats:
    """One value, one per channel or one per neuron, beside ``(batch, C, H, W)``."""
    if values.size == 1:
        return values.reshape(())
    return values.reshape(-1, 1, 1) if values.size == x.shape[1] else values.reshape(x.shape[1:])
