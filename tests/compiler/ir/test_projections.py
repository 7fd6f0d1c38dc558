"""A pooling, and the convolution that stands for it in hardware."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from snnc.compiler.ir import Pooling, as_convolution
from snnc.sim.models import golden
from tests.networks import Conv, Full, Pool, spatial_chain


@pytest.mark.parametrize(
    "pool", [Pool(), Pool(kernel=(3, 2), stride=(1, 2), largest=9), Pool(kernel=(1, 1), stride=(1, 1), largest=5)]
)
def test_a_pooling_is_a_convolution_of_a_group_per_channel(pool: Pool) -> None:
    graph = spatial_chain((2, 6, 8), [Conv(channels=4), pool, Full(shape=(3, 1, 1))], seed=2)
    replaced = dataclasses.replace(
        graph,
        projections=tuple(as_convolution(item) if isinstance(item, Pooling) else item for item in graph.projections),
    )
    assert not any(isinstance(item, Pooling) for item in replaced.projections)
    spikes = np.random.default_rng(0).random((4, 20, 96)) < 0.4
    trace, other = (golden.run(network, spikes, time_steps=4) for network in (graph, replaced))
    assert 0.05 < trace.populations["hidden1"].firing_rate < 0.95
    for name, population in trace.populations.items():
        assert np.array_equal(population.spikes, other.populations[name].spikes)
        assert np.array_equal(population.membranes, other.populations[name].membranes)
    assert np.array_equal(trace.logits, other.logits)
