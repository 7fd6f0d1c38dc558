"""Random networks against the models, in Verilator: beyond the corners that somebody thought of. `make nightly`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from snnc.compiler.ir import Encoding, Initial, Reset
from snnc.sim.commands import random_inputs
from snnc.sim.verify import verify_build
from tests.networks import Conv, Full, build_graph, random_chain, spatial_chain

NETWORKS = 40


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(NETWORKS))
def test_random_network(tmp_path: Path, seed: int) -> None:
    generator = np.random.default_rng(1000 + seed)
    depth = int(generator.integers(1, 5))
    sizes = [int(size) for size in generator.integers(2, 70, depth + 1)]
    lanes = [int(generator.integers(1, min(16, size) + 1)) for size in sizes[1:]]
    encoding = Encoding.DIRECT if generator.random() < 0.5 else Encoding.EVENTS
    graph = random_chain(
        sizes,
        encoding=encoding,
        bits=int(generator.integers(2, 9)),
        value_bits=int(generator.integers(1, 9)),
        shift=int(generator.integers(0, 3)),
        reset=Reset.HARD if generator.random() < 0.5 else Reset.SOFT,
        initial=Initial.HALF if generator.random() < 0.5 else Initial.ZERO,
        time_steps=int(generator.integers(1, 9)),
        seed=seed,
    )
    build = build_graph(graph, tmp_path / "build", lanes=lanes)
    density = float(generator.choice([0.05, 0.2, 0.5, 1.0]))
    inputs = random_inputs(build.plan, 30, time_steps=graph.time_steps, density=density, seed=seed)
    verdict = verify_build(build, inputs, seed=seed)
    assert verdict.samples == 30


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(NETWORKS))
def test_random_convolutions(tmp_path: Path, seed: int) -> None:
    generator = np.random.default_rng(2000 + seed)
    shape = tuple(int(size) for size in generator.integers(1, (4, 9, 9)))
    layers: list[Conv | Full] = []
    channels, height, width = shape
    for _ in range(int(generator.integers(1, 4))):
        pool = int(generator.choice([q for q in (1, 1, 2, 3) if height % q == 0 and width % q == 0]))
        height, width = height // pool, width // pool
        kernel, dilation = _pair(generator, 1, 3), _pair(generator, 1, 2)
        extent = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
        padding = [
            int(generator.integers(max(0, -(-(e - size) // 2)), e))
            for e, size in zip(extent, (height, width), strict=True)
        ]
        stride = _pair(generator, 1, 3)
        groups = int(generator.choice([g for g in (1, 1, 1, 2, 3, channels) if channels % g == 0]))
        channels = groups * int(generator.integers(1, 1 + max(1, 8 // groups)))
        layers.append(
            Conv(
                channels=channels,
                kernel=kernel,
                stride=stride,
                padding=(padding[0], padding[1]),
                dilation=dilation,
                groups=groups,
                pool=pool,
            )
        )
        sizes = zip((height, width), extent, padding, stride, strict=True)
        height, width = ((size + 2 * p - e) // s + 1 for size, e, p, s in sizes)
    layers.append(Full(shape=(int(generator.integers(2, 9)), 1, 1)))
    graph = spatial_chain(
        (shape[0], shape[1], shape[2]),
        layers,
        encoding=Encoding.RATE if generator.random() < 0.3 else Encoding.EVENTS,
        bits=int(generator.integers(2, 6)),
        shift=int(generator.integers(0, 3)),
        reset=Reset.HARD if generator.random() < 0.5 else Reset.SOFT,
        initial=Initial.HALF if generator.random() < 0.5 else Initial.ZERO,
        time_steps=int(generator.integers(1, 6)),
        seed=seed,
    )
    lanes = [int(generator.integers(1, layer.channels + 1)) for layer in graph.layers]
    build = build_graph(graph, tmp_path / "build", lanes=lanes)
    density = float(generator.choice([0.05, 0.2, 0.5, 1.0]))
    inputs = random_inputs(build.plan, 30, time_steps=graph.time_steps, density=density, seed=seed)
    verdict = verify_build(build, inputs, seed=seed)
    assert verdict.samples == 30


def _pair(generator: np.random.Generator, low: int, high: int) -> tuple[int, int]:
    first, second = generator.integers(low, high + 1, 2)
    return int(first), int(second)
