"""Random integer networks for the tests of the hardware, and builds of them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from snnc.compiler.artefacts import Build, open_build, write_build
from snnc.compiler.design import Design, Options
from snnc.compiler.ir import (
    Dense,
    Encoding,
    Graph,
    Initial,
    InputSource,
    IntegrateAndFire,
    Level,
    Population,
    Readout,
    Reset,
    frozen,
    verify,
)
from snnc.compiler.pipeline import PASSES, run_passes
from snnc.compiler.targets import find_device


def random_graph(
    sizes: Sequence[int],
    *,
    encoding: Encoding = Encoding.EVENTS,
    bits: int = 4,
    value_bits: int = 4,
    shift: int = 0,
    reset: Reset = Reset.SOFT,
    initial: Initial = Initial.ZERO,
    time_steps: int = 6,
    seed: int = 0,
) -> Graph:
    """A chain whose thresholds lie near the spread of its input currents, so that its neurons fire, but not always."""
    generator = np.random.default_rng(seed)
    direct = encoding is Encoding.DIRECT
    largest = 2 ** (bits - 1) - 1
    populations = [
        Population(
            name="input",
            shape=(sizes[0], 1, 1),
            neuron=InputSource(encoding=encoding, bits=value_bits if direct else 1),
            bias=frozen(np.zeros(sizes[0], dtype=np.int64)),
        )
    ]
    projections = []
    for k, (sources, targets) in enumerate(itertools.pairwise(sizes)):
        last = k == len(sizes) - 2
        name = "readout" if last else f"hidden{k}"
        weight = generator.integers(-largest, largest + 1, (targets, sources))
        # Mean square of a source's value: a few steps' current then reaches the threshold.
        power = (2**value_bits) ** 2 / 8 if direct and k == 0 else 0.2
        spread = np.sqrt((weight.astype(float) ** 2).sum(axis=1) * power) * 2**shift
        threshold = np.maximum(1, np.rint(spread * generator.uniform(0.7, 1.5, targets))).astype(np.int64)
        bias = np.rint(spread * generator.uniform(-0.2, 0.3, targets)).astype(np.int64)
        neuron = Readout() if last else IntegrateAndFire(threshold=frozen(threshold), reset=reset, initial=initial)
        populations.append(Population(name=name, shape=(targets, 1, 1), neuron=neuron, bias=frozen(bias)))
        projections.append(
            Dense(source=populations[-2].name, target=name, weight=frozen(weight), bits=bits, shift=shift)
        )
    graph = Graph(
        name=f"random{seed}",
        level=Level.INTEGER,
        populations=tuple(populations),
        projections=tuple(projections),
        time_steps=time_steps,
    )
    verify(graph)
    return graph


def build_graph(graph: Graph, folder: Path, *, lanes: Sequence[int] | None = None, device: str = "hx8k") -> Build:
    """Compile an integer network into `folder`."""
    options = Options(lanes=None if lanes is None else tuple(lanes))
    passes = [step for step in PASSES if step.name not in ("normalise", "quantise")]
    design = run_passes(Design(graph=graph, options=options, device=find_device("ice40", device)), passes)
    write_build(folder, design.files, source="a test")
    return open_build(folder)
