"""Several steps in one product: what each arithmetic takes, and that sums come out of it whole."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnc.compiler.formats import RandomNetwork
from snnc.compiler.formats.random_network import random_graph
from snnc.compiler.ir import Convolution, Dense, Graph, Pooling, Projection
from snnc.sim.models import golden
from snnc.sim.models.packing import Packing, packed, packing, unpacked
from snnc.sim.models.synapses import WeightedSum
from tests.networks import random_chain
from tests.sim.models.test_golden import fire


@pytest.mark.parametrize(
    ("reach", "steps", "expected"),
    [
        (1, 1, None),
        (1, 64, (np.float32, 2, 12)),  # six products; 26 steps of float64 would be three at twice the cost
        (127, 4, (np.float32, 8, 3)),  # no worse than all four in float64
        (2047, 4, (np.float32, 12, 2)),
        (2048, 4, (np.float64, 13, 4)),
        (2048, 2, None),  # one product at twice the cost is no gain
        (15, 5, (np.float32, 5, 4)),  # 25 bits would be one too many
        (2**17 - 1, 3, None),  # and 54
        (2**20, 4, None),
        (2**25, 4, None),
    ],
)
def test_the_cheapest_arithmetic_is_taken(reach: int, steps: int, expected: tuple | None) -> None:
    found = packing(reach, steps)
    assert (None if found is None else (found.kind, found.bits, found.steps)) == expected


@settings(max_examples=200)
@given(reach=st.integers(1, 2**12), time_steps=st.integers(2, 9), seed=st.integers(0, 2**32 - 1), data=st.data())
def test_every_step_has_its_own_sum(reach: int, time_steps: int, seed: int, data: st.DataObject) -> None:
    """Of sums at both ends of their range and within it, in every number of steps up to all that fit."""
    way = packing(reach, time_steps)
    if way is None:
        return
    steps = data.draw(st.integers(1, way.steps))
    rng = np.random.default_rng(seed)
    sums = rng.choice([-reach, reach, 0, 1, -1, int(rng.integers(-reach, reach + 1))], (steps, 3, 4))
    whole = sum(way.kind(2.0 ** (way.bits * step)) * sums[step].astype(way.kind) for step in range(steps))
    for kind in (np.int32, np.int64):
        np.testing.assert_array_equal(unpacked(np.asarray(whole), way, steps, kind), sums)


def test_spikes_are_digits_the_first_the_lowest() -> None:
    way = Packing(kind=np.float32, bits=5, steps=3)
    spikes = np.array([[1, 0, 1], [0, 0, 1], [0, 1, 1]], np.bool_)
    assert packed(spikes, way).tolist() == [1, 32 * 32, 1 + 32 + 32 * 32]
    assert packed(spikes, way).dtype == np.float32


@pytest.mark.parametrize("size", [2047, 2048])
@pytest.mark.parametrize("sign", [-1, 1])
def test_the_largest_sums_are_exact(size: int, sign: int) -> None:
    """All spikes in all steps, through weights of one sign: in two steps of float32, and one more in float64."""
    graph = random_chain((size, 1, 2), time_steps=4)
    dense = dataclasses.replace(graph.projections[0], weight=np.full((1, size), sign))
    hidden = dataclasses.replace(graph.layers[0], neuron=fire(2**20), bias=np.zeros(1, np.int64))
    graph = dataclasses.replace(
        graph,
        populations=(graph.input, hidden, graph.readout),
        projections=(dense, graph.projections[1]),
    )
    assert WeightedSum(graph, dense).weight.dtype == (np.float32 if size == 2047 else np.float64)
    trace = golden.run(graph, np.ones((4, 1, size), np.bool_), time_steps=4)
    assert trace.populations[hidden.name].membranes.reshape(-1).tolist() == [
        sign * size * step for step in (1, 2, 3, 4)
    ]


def one_by_one(graph: Graph, projection: Projection, emitted: np.ndarray) -> np.ndarray:
    weighted = WeightedSum(graph, projection)
    return np.stack([weighted(emitted, t) for t in range(len(emitted))])


@pytest.mark.parametrize("kind", [Dense, Convolution, Pooling])
@pytest.mark.parametrize("shift", [0, 3])
def test_steps_together_are_as_steps_alone(kind: type[Projection], shift: int) -> None:
    graph = random_graph(RandomNetwork(architecture="3x6x6-8c3-4c3-m2-7-5", time_steps=7))
    projection = next(one for one in graph.projections if isinstance(one, kind) and one.source != "input")
    if not isinstance(projection, Pooling):
        projection = dataclasses.replace(projection, shift=shift)
    size = graph.population(projection.source).size
    emitted = np.random.default_rng(1).random((7, 5, size)) < 0.5
    together = WeightedSum(graph, projection).several(emitted, range(1, 7), np.int64)
    np.testing.assert_array_equal(together, one_by_one(graph, projection, emitted)[1:])
