"""Thresholds are off by some of their least significant bits."""

from __future__ import annotations

import dataclasses

import numpy as np

from snnc.compiler.ir import Graph, IntegrateAndFire, Pooling, Population, frozen
from snnc.sim.evaluation.noise.interface import Faulty, HardwareNoise

__all__ = ["THRESHOLDS"]


def _apply(graph: Graph, level: float, generator: np.random.Generator) -> Faulty:
    """Move every threshold up or down by `level`, at random and not below 1.

    Populations of pooling alone are left: a maximum is an OR and has no threshold.
    """
    populations = []
    for population in graph.populations:
        neuron = population.neuron
        if isinstance(neuron, IntegrateAndFire) and not _pools(graph, population):
            sign = generator.choice((-1, 1), size=population.channels)
            moved = np.maximum(1, neuron.threshold.astype(np.int64) + round(level) * sign)
            population = dataclasses.replace(
                population, neuron=dataclasses.replace(neuron, threshold=frozen(moved.astype(np.int64)))
            )
        populations.append(population)
    return Faulty(graph=dataclasses.replace(graph, populations=tuple(populations)))


def _pools(graph: Graph, population: Population) -> bool:
    return all(isinstance(projection, Pooling) for projection in graph.into(population.name))


THRESHOLDS = HardwareNoise(
    title="Thresholds off",
    axis="least significant bits, up or down",
    levels=(1.0, 2.0, 4.0, 8.0),
    apply=_apply,
)
