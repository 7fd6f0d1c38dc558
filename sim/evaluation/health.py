"""How each layer of an integer network is: silent channels, weights at their limit, spikes that rounding changed.

Measurements alone; `snnc.sim.evaluation.doctor` judges them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from snnc.compiler.ir import Graph, Population
from snnc.compiler.passes.bound import layer_bounds
from snnc.sim.evaluation.activity import Activity

__all__ = ["SATURATED_RATE", "LayerHealth", "layer_health"]

_Bools: TypeAlias = npt.NDArray[np.bool_]

SATURATED_RATE: Final = 0.99
"""Spikes per neuron and step from which a channel is called saturated: one silence in a hundred steps tells little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerHealth:
    """What was measured of one layer; None where it does not apply.

    Attributes
    ----------
    channels, weights
        Counts; the weights of dense projections and convolutions.
    dead, saturated
        Channels that never fired; that fired in `SATURATED_RATE` of the steps.
    constant
        Channels that no input reaches: all their weights are 0.
    clipped
        Share of weights at ``+-Q``.
    levels
        Largest magnitude of a weight, and ``Q``.
    rate, float_rate
        Firing rates of the integer and of the float network.
    disagreement, own_disagreement
        Share of spikes that differ between the two, in all and by this layer's rounding alone.
    bits_used, bits_proven
        Of what a membrane memory holds: in this run, and for any input.
    """

    name: str
    channels: int
    weights: int
    dead: tuple[int, ...]
    saturated: tuple[int, ...]
    constant: tuple[int, ...]
    clipped: float | None
    levels: tuple[int, int] | None
    rate: float | None
    float_rate: float | None
    disagreement: float | None
    own_disagreement: float | None
    bits_used: int
    bits_proven: int


def layer_health(graph: Graph, activity: Activity) -> tuple[LayerHealth, ...]:
    """Measure every layer, in the graph's order."""
    return tuple(_measured(graph, activity, index) for index in range(len(graph.layers)))


def _measured(graph: Graph, activity: Activity, index: int) -> LayerHealth:
    population, seen = graph.layers[index], activity.layers[index]
    firing = population is not graph.readout
    floating = activity.floating if firing else None
    fired = seen.fired.reshape(population.channels, -1).sum(axis=1)
    most = activity.samples * activity.time_steps * (population.size // population.channels)
    weighted = graph.weighted(population.name)
    weights = sum(p.weight.size for p in weighted)
    limits = [2 ** (p.bits - 1) - 1 for p in weighted if p.bits is not None and p.bits > 2]
    clipped, levels = None, None
    # One and two bits have no weights but the limits and 0.
    if weighted and len(limits) == len(weighted):
        at_limit = sum(int(np.count_nonzero(np.abs(p.weight) == q)) for p, q in zip(weighted, limits, strict=True))
        clipped = at_limit / weights
        levels = max(int(np.abs(p.weight).max()) for p in weighted), max(limits)
    return LayerHealth(
        name=population.name,
        channels=population.channels,
        weights=weights,
        dead=_which(fired == 0) if firing else (),
        saturated=_which(fired >= SATURATED_RATE * most) if firing else (),
        constant=_which(_unreached(graph, population)),
        clipped=clipped,
        levels=levels,
        rate=seen.rate if firing else None,
        float_rate=None if floating is None else floating.rates[index],
        disagreement=None if floating is None else floating.disagreements[index],
        own_disagreement=None if floating is None else floating.own_disagreements[index],
        bits_used=seen.residual.bits,
        bits_proven=layer_bounds(graph, population).residual.bits,
    )


def _unreached(graph: Graph, population: Population) -> _Bools:
    """Channels whose weights are all 0, ``(channel,)``."""
    silent = np.ones(population.channels, np.bool_)
    for projection in graph.into(population.name):
        silent &= ~projection.weight.reshape(population.channels, -1).any(axis=1)
    return silent


def _which(channels: _Bools) -> tuple[int, ...]:
    return tuple(int(channel) for channel in np.flatnonzero(channels))
