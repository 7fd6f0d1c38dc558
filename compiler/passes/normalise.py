"""Batch norms become a bias and a gain."""

from __future__ import annotations

import dataclasses

import numpy as np

from snnc.compiler.design import Design
from snnc.compiler.ir import Graph, Level, Pooling, Population, Projection, frozen

__all__ = ["normalise", "normalised"]


def normalise(design: Design) -> Design:
    """Fold every batch norm.

    Invariant: the network computes the same function; no population has a batch norm (`Level.NORMALISED`). The gain
    ``g`` stays a factor beside the weights instead of being multiplied into them, since the quantiser rounds the
    weights as they were trained (``docs/semantics.md``, section 4).
    """
    return dataclasses.replace(design, graph=normalised(design.graph))


def normalised(graph: Graph) -> Graph:
    """`normalise`, of a graph alone."""
    if graph.level >= Level.NORMALISED:
        return graph
    populations = {population.name: population for population in graph.populations}
    return dataclasses.replace(
        graph,
        level=Level.NORMALISED,
        populations=tuple(_without_norm(population) for population in graph.populations),
        projections=tuple(_with_gain(projection, populations[projection.target]) for projection in graph.projections),
    )


def _without_norm(population: Population) -> Population:
    norm = population.norm
    if norm is None:
        return population
    gain = norm.gain / np.sqrt(norm.variance + norm.epsilon)
    return dataclasses.replace(population, norm=None, bias=frozen(norm.offset + gain * (population.bias - norm.mean)))


def _with_gain(projection: Projection, target: Population) -> Projection:
    norm = target.norm
    # A pooling projection adds to what the batch norm gives.
    if norm is None or isinstance(projection, Pooling):
        return projection
    return dataclasses.replace(projection, gain=frozen(norm.gain / np.sqrt(norm.variance + norm.epsilon)))
