"""Neurons whose output is stuck."""

from __future__ import annotations

from functools import partial

import numpy as np

from snnc.compiler.ir import Graph
from snnc.sim.evaluation.noise.interface import Faulty, HardwareNoise

__all__ = ["STUCK_AT_0", "STUCK_AT_1"]

_LEVELS = (0.01, 0.02, 0.05, 0.1, 0.2)


def _apply(graph: Graph, level: float, generator: np.random.Generator, *, value: int) -> Faulty:
    """Exactly the share `level` of all firing neurons, drawn without repetition over the whole network."""
    firing = graph.layers[:-1]
    if not firing:
        return Faulty(graph=graph)
    ends = np.cumsum([population.size for population in firing], dtype=np.int64)
    total = int(ends[-1])
    outputs = np.full(total, -1, np.int8)
    outputs[generator.permutation(total)[: round(level * total)]] = value
    parts = np.split(outputs, ends[:-1])
    return Faulty(graph=graph, stuck={population.name: part for population, part in zip(firing, parts, strict=True)})


STUCK_AT_0 = HardwareNoise(
    title="Neurons stuck at 0", axis="share of neurons that never fire", levels=_LEVELS, apply=partial(_apply, value=0)
)

STUCK_AT_1 = HardwareNoise(
    title="Neurons stuck at 1",
    axis="share of neurons that always fire",
    levels=_LEVELS,
    apply=partial(_apply, value=1),
)
