"""Random networks against the models, in Verilator: beyond the corners that somebody thought of. `make nightly`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from snnc.compiler.ir import Encoding, Initial, Reset
from snnc.sim.commands import random_inputs
from snnc.sim.verify import verify_build
from tests.networks import build_graph, random_chain

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
