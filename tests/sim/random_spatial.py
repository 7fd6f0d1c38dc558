"""Random networks of everything that the hardware has, none of them silent, and the features that each one shows."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from snnc.compiler.ir import (
    Convolution,
    Dense,
    Encoding,
    Exit,
    Graph,
    Initial,
    IntegrateAndFire,
    Pooling,
    Population,
    Projection,
    Readout,
    Reset,
    frozen,
)
from snnc.compiler.lanes.search import column_banks
from snnc.compiler.targets import find_device
from snnc.sim.models import golden
from tests.networks import Conv, Full, Pool, spatial_chain

__all__ = [
    "BANKED",
    "RandomCase",
    "features",
    "one_of",
    "random_case",
    "with_exit",
    "with_leak_and_floor",
    "with_leaky_readout",
]

_T = TypeVar("_T")

QUIET, LOUD = 0.05, 0.95
"""Mean firing rates of every layer lie between these: a network that is silent, or never is, would prove little."""

SAMPLES = 12

BANKED = "ecp5", "85k"
"""A chip whose engines have column banks."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RandomCase:
    """A network, its lanes and (for `BANKED`) column banks, and inputs as the golden model takes them."""

    graph: Graph
    lanes: tuple[int, ...]
    column_banks: tuple[int, ...]
    inputs: npt.NDArray[Any]


def random_case(seed: int) -> RandomCase:
    """The first of the networks that `seed` gives whose layers all fire; every fourth seed's has column banks."""
    generator = np.random.default_rng(seed)
    banked = seed % 4 == 0
    while True:
        graph = _decorated(_network(generator), generator)
        lanes = tuple(int(generator.integers(1, min(16, layer.channels) + 1)) for layer in graph.layers)
        banks = _banks(graph, lanes, generator) if banked else (1,) * len(lanes)
        if banked and max(banks) == 1:
            continue
        inputs = _inputs(graph, generator)
        trace = golden.run(graph, inputs, time_steps=graph.time_steps)
        rates = [trace.populations[layer.name].firing_rate for layer in graph.layers[:-1]]
        if all(QUIET < rate < LOUD for rate in rates):
            graph = with_leaky_readout(graph, np.random.default_rng([seed, 2]))
            trace = golden.run(graph, inputs, time_steps=graph.time_steps)
            graph = with_exit(graph, trace, np.random.default_rng([seed, 1]))
            return RandomCase(graph=graph, lanes=lanes, column_banks=banks, inputs=inputs)


def with_leaky_readout(graph: Graph, generator: np.random.Generator) -> Graph:
    """`graph`, one time in three with a readout that leaks; drawn apart from all else."""
    if generator.random() > 1 / 3:
        return graph
    readout = dataclasses.replace(graph.readout, neuron=Readout(leak_shift=one_of(generator, [0, 1, 2, 4, 40])))
    return dataclasses.replace(graph, populations=(*graph.populations[:-1], readout))


def with_exit(graph: Graph, trace: golden.Trace, generator: np.random.Generator) -> Graph:
    """`graph`, half of the times with an exit that some of its samples take; drawn apart from all else."""
    if graph.time_steps == 1 or generator.random() < 0.5:
        return graph
    asked = sorted({int(step) for step in generator.integers(1, graph.time_steps, 3)})
    logits = np.sort(trace.populations[graph.readout.name].membranes, axis=2)
    margins = logits[[step - 1 for step in asked], :, -1] - logits[[step - 1 for step in asked], :, -2]
    margin = max(1, int(np.quantile(margins, generator.random())))
    return dataclasses.replace(graph, exit=Exit(margin=margin, steps=tuple(asked)))


def _banks(graph: Graph, lanes: tuple[int, ...], generator: np.random.Generator) -> tuple[int, ...]:
    """Column banks of each layer, of those that are possible."""
    device = find_device(*BANKED)
    return tuple(
        one_of(generator, column_banks(graph, layer, count, device))
        for layer, count in zip(graph.layers, lanes, strict=True)
    )


def _network(generator: np.random.Generator) -> Graph:
    channels, height, width = (int(size) for size in generator.integers((1, 3, 3), (4, 10, 10)))
    shape = channels, height, width
    encoding = one_of(generator, list(Encoding))
    layers: list[Conv | Full | Pool] = []
    for index in range(int(generator.integers(1, 4))):
        first_of_pixels = index == 0 and encoding is Encoding.DIRECT
        kind = one_of(generator, ["conv"] * 4 + ["dense"] + ([] if first_of_pixels else ["max", "sum"]))
        if kind in ("max", "sum"):
            kernel = int(generator.integers(1, min(3, height) + 1)), int(generator.integers(1, min(3, width) + 1))
            stride = _divisor(generator, height - kernel[0]), _divisor(generator, width - kernel[1])
            layers.append(Pool(kernel=kernel, stride=stride, largest=None if kind == "max" else 5))
            height = (height - kernel[0]) // stride[0] + 1
            width = (width - kernel[1]) // stride[1] + 1
            continue
        pools = [q for q in (1, 1, 2, 3) if height % q == 0 and width % q == 0]
        pool = 1 if first_of_pixels else one_of(generator, pools)
        height, width = height // pool, width // pool
        if kind == "dense":
            channels, height, width = (int(size) for size in generator.integers((2, 1, 1), (20, 3, 3)))
            layers.append(Full(shape=(channels, height, width), pool=pool))
            continue
        layer = _convolution(generator, channels, (height, width), pool)
        layers.append(layer)
        channels = layer.channels
        assert layer.padding is not None
        sizes = zip((height, width), layer.kernel, layer.dilation, layer.padding, layer.stride, strict=True)
        height, width = ((size + 2 * p - d * (k - 1) - 1) // s + 1 for size, k, d, p, s in sizes)
    pool = one_of(generator, [q for q in (1, 2) if height % q == 0 and width % q == 0])
    layers.append(Full(shape=(int(generator.integers(2, 9)), 1, 1), pool=pool))
    return spatial_chain(
        shape,
        layers,
        encoding=encoding,
        bits=one_of(generator, [2, 3, 4, 8]),
        value_bits=one_of(generator, [1, 4, 6]),
        shift=int(generator.integers(0, 3)),
        reset=one_of(generator, list(Reset)),
        initial=one_of(generator, list(Initial)),
        time_steps=int(generator.integers(1, 6)),
        seed=int(generator.integers(2**31)),
    )


def _decorated(graph: Graph, generator: np.random.Generator) -> Graph:
    """`graph` with leaks, floors, and projections beside its chain."""
    populations = tuple(with_leak_and_floor(population, generator) for population in graph.populations)
    projections = list(graph.projections)
    places = {population.name: place for place, population in enumerate(populations)}
    pixels = graph.source.encoding is Encoding.DIRECT
    for _ in range(int(generator.integers(0, 4))):
        source, target = one_of(generator, list(populations[1:-1])), one_of(generator, list(populations[1:]))
        # What hears pixels hears nothing else; a maximum of spikes is one of them alone.
        if (pixels and places[target.name] == 1) or _is_maximum(target, projections):
            continue
        least = 0 if places[source.name] < places[target.name] else 1
        delay = least + one_of(generator, [0, 0, 0, 1, 2])
        found = _beside(source, target, delay, generator, readout=target is populations[-1])
        projections += [] if found is None else [found]
    return dataclasses.replace(graph, populations=populations, projections=tuple(projections))


def with_leak_and_floor(population: Population, generator: np.random.Generator) -> Population:
    """Neurons that may leak and have a floor."""
    neuron = population.neuron
    if not isinstance(neuron, IntegrateAndFire) or (neuron.threshold == 1).all():  # a maximum of spikes has neither
        return population
    leak = one_of(generator, [None, None, 1, 2, 4])
    floor = None
    if generator.random() < 0.3:
        floor = frozen(-(generator.random(population.channels) * neuron.threshold).astype(np.int64))
    return dataclasses.replace(population, neuron=dataclasses.replace(neuron, leak_shift=leak, floor=floor))


def _is_maximum(population: Population, projections: list[Projection]) -> bool:
    return any(
        isinstance(projection, Pooling) and projection.target == population.name and (projection.weight == 1).all()
        for projection in projections
    )


def _beside(
    source: Population, target: Population, delay: int, generator: np.random.Generator, *, readout: bool
) -> Projection | None:
    """A projection between the two, of a kind that fits them."""
    common: dict[str, Any] = {"source": source.name, "target": target.name, "delay": delay}
    shift = int(generator.integers(0, 2))
    kinds = ["dense"] if source.size * target.size <= 20_000 else []
    if not readout and source.shape[1:] == target.shape[1:]:
        kinds.append("convolution")
        if source.channels == target.channels:
            kinds += ["identity"] * 2
    match one_of(generator, kinds) if kinds else None:
        case "dense":
            weight = generator.integers(-3, 4, (target.size, source.size))
            return Dense(**common, shift=shift, bits=3, weight=frozen(weight))
        case "convolution":
            size = one_of(generator, [1, 3])
            weight = generator.integers(-7, 8, (target.channels, source.channels, size, size))
            return Convolution(**common, shift=shift, bits=4, weight=frozen(weight), padding=(size // 2, size // 2))
        case "identity":
            values = generator.integers(1, 40, source.channels)
            return Pooling(**common, shift=0, weight=frozen(values), kernel=(1, 1), stride=(1, 1))
    return None


def _convolution(generator: np.random.Generator, channels: int, size: tuple[int, int], pool: int) -> Conv:
    kernel, dilation = _pair(generator, 3), _pair(generator, 2)
    extents = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    lowest = [max(0, -(-(extent - have) // 2)) for extent, have in zip(extents, size, strict=True)]
    padding = [int(generator.integers(low, extent)) for low, extent in zip(lowest, extents, strict=True)]
    groups = one_of(generator, [g for g in (1, 1, 1, 2, 3, channels) if channels % g == 0])
    return Conv(
        channels=groups * int(generator.integers(1, 1 + max(1, 10 // groups))),
        kernel=kernel,
        stride=_pair(generator, 3),
        padding=(padding[0], padding[1]),
        dilation=dilation,
        groups=groups,
        pool=pool,
    )


def _inputs(graph: Graph, generator: np.random.Generator) -> npt.NDArray[Any]:
    density = one_of(generator, [0.1, 0.3, 0.6, 1.0])
    if graph.source.encoding is Encoding.DIRECT:
        values = generator.integers(1, 2**graph.source.bits, (SAMPLES, graph.input.size))
        return values * (generator.random(values.shape) < density)
    return generator.random((graph.time_steps, SAMPLES, graph.input.size)) < density


def features(case: RandomCase) -> set[str]:
    """What a network shows of the hardware, for counting which features were seen together."""
    graph = case.graph
    found = {graph.source.encoding.value, f"{len(graph.layers)} layers", "T = 1" if graph.time_steps == 1 else "T > 1"}
    for projection in graph.projections:
        match projection:
            case Dense():
                found.add("dense behind pooling" if projection.pool > 1 else "dense")
            case Pooling():
                found.add("max pooling" if (projection.weight == 1).all() else "sums of windows")
            case Convolution():
                found.add("convolution behind pooling" if projection.pool > 1 else "convolution")
                found |= {"stride"} if projection.stride != (1, 1) else set()
                found |= {"dilation"} if projection.dilation != (1, 1) else set()
                found |= {"padding"} if projection.padding != (0, 0) else set()
                found |= {"groups"} if projection.groups > 1 else set()
    found |= {"exit"} if graph.exit is not None else set()
    found |= {"readout that leaks"} if not graph.restarts else set()
    places = {population.name: place for place, population in enumerate(graph.populations)}
    if len({(projection.source, projection.target) for projection in graph.projections}) < len(graph.projections):
        found.add("two projections of one pair")
    for projection in graph.projections:
        if projection.delay:
            found.add("delay")
        if projection.source == projection.target:
            found.add("recurrent")
        elif places[projection.source] > places[projection.target]:
            found.add("feedback")
        elif places[projection.source] < places[projection.target] - 1:
            found.add("skip")
    for layer, lanes, banks in zip(graph.layers, case.lanes, case.column_banks, strict=True):
        found |= {"column banks"} if banks > 1 else set()
        full = layer.channels % lanes == 0
        found.add("one lane" if lanes == 1 else "lanes divide" if full else "lanes do not divide")
        if isinstance(layer.neuron, IntegrateAndFire):
            found.add(f"{layer.neuron.reset.value} reset")
            found.add(f"from {layer.neuron.initial.value}")
            found |= {"leak"} if layer.neuron.leak_shift is not None else set()
            found |= {"floor"} if layer.neuron.floor is not None else set()
    return found


def _pair(generator: np.random.Generator, high: int) -> tuple[int, int]:
    first, second = generator.integers(1, high + 1, 2)
    return int(first), int(second)


def _divisor(generator: np.random.Generator, rest: int) -> int:
    return one_of(generator, [n for n in range(1, rest + 1) if rest % n == 0]) if rest else 1


def one_of(generator: np.random.Generator, choices: list[_T]) -> _T:
    """One of the choices."""
    return choices[int(generator.integers(len(choices)))]
