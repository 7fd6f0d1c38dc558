"""A plain float simulator of networks made elsewhere, in the words of `snnc.compiler.formats.foreign.nodes`.

Nodes are evaluated one by one in a given order, as their equations stand; a node hears those that come later in the
order as they were in the step before. It shares nothing with `build`, so that the two can disagree.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional

from snnc.compiler.formats.foreign.assumptions import ResetKind
from snnc.compiler.formats.foreign.nodes import (
    Affine,
    ChannelAffine,
    Convolve,
    Firing,
    Integrator,
    MaxPool,
    Network,
    Pass,
    Pool,
    Sink,
    Source,
    Wait,
)
from snnc.compiler.ir import Comparison, Graph
from snnc.compiler.passes.normalise import normalised
from snnc.compiler.passes.quantise import quantised
from snnc.sim.models import golden


def simulate(network: Network, order: Sequence[str], spikes: np.ndarray) -> dict[str, np.ndarray]:
    """What every node gives, ``(time, batch, neurons)``; `spikes` is ``(time, batch, addresses)``."""
    nodes = {node.name: node.operation for node in network.nodes}
    steps, batch = spikes.shape[:2]
    now: dict[str, torch.Tensor] = {}
    state: dict[str, Any] = {}
    given: dict[str, list[np.ndarray]] = {name: [] for name in order}
    for t in range(steps):
        for name in order:
            operation = nodes[name]
            heard = [now[source] for source, target in network.edges if target == name and source in now]
            if not t:
                # What comes back on a loop has heard no spikes yet.
                late = [nodes[source] for source, target in network.edges if target == name and source not in now]
                heard += [_given(node, 0 * heard[0], {}, "") for node in late]
            if isinstance(operation, Source):
                now[name] = torch.from_numpy(spikes[t].astype(np.float64)).reshape(batch, *operation.shape)
            else:
                total = torch.stack([item.reshape(heard[0].shape) for item in heard]).sum(0)
                now[name] = _given(operation, total, state, name)
            given[name].append(now[name].reshape(batch, -1).numpy().copy())
    return {name: np.array(values) for name, values in given.items()}


def _given(operation: Any, x: torch.Tensor, state: dict[str, Any], name: str) -> torch.Tensor:
    match operation:
        case Pass() | Sink():
            return x
        case Wait(steps=steps):
            line = state.setdefault(name, [torch.zeros_like(x)] * steps)
            line.append(x)
            return line.pop(0)
        case Affine(weight=weight, bias=bias):
            return functional.linear(x.flatten(1), _tensor(weight), None if bias is None else _tensor(bias))[
                ..., None, None
            ]
        case Convolve() as node:
            padding: Any = "same" if node.padding is None else node.padding
            offset = None if node.bias is None else _tensor(node.bias)
            return functional.conv2d(x, _tensor(node.weight), offset, node.stride, padding, node.dilation, node.groups)
        case ChannelAffine(scale=scale, offset=added):
            y = x * _broadcast(scale, x)
            return y if added is None else y + _broadcast(added, x)
        case Pool(kernel=kernel, average=average):
            window = x.shape[-2:] if kernel is None else kernel
            y = functional.avg_pool2d(x, window)
            return y if average else y * window[0] * window[1]
        case MaxPool(kernel=kernel):
            return functional.max_pool2d(x, kernel)
        case Integrator() as node:
            state[name] = _broadcast(node.beta, x) * state.get(name, 0 * x) + _broadcast(node.gain, x) * x
            state[name] = state[name] + _broadcast(node.drive, x)
            return state[name]
        case Firing() as node:
            return _fired(node, x, state, name)
        case _:
            raise AssertionError(operation)


def _fired(node: Firing, x: torch.Tensor, state: dict[str, Any], name: str) -> torch.Tensor:
    threshold = _broadcast(node.threshold, x)
    before, fired = state.get(name, (_broadcast(node.initial, x) + 0 * x, torch.zeros_like(x)))
    membrane = _broadcast(node.beta, x) * before + _broadcast(node.gain, x) * x + _broadcast(node.drive, x)
    if node.reset is ResetKind.LATE:
        membrane = membrane - threshold * fired
    spikes = (membrane > threshold if node.comparison is Comparison.ABOVE else membrane >= threshold).to(x.dtype)
    after = membrane
    if node.reset is ResetKind.SOFT:
        after = membrane - threshold * spikes
    if node.reset is ResetKind.HARD:
        after = torch.where(spikes > 0, _broadcast(node.v_reset, x) + 0 * x, membrane)
    if node.floor is not None:
        after = torch.maximum(after, _broadcast(node.floor, x) + 0 * x)
    state[name] = after, spikes
    return spikes


def _tensor(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.array(values, np.float64))


def _broadcast(values: np.ndarray, x: torch.Tensor) -> torch.Tensor:
    tensor = _tensor(values)
    if tensor.numel() == 1:
        return tensor.reshape(())
    return tensor.reshape(-1, 1, 1) if tensor.numel() == x.shape[1] else tensor.reshape(x.shape[1:])


def integers(generator: np.random.Generator, *shape: int, largest: int = 7) -> np.ndarray:
    """Integer weights that a quantiser of four bits leaves as they are: each row reaches the largest value."""
    weight = generator.integers(-largest, largest + 1, shape).astype(np.float64)
    rows = weight.reshape(shape[0], -1)
    rows[:, 0] = largest * np.where(rows[:, 0] < 0, -1, 1)
    return weight


def run(graph: Graph, spikes: np.ndarray, *, bits: int = 4) -> golden.Trace:
    """The golden model's trace of an imported graph, quantised."""
    return golden.run(quantised(normalised(graph), bits), spikes, time_steps=len(spikes))


def written(path: Path, nodes: dict[str, Any], edges: Sequence[tuple[str, str]]) -> Path:
    """A ``.nir`` file by the package itself, without its checks."""
    import nir

    nir.write(path, nir.NIRGraph(nodes=nodes, edges=list(edges), type_check=False))
    return path
