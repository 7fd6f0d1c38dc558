"""Random networks of images whose convolutions gather spikes, none of them silent."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from snnc.compiler.ir import (
    ActivityRecord,
    Convolution,
    Encoding,
    Graph,
    Initial,
    IntegrateAndFire,
    Pooling,
    Population,
    Projection,
    Reset,
    frozen,
)
from snnc.compiler.lanes.gathering import gatherable, mapped
from snnc.sim.models import golden
from snnc.sim.models.activity import ActivityTally
from tests.networks import Conv, Full, Pool, spatial_chain
from tests.sim.random_spatial import one_of, with_exit, with_leak_and_floor

__all__ = ["GatheringCase", "gathering_case"]

QUIET, LOUD = 0.03, 0.97
SAMPLES = 10

_TRIES = 12
"""At a shortcut between two layers that a stride fits."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GatheringCase:
    """A network with at least one layer that can gather, lanes, units, and images for samples of `time_steps`.

    Some of its layers hear a second or a third one, as the sums of residual blocks do. Half of the networks in which
    all layers between image and readout can gather have an exit.
    """

    graph: Graph
    lanes: tuple[int, ...]
    units: tuple[int, ...]
    inputs: npt.NDArray[Any]
    time_steps: int


def gathering_case(seed: int) -> GatheringCase:
    """The first of the networks that `seed` gives whose layers all fire."""
    generator, shortcuts = (np.random.default_rng((seed, apart)) for apart in (14, 16))
    while True:
        graph = _network(generator)
        if not gatherable(graph):
            continue
        graph = _with_shortcuts(graph, shortcuts)
        lanes = tuple(int(generator.integers(1, min(16, layer.channels) + 1)) for layer in graph.layers)
        units = _units(graph, generator)
        density = one_of(generator, [0.2, 0.5, 1.0])
        shape = SAMPLES, graph.input.size
        inputs = generator.integers(0, 2**graph.source.bits, shape) * (generator.random(shape) < density)
        steps = int(generator.integers(1, graph.time_steps + 1))
        trace = golden.run(graph, inputs, time_steps=steps)
        rates = [trace.populations[layer.name].firing_rate for layer in graph.layers[:-1]]
        if all(QUIET < rate < LOUD for rate in rates):
            whole = golden.run(graph, inputs, time_steps=graph.time_steps)
            ending = with_exit(graph, whole, np.random.default_rng((seed, 15)))
            graph = ending if gatherable(ending) else graph
            if density == 1.0:  # whose few pixels of 0 nobody skips, if somebody says so
                graph = dataclasses.replace(graph, activity=_activity(graph, inputs, whole))
            return GatheringCase(graph=graph, lanes=lanes, units=units, inputs=inputs, time_steps=steps)


def _with_shortcuts(graph: Graph, generator: np.random.Generator) -> Graph:
    """`graph`, two times in three with projections from earlier layers beside those of its chain; drawn apart from
    all else. All layers that could gather still can.
    """
    found, names = graph, gatherable(graph)
    wanted = one_of(generator, [0, 1, 2])
    for _ in range(_TRIES):
        if len(found.projections) == len(graph.projections) + wanted:
            break
        target = graph.population(one_of(generator, list(names)))
        place = graph.layers.index(target)
        source = one_of(generator, list(graph.layers[:place]))
        neuron = target.neuron
        assert isinstance(neuron, IntegrateAndFire)
        if (neuron.threshold == 1).all():  # a maximum of spikes is one of them alone
            continue
        shortcut = _shortcut(source, target, generator)
        if shortcut is None:
            continue
        more = dataclasses.replace(found, projections=(*found.projections, shortcut))
        if gatherable(more) == names:
            found = more
    return found


def _shortcut(source: Population, target: Population, generator: np.random.Generator) -> Projection | None:
    """The identity, times a number for each channel, or a convolution; None where no stride of a kernel fits both."""
    common: dict[str, Any] = {"source": source.name, "target": target.name, "shift": int(generator.integers(0, 3))}
    if source.shape == target.shape and generator.random() < 0.6:
        values = generator.integers(1, 40, source.channels)
        return Pooling(**common, weight=frozen(values), kernel=(1, 1), stride=(1, 1))
    size = one_of(generator, [1, 1, 3])
    strides = []
    for have, wanted in zip(source.shape[1:], target.shape[1:], strict=True):
        fitting = [s for s in (1, 2, 3, 4) if (have + 2 * (size // 2) - size) // s + 1 == wanted]
        if not fitting:
            return None
        strides.append(one_of(generator, fitting))
    bits = one_of(generator, [2, 4, 6])
    largest = 2 ** (bits - 1) - 1
    weight = generator.integers(-largest, largest + 1, (target.channels, source.channels, size, size))
    return Convolution(
        **common,
        bits=bits,
        weight=frozen(weight),
        stride=(strides[0], strides[1]),
        padding=(size // 2, size // 2),
    )


def _activity(graph: Graph, inputs: npt.NDArray[Any], trace: golden.Trace) -> ActivityRecord:
    tally = ActivityTally(graph, "random images")
    tally.add(inputs, {layer.name: trace.populations[layer.name].spikes for layer in graph.layers[:-1]})
    return tally.record()


def _units(graph: Graph, generator: np.random.Generator) -> tuple[int, ...]:
    """Of each layer that writes a spike map, as many as its columns allow; 1 of the others."""
    maps = mapped(graph, frozenset(gatherable(graph)))
    return tuple(
        one_of(generator, [units for units in (1, 2, 4) if units <= layer.shape[2]]) if layer.name in maps else 1
        for layer in graph.layers
    )


def _network(generator: np.random.Generator) -> Graph:
    channels, height, width = (int(size) for size in generator.integers((1, 4, 4), (4, 11, 11)))
    shape = channels, height, width
    layers: list[Conv | Full | Pool] = []
    for index in range(int(generator.integers(2, 5))):
        kind = "conv" if index == 0 else one_of(generator, ["conv", "conv", "conv", "max", "sum"])
        if kind != "conv":
            kernel = int(generator.integers(1, min(3, height) + 1)), int(generator.integers(1, min(3, width) + 1))
            down, across = (
                one_of(generator, [s for s in (1, 2, 3) if (size - k) % s == 0])
                for size, k in zip((height, width), kernel, strict=True)
            )
            stride = down, across
            layers.append(Pool(kernel=kernel, stride=stride, largest=None if kind == "max" else 5))
            height, width = ((size - k) // s + 1 for size, k, s in zip((height, width), kernel, stride, strict=True))
            continue
        groups = one_of(generator, [g for g in (1, 1, 1, 2, 3) if index and channels % g == 0] or [1])
        layer = Conv(
            channels=groups * int(generator.integers(1, 24 // groups)),
            kernel=(int(generator.integers(1, 4)), int(generator.integers(1, 4))),
            stride=(int(generator.integers(1, 3)), int(generator.integers(1, 3))),
            dilation=(1, one_of(generator, [1, 1, 2])),
            groups=groups,
        )
        layers.append(layer)
        channels = layer.channels
        extents = [d * (k - 1) + 1 for d, k in zip(layer.dilation, layer.kernel, strict=True)]
        height, width = (
            (size + 2 * (extent // 2) - extent) // s + 1
            for size, extent, s in zip((height, width), extents, layer.stride, strict=True)
        )
    if generator.random() < 0.3:
        layers.append(Full(shape=(int(generator.integers(4, 12)), 1, 1)))
    layers.append(Full(shape=(int(generator.integers(2, 9)), 1, 1)))
    graph = spatial_chain(
        shape,
        layers,
        encoding=Encoding.DIRECT,
        bits=one_of(generator, [2, 3, 4, 8]),
        value_bits=one_of(generator, [1, 4, 6]),
        shift=int(generator.integers(0, 3)),
        reset=one_of(generator, list(Reset)),
        initial=one_of(generator, list(Initial)),
        time_steps=int(generator.integers(1, 6)),
        seed=int(generator.integers(2**31)),
    )
    populations = tuple(with_leak_and_floor(population, generator) for population in graph.populations)
    return dataclasses.replace(graph, populations=populations)
