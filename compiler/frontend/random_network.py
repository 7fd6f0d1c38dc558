"""Random integer networks of a given shape, for trying hardware without any data or training.

The rule, per hidden layer: weights uniform over the symmetric range, a bias that gives every neuron a drift of half a
standard deviation of its input current, and thresholds of a common multiple of that deviation, found by bisection on a
short seeded run so that the layer fires at `FIRING_TARGET`.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import OptionError
from snnc.compiler.ir import (
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

__all__ = ["FIRING_TARGET", "RandomNetwork", "parse_shape", "random_graph"]

FIRING_TARGET: Final = 0.2
"""Spikes per neuron and step; single neurons spread around it."""

_SAMPLES: Final = 32
_STEPS_LIMIT: Final = 64
_BISECTIONS: Final = 24
_SIZE_LIMIT: Final = 2**16
_WEIGHTS_LIMIT: Final = 2**24
"""Far beyond what the block RAM of any device holds, and still drawn in a second."""

_Spikes = npt.NDArray[np.int64]
"""(time, sample, neuron)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomNetwork:
    """What to draw.

    Attributes
    ----------
    sizes
        Neurons per layer, the input first and the readout last.
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

    sizes: tuple[int, ...]
    encoding: Encoding = Encoding.EVENTS
    value_bits: int = 4
    weight_bits: int = 4
    time_steps: int = 10
    density: float = 0.15
    seed: int = 0


def parse_shape(text: str) -> tuple[int, ...]:
    """``"784-128-10"`` as numbers."""
    fields = text.split("-")
    sizes = tuple(int(size) for size in fields if size.isascii() and size.isdigit() and len(size) < 9)
    if len(sizes) != len(fields) or len(sizes) < 2 or not all(1 <= size <= _SIZE_LIMIT for size in sizes):
        raise OptionError(f"'{text}' is no network shape; join sizes of 1 to {_SIZE_LIMIT} by '-', such as 784-128-10.")
    weights = sum(inputs * outputs for inputs, outputs in itertools.pairwise(sizes))
    if weights > _WEIGHTS_LIMIT:
        raise OptionError(
            f"'{text}' has {weights:,} weights; at most {_WEIGHTS_LIMIT:,} are drawn. Use smaller layers."
        )
    return sizes


def random_graph(options: RandomNetwork) -> Graph:
    """A `Level.INTEGER` chain of dense layers whose hidden neurons fire."""
    generator = np.random.default_rng(options.seed)
    bits = 1 if options.encoding is Encoding.EVENTS else options.value_bits
    spikes = _input_run(options, bits, generator)
    size = options.sizes[0]
    source = InputSource(encoding=options.encoding, bits=bits)
    populations = [Population(name="input", shape=(size, 1, 1), neuron=source, bias=frozen(np.zeros(size, np.int64)))]
    projections = []
    for position, outputs in enumerate(options.sizes[1:], start=1):
        last = position == len(options.sizes) - 1
        inputs, largest = options.sizes[position - 1], 2 ** (options.weight_bits - 1) - 1
        if options.weight_bits == 1:
            weight = 2 * generator.integers(0, 2, size=(outputs, inputs)) - 1
        else:
            weight = generator.integers(-largest, largest, size=(outputs, inputs), endpoint=True)
        # In floating point, where matrix products are fast; sums of such sizes are exact.
        current = (spikes.astype(np.float64) @ weight.T.astype(np.float64)).astype(np.int64)
        bias = np.zeros(outputs, np.int64)
        neuron: Neuron = Readout()
        name = "readout" if last else f"hidden{position - 1}"
        if not last:
            bias, threshold = _calibrate(current)
            spikes = _fire(current + bias, threshold)
            neuron = IntegrateAndFire(threshold=frozen(threshold))
        populations.append(Population(name=name, shape=(outputs, 1, 1), neuron=neuron, bias=frozen(bias)))
        projections.append(
            Dense(source=populations[-2].name, target=name, weight=frozen(weight), bits=options.weight_bits)
        )
    return Graph(
        name=f"random-{'-'.join(map(str, options.sizes))}-seed{options.seed}",
        level=Level.INTEGER,
        populations=tuple(populations),
        projections=tuple(projections),
        time_steps=options.time_steps,
    )


def _input_run(options: RandomNetwork, bits: int, generator: np.random.Generator) -> _Spikes:
    shape = (min(options.time_steps, _STEPS_LIMIT), _SAMPLES, options.sizes[0])
    match options.encoding:
        case Encoding.DIRECT:
            image = generator.integers(1, 2**bits, size=shape[1:]) * (generator.random(shape[1:]) < options.density)
            return np.broadcast_to(image, shape)
        case Encoding.RATE | Encoding.EVENTS:
            return (generator.random(shape) < options.density).astype(np.int64)


def _calibrate(current: _Spikes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Bias and threshold per neuron, both ``(neuron,)``, for the weighted sums `current`."""
    deviation = np.maximum(current.std(axis=(0, 1)), 1.0)
    bias = np.rint(deviation / 2 - current.mean(axis=(0, 1))).astype(np.int64)
    low, high = 0.0, 64.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if _fire(current + bias, _threshold(middle, deviation)).mean() > FIRING_TARGET:
            low = middle
        else:
            high = middle
    return bias, _threshold(high, deviation)


def _threshold(multiple: float, deviation: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    return np.maximum(1, np.rint(multiple * deviation)).astype(np.int64)


def _fire(current: _Spikes, threshold: npt.NDArray[np.int64]) -> _Spikes:
    membrane, spikes = np.zeros(current.shape[1:], np.int64), np.empty_like(current)
    for step, drive in enumerate(current):
        membrane = membrane + drive
        spikes[step] = membrane >= threshold
        membrane -= threshold * spikes[step]
    return spikes
