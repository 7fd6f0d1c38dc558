"""Integer networks for streams without an end, for tests."""

from __future__ import annotations

import dataclasses

import numpy as np

from snnc.compiler.ir import Graph, IntegrateAndFire, Pooling, Reset, frozen


def streaming(graph: Graph, *, leak: int = 3, hard: bool = False) -> Graph:
    """`graph` for streams: with a leak, or with hard resets and a floor."""
    populations = []
    pooled = {projection.target for projection in graph.projections if isinstance(projection, Pooling)}
    for population in graph.populations:
        neuron = population.neuron
        if isinstance(neuron, IntegrateAndFire) and population.name not in pooled:
            floor = frozen(-neuron.threshold.astype(np.int64))
            neuron = (
                dataclasses.replace(neuron, reset=Reset.HARD, floor=floor)
                if hard
                else dataclasses.replace(neuron, leak_shift=leak)
            )
        populations.append(dataclasses.replace(population, neuron=neuron))
    return dataclasses.replace(graph, populations=tuple(populations), stream=True, activity=None)
