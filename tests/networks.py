"""Integer networks for tests of the compiler and of the hardware, and builds of them."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from snnc.compiler.build.folder import Build, open_build, write_build
from snnc.compiler.design import Design, Engines, Options
from snnc.compiler.ir import (
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
    Shape,
    frozen,
    target_shape,
)
from snnc.compiler.lanes.fit import place_anyway
from snnc.compiler.pipeline import PASSES, run_passes
from snnc.compiler.targets import find_device


def integer_chain(
    weights: list[Any],
    thresholds: list[Any],
    biases: list[Any] | None = None,
    *,
    encoding: Encoding = Encoding.EVENTS,
    value_bits: int = 2,
    bits: int = 4,
    shift: int = 0,
    reset: Reset = Reset.SOFT,
    initial: Initial = Initial.ZERO,
    time_steps: int = 3,
) -> Graph:
    """A dense chain of given integers; one threshold array per hidden layer, one weight matrix per layer."""
    arrays = [np.asarray(weight, np.int64) for weight in weights]
    inputs = arrays[0].shape[1]
    source = InputSource(encoding=encoding, bits=value_bits if encoding is not Encoding.EVENTS else 1)
    populations = [
        Population(name="input", shape=(inputs, 1, 1), neuron=source, bias=frozen(np.zeros(inputs, np.int64)))
    ]
    projections = []
    for index, weight in enumerate(arrays):
        last = index == len(arrays) - 1
        size = len(weight)
        bias = np.zeros(size, np.int64) if biases is None else np.asarray(biases[index], np.int64)
        neuron: Any = Readout()
        if not last:
            threshold = frozen(np.asarray(thresholds[index], np.int64))
            neuron = IntegrateAndFire(threshold=threshold, reset=reset, initial=initial)
        name = "readout" if last else f"hidden{index}"
        populations.append(Population(name=name, shape=(size, 1, 1), neuron=neuron, bias=frozen(bias)))
        projections.append(
            Dense(source=populations[-2].name, target=name, weight=frozen(weight), bits=bits, shift=shift)
        )
    return Graph(
        name="chain",
        level=Level.INTEGER,
        populations=tuple(populations),
        projections=tuple(projections),
        time_steps=time_steps,
    )


def random_chain(
    sizes: Sequence[int],
    *,
    encoding: Encoding = Encoding.EVENTS,
    bits: int = 4,
    value_bits: int = 4,
    shift: int = 0,
    time_steps: int = 6,
    seed: int = 0,
    **settings: Any,
) -> Graph:
    """A chain whose thresholds lie near the spread of its input currents, so that its neurons fire, but not always."""
    generator = np.random.default_rng(seed)
    largest = 2 ** (bits - 1) - 1
    weights, thresholds, biases = [], [], []
    for k, (sources, targets) in enumerate(itertools.pairwise(sizes)):
        weight = generator.integers(-largest, largest + 1, (targets, sources))
        # Mean square of a source's value: a few steps' current then reaches the threshold.
        power = (2**value_bits) ** 2 / 8 if encoding is Encoding.DIRECT and k == 0 else 0.2
        spread = np.sqrt((weight.astype(float) ** 2).sum(axis=1) * power) * 2**shift
        weights.append(weight)
        thresholds.append(np.maximum(1, np.rint(spread * generator.uniform(0.7, 1.5, targets))))
        biases.append(np.rint(spread * generator.uniform(-0.2, 0.3, targets)))
    return integer_chain(
        weights,
        thresholds[:-1],
        biases,
        encoding=encoding,
        bits=bits,
        value_bits=value_bits,
        shift=shift,
        time_steps=time_steps,
        **settings,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Conv:
    """A layer of `spatial_chain`; padding is half the kernel's extent unless given."""

    channels: int
    kernel: tuple[int, int] = (3, 3)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] | None = None
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    pool: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Full:
    """A dense layer of `spatial_chain`."""

    shape: Shape
    pool: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A pooling layer of `spatial_chain`: the maximum, or sums with random weights up to `largest`."""

    kernel: tuple[int, int] = (2, 2)
    stride: tuple[int, int] = (2, 2)
    largest: int | None = None


def spatial_chain(
    shape: Shape,
    layers: Sequence[Conv | Full | Pool],
    *,
    encoding: Encoding = Encoding.EVENTS,
    bits: int = 4,
    value_bits: int = 4,
    shift: int = 0,
    reset: Reset = Reset.SOFT,
    initial: Initial = Initial.ZERO,
    time_steps: int = 4,
    seed: int = 0,
) -> Graph:
    """A chain of convolutions and dense layers over an input of `shape`; the last layer is the readout.

    Thresholds lie near the spread of the input currents, so that neurons fire, but not always.
    """
    generator = np.random.default_rng(seed)
    largest = 2 ** (bits - 1) - 1
    source = InputSource(encoding=encoding, bits=value_bits if encoding is not Encoding.EVENTS else 1)
    populations = [Population(name="input", shape=shape, neuron=source, bias=frozen(np.zeros(shape[0], np.int64)))]
    projections: list[Projection] = []
    for index, layer in enumerate(layers):
        before = populations[-1]
        name = "readout" if index == len(layers) - 1 else f"hidden{index}"
        projection: Projection
        if isinstance(layer, Pool):
            pooling = _pooling(layer, before, name, generator)
            populations.append(pooling[0])
            projections.append(pooling[1])
            continue
        common: dict[str, Any] = {
            "source": before.name,
            "target": name,
            "bits": bits,
            "shift": shift,
            "pool": layer.pool,
        }
        if isinstance(layer, Full):
            sources = before.size // layer.pool**2
            weight = generator.integers(-largest, largest + 1, (math.prod(layer.shape), sources))
            projection, reached = Dense(**common, weight=frozen(weight)), layer.shape
        else:
            sizes = (layer.channels, before.channels // layer.groups, *layer.kernel)
            weight = generator.integers(-largest, largest + 1, sizes)
            extents = (d * (k - 1) + 1 for k, d in zip(layer.kernel, layer.dilation, strict=True))
            down, across = (extent // 2 for extent in extents)
            projection = Convolution(
                **common,
                weight=frozen(weight),
                stride=layer.stride,
                padding=layer.padding or (down, across),
                dilation=layer.dilation,
                groups=layer.groups,
            )
            found = target_shape(projection, before.shape)
            assert found is not None
            reached = found
        power = (2**value_bits) ** 2 / 8 if encoding is Encoding.DIRECT and index == 0 else 0.2
        squares = (weight.astype(float) ** 2).reshape(len(weight), -1).sum(axis=1).reshape(reached[0], -1).mean(axis=1)
        spread = np.sqrt(squares * power * layer.pool**2) * 2**shift
        neuron: Any = Readout()
        if name != "readout":
            threshold = np.maximum(1, np.rint(spread * generator.uniform(0.7, 1.5, reached[0])))
            neuron = IntegrateAndFire(threshold=frozen(threshold.astype(np.int64)), reset=reset, initial=initial)
        bias = np.rint(spread * generator.uniform(-0.2, 0.3, reached[0])).astype(np.int64)
        populations.append(Population(name=name, shape=reached, neuron=neuron, bias=frozen(bias)))
        projections.append(projection)
    return Graph(
        name="spatial",
        level=Level.INTEGER,
        populations=tuple(populations),
        projections=tuple(projections),
        time_steps=time_steps,
    )


def _pooling(layer: Pool, before: Population, name: str, generator: np.random.Generator) -> tuple[Population, Pooling]:
    """``docs/semantics.md`` section 1, "Max pooling"; or sums, of either sign."""
    channels = before.channels
    weight, reset = np.ones(channels, np.int64), Reset.HARD
    if layer.largest is not None:
        weight, reset = generator.integers(-1, layer.largest + 1, channels), Reset.SOFT
    pooling = Pooling(source=before.name, target=name, weight=frozen(weight), kernel=layer.kernel, stride=layer.stride)
    reached = target_shape(pooling, before.shape)
    assert reached is not None
    threshold = np.ones(channels, np.int64) if layer.largest is None else np.full(channels, layer.largest)
    neuron = IntegrateAndFire(threshold=frozen(threshold), reset=reset, initial=Initial.ZERO)
    return Population(name=name, shape=reached, neuron=neuron, bias=frozen(np.zeros(channels, np.int64))), pooling


def in_spram(design: Design) -> Design:
    """The pass `place` for an UP5K without block RAM: weights go to SPRAM, whether or not they would fit as logic."""
    device = dataclasses.replace(find_device("ice40", "up5k"), block_rams=0)
    return dataclasses.replace(design, plan=place_anyway(design.on(device)))


def compile_graph(
    graph: Graph,
    *,
    lanes: Sequence[int] | None = None,
    column_banks: Sequence[int] | None = None,
    target: str = "ice40",
    device: str | None = "hx8k",
    spram: bool = False,
    engines: Engines = Engines.SCATTER,
    wide_port: bool = True,
) -> Design:
    """Compile an integer network; `spram` forces its weights into that of an UP5K."""
    options = Options(
        lanes=None if lanes is None else tuple(lanes),
        column_banks=None if column_banks is None else tuple(column_banks),
        engines=engines,
        wide_port=wide_port,
    )
    passes = [step for step in PASSES if step.name not in ("normalise", "quantise")]
    if spram:
        target, device = "ice40", "up5k"
        passes = [dataclasses.replace(step, apply=in_spram) if step.name == "place" else step for step in passes]
    return run_passes(Design(graph=graph, options=options, device=find_device(target, device)), passes)


def build_graph(graph: Graph, folder: Path, **options: Any) -> Build:
    """`compile_graph` with these options, written into `folder`."""
    write_build(folder, compile_graph(graph, **options).files, source="a test")
    return open_build(folder)
