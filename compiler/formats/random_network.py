"""Random integer networks of a given architecture, for trying hardware without any data or training.

The rule, per hidden layer: weights uniform over the symmetric range, a bias that gives every channel a drift of half a
standard deviation of its input current, and thresholds of a common multiple of that deviation, found by bisection on a
short seeded run so that the layer fires at `FIRING_TARGET`. What a residual block adds by identity weighs as much as a
deviation of the rest. Max pooling has nothing to draw.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import OptionError
from snnc.compiler.ir import (
    ActivityRecord,
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
    Shape,
    frozen,
)
from snnc.compiler.ir.architecture import (
    INPUT,
    Architecture,
    PopulationSpec,
    ProjectionKind,
    ProjectionSpec,
    Role,
    parse_architecture,
)
from snnc.compiler.ir.spreading import spread, spread_weight

__all__ = ["FIRING_TARGET", "RandomNetwork", "random_graph"]

FIRING_TARGET: Final = 0.2
"""Spikes per neuron and step; single neurons spread around it."""

_MOST_SAMPLES: Final = 32
_MOST_STEPS: Final = 64
_RUN_LIMIT: Final = 2**22
"""Of neurons, steps and samples of the largest layer's run together, which bounds its time and memory."""

_BISECTIONS: Final = 24
_WEIGHTS_LIMIT: Final = 2**24
"""Far beyond what the block RAM of any device holds, and still drawn in a second."""

_Run = npt.NDArray[np.int64]
"""Spikes, pixels or currents of a layer: ``(time, sample, channel, row, column)``."""

_ALL_BUT_CHANNEL: Final = (0, 1, 3, 4)

_Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomNetwork:
    """What to draw.

    Attributes
    ----------
    architecture
        As of `snnc.compiler.ir.architecture`: ``784-128-10``, ``1x28x28-16c5s2-32c3s2-10``.
    encoding, value_bits
        Of the input; `value_bits` is ignored for events.
    weight_bits
        1 to 8.
    time_steps
        ``T_max``, and the length of the calibration run, but for very long ones.
    density
        Fraction of input addresses that are not zero in a step.
    seed
        The same seed gives the same network.
    """

    architecture: str
    encoding: Encoding = Encoding.EVENTS
    value_bits: int = 4
    weight_bits: int = 4
    time_steps: int = 10
    density: float = 0.15
    seed: int = 0


def random_graph(options: RandomNetwork) -> Graph:
    """A `Level.INTEGER` network whose hidden neurons fire.

    Raises
    ------
    OptionError
        The architecture cannot be read or built, or has more weights than are drawn.
    """
    architecture = parse_architecture(options.architecture)
    if architecture.weights > _WEIGHTS_LIMIT:
        raise OptionError(
            f"'{options.architecture}' has {architecture.weights:,} weights; at most {_WEIGHTS_LIMIT:,} are drawn. Use "
            "smaller layers."
        )
    generator = np.random.default_rng(options.seed)
    bits = 1 if options.encoding is Encoding.EVENTS else options.value_bits
    channels = architecture.shape[0]
    source = InputSource(encoding=options.encoding, bits=bits)
    populations = [
        Population(name=INPUT, shape=architecture.shape, neuron=source, bias=frozen(np.zeros(channels, np.int64)))
    ]
    projections: list[Projection] = []
    known = {INPUT: populations[0]}
    runs = {INPUT: _input_run(options, architecture, bits, generator)}
    for position, spec in enumerate(architecture.populations):
        name = "readout" if spec.role is Role.READOUT else f"hidden{position}"
        drawn = _draw(spec, runs, known, name, options.weight_bits, generator)
        runs[spec.name], known[spec.name] = drawn.spikes, drawn.population
        populations.append(drawn.population)
        projections += drawn.projections
    graph = Graph(
        name=f"random-{options.architecture}-seed{options.seed}",
        level=Level.INTEGER,
        populations=tuple(populations),
        projections=tuple(projections),
        time_steps=options.time_steps,
    )
    return dataclasses.replace(graph, activity=_activity(graph, list(runs.values())))


def _activity(graph: Graph, runs: Sequence[_Run]) -> ActivityRecord:
    """What the populations did in the run that set their thresholds, in the graph's order."""
    from snnc.sim.models.activity import ActivityTally  # not needed where another network is read

    tally = ActivityTally(graph, "the calibration of a random network")
    inputs, *spikes = (run.reshape(*run.shape[:2], -1) for run in runs)
    fired = {layer.name: run != 0 for layer, run in zip(graph.layers[:-1], spikes, strict=False)}
    tally.add(inputs[0] if graph.source.encoding is Encoding.DIRECT else inputs, fired)
    # The inputs of all samples and steps are drawn alike: none is typical of anything.
    return dataclasses.replace(tally.record(), typical={})


def _input_run(options: RandomNetwork, architecture: Architecture, bits: int, generator: np.random.Generator) -> _Run:
    input_size = int(np.prod(architecture.shape))
    largest = max(input_size, *(population.size for population in architecture.populations))
    steps = max(1, min(options.time_steps, _MOST_STEPS, _RUN_LIMIT // largest))
    samples = max(1, min(_MOST_SAMPLES, _RUN_LIMIT // (largest * steps)))
    shape = (steps, samples, *architecture.shape)
    match options.encoding:
        case Encoding.DIRECT:
            image = generator.integers(1, 2**bits, size=shape[1:]) * (generator.random(shape[1:]) < options.density)
            return np.broadcast_to(image, shape)
        case Encoding.RATE | Encoding.EVENTS:
            return (generator.random(shape) < options.density).astype(np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawn:
    """A population, its projections, and what it does in the run."""

    population: Population
    projections: tuple[Projection, ...]
    spikes: _Run


def _draw(
    spec: PopulationSpec,
    runs: Mapping[str, _Run],
    known: Mapping[str, Population],
    name: str,
    bits: int,
    generator: np.random.Generator,
) -> _Drawn:
    projections: list[Projection] = []
    loop: _Integers | None = None
    channels, current = spec.shape[0], np.zeros((1, 1, *spec.shape), np.int64)
    for synapses in spec.projections:
        if spec.role is Role.MAX:
            weight = np.ones(channels, np.int64)
        elif synapses.kind is ProjectionKind.POOLING:
            weight = np.maximum(1, np.rint(_deviation(current))).astype(np.int64)
        else:
            weight = _random_weights(synapses.weights, bits, generator)
        if synapses is spec.loop:
            loop = weight
            projections.append(_projection(synapses, name, name, weight, bits))
        else:
            source = known[synapses.source]
            weight = spread_weight(synapses, weight, source.shape)
            projections.append(_projection(spread(synapses), source.name, name, weight, bits))
            current = current + _current(projections[-1], source, spec.shape, runs[synapses.source])
    neuron: Neuron
    bias = np.zeros(channels, np.int64)
    match spec.role:
        case Role.READOUT:
            neuron, spikes = Readout(), np.zeros_like(current)
        case Role.MAX:
            neuron = IntegrateAndFire(threshold=frozen(np.ones(channels, np.int64)), reset=Reset.HARD)
            spikes = (current > 0).astype(np.int64)
        case Role.SPIKING:
            bias, threshold = _calibrate(current, loop)
            neuron = IntegrateAndFire(threshold=frozen(threshold))
            spikes = _fire(current + _per_channel(bias), threshold, loop)
    population = Population(name=name, shape=spec.shape, neuron=neuron, bias=frozen(bias))
    return _Drawn(population=population, projections=tuple(projections), spikes=spikes)


def _random_weights(shape: tuple[int, ...], bits: int, generator: np.random.Generator) -> _Integers:
    if bits == 1:
        return 2 * generator.integers(0, 2, size=shape) - 1
    largest = 2 ** (bits - 1) - 1
    return generator.integers(-largest, largest, size=shape, endpoint=True)


def _projection(spec: ProjectionSpec, source: str, target: str, weight: _Integers, bits: int) -> Projection:
    match spec.kind:
        case ProjectionKind.DENSE:
            return Dense(
                source=source, target=target, weight=frozen(weight), bits=bits, delay=spec.delay, pool=spec.pool[0]
            )
        case ProjectionKind.CONVOLUTION:
            return Convolution(
                source=source,
                target=target,
                weight=frozen(weight),
                stride=spec.stride,
                padding=spec.padding,
                groups=spec.groups,
                bits=bits,
                delay=spec.delay,
                pool=spec.pool[0],
            )
        case ProjectionKind.POOLING:
            return Pooling(
                source=source,
                target=target,
                weight=frozen(weight),
                kernel=spec.kernel,
                stride=spec.stride,
                delay=spec.delay,
            )


def _current(projection: Projection, source: Population, shape: Shape, run: _Run) -> _Run:
    """Weighted sums into neurons of `shape`, none before the projection's delay is over."""
    from snnc.sim.models.synapses import WeightedSum  # not needed where another network is read

    target = Population(
        name=projection.target, shape=shape, neuron=Readout(), bias=frozen(np.zeros(shape[0], np.int64))
    )
    pair = Graph(
        name="pair", level=Level.INTEGER, populations=(source, target), projections=(projection,), time_steps=len(run)
    )
    sums, spikes = WeightedSum(pair, projection), run.reshape(*run.shape[:2], -1)
    current = np.zeros((*run.shape[:2], *shape), np.int64)
    if heard := range(len(run) - projection.delay):
        current[projection.delay :] = sums.several(spikes, heard, np.int64).reshape(-1, *current.shape[1:])
    return current


def _calibrate(current: _Run, loop: _Integers | None) -> tuple[_Integers, _Integers]:
    """Bias and threshold per channel, both ``(channel,)``, for the weighted sums `current` and own spikes by `loop`."""
    deviation = np.maximum(_deviation(current), 1.0)
    bias = np.rint(deviation / 2 - current.mean(axis=_ALL_BUT_CHANNEL)).astype(np.int64)
    drive = current + _per_channel(bias)
    low, high = 0.0, 64.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if _fire(drive, _threshold(middle, deviation), loop).mean() > FIRING_TARGET:
            low = middle
        else:
            high = middle
    return bias, _threshold(high, deviation)


def _deviation(current: _Run) -> npt.NDArray[np.float64]:
    return current.std(axis=_ALL_BUT_CHANNEL)


def _per_channel(values: _Integers) -> _Integers:
    return values[:, None, None]


def _threshold(multiple: float, deviation: npt.NDArray[np.float64]) -> _Integers:
    return np.maximum(1, np.rint(multiple * deviation)).astype(np.int64)


def _fire(current: _Run, threshold: _Integers, loop: _Integers | None) -> _Run:
    membrane, spikes = np.zeros(current.shape[1:], np.int64), np.empty_like(current)
    thresholds = _per_channel(threshold)
    for step, drive in enumerate(current):
        membrane = membrane + drive
        if loop is not None and step:
            membrane += (spikes[step - 1, ..., 0, 0] @ loop.T)[..., None, None]
        spikes[step] = membrane >= thresholds
        membrane -= thresholds * spikes[step]
    return spikes
