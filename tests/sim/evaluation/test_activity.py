"""One run serves every number of time steps, in batches of any size."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnc.compiler.ir import Encoding, Graph
from snnc.compiler.passes.bound import layer_bounds
from snnc.sim.evaluation.activity import Activity, measure
from snnc.sim.models import golden
from snnc.sim.models.inputs import Samples, encoded_batches
from tests.sim.evaluation.subjects import convolutional, random_samples
from tests.strategies import STEPS, integer_networks


def whole(graph: Graph, samples: Samples, time_steps: int) -> golden.Trace:
    """All samples in one run of their own."""
    ((_, inputs),) = encoded_batches(graph, samples, time_steps=time_steps, batch=len(samples))
    return golden.run(graph, inputs, time_steps=time_steps)


@settings(max_examples=25)
@given(integer_networks(), st.integers(0, 99))
def test_accuracy_at_every_step_is_that_of_runs_of_so_many_steps(graph, seed):
    samples = random_samples(graph, 9, seed=seed)
    found = measure(graph, samples, time_steps=STEPS)
    asked_never = dataclasses.replace(graph, exit=None)
    apart = [golden.accuracy(whole(asked_never, samples, t).classes, samples.labels) for t in range(1, STEPS + 1)]
    assert found.accuracy.tolist() == apart


@settings(max_examples=25)
@given(integer_networks())
def test_membranes_stay_in_the_proven_ranges(graph):
    found = measure(graph, random_samples(graph, 9), time_steps=STEPS)
    for population, layer in zip(graph.layers, found.layers, strict=True):
        proven = layer_bounds(graph, population).residual
        assert proven.low <= layer.residual.low <= layer.residual.high <= proven.high


@pytest.fixture
def graph() -> Graph:
    return convolutional()


@pytest.mark.parametrize("encoding", Encoding)
def test_the_size_of_a_batch_changes_nothing(graph, encoding, monkeypatch):
    source = dataclasses.replace(graph.input, neuron=dataclasses.replace(graph.source, encoding=encoding))
    graph = dataclasses.replace(graph, populations=(source, *graph.populations[1:]))
    samples = random_samples(graph, 10)
    once = measure(graph, samples, time_steps=3)
    monkeypatch.setattr(golden, "batch_size", lambda *_, **__: 3)
    pieces = measure(graph, samples, time_steps=3)
    for field in dataclasses.fields(Activity):
        one, other = getattr(once, field.name), getattr(pieces, field.name)
        if field.name == "layers":
            assert [layer.residual for layer in one] == [layer.residual for layer in other]
            assert all(np.array_equal(a.fired, b.fired) for a, b in zip(one, other, strict=True))
        else:
            assert np.array_equal(one, other) if one is not None else other is None


def test_counts_are_those_of_the_trace(graph):
    samples = random_samples(graph, 10)
    found, trace = measure(graph, samples, time_steps=3), whole(graph, samples, 3)
    conv = trace.populations["conv1"]
    assert 0 < found.layers[0].rate < 1
    assert found.layers[0].fired.tolist() == conv.spikes.sum(axis=(0, 1)).tolist()
    assert found.layers[0].rate == conv.firing_rate
    assert found.operations == tuple(operations.mean() for operations in trace.synaptic_operations)
    assert found.confusion.sum() == 10
    assert np.trace(found.confusion) == round(10 * found.accuracy[-1])
    for label, answer in zip(samples.labels, trace.classes, strict=True):
        assert found.confusion[label, answer]


def test_the_residual_range_by_hand(graph):
    # One pixel of 3, whose channel 0 sees it with a weight of 5 in the middle: U = 15, 30 -> spike, 25 -> spike.
    weight = np.zeros((3, 1, 3, 3), np.int64)
    weight[0, 0, 1, 1], weight[1, 0, 1, 1] = 5, -2
    graph = dataclasses.replace(
        graph, projections=(dataclasses.replace(graph.projections[0], weight=weight), *graph.projections[1:])
    )
    images = np.zeros((1, 1, 4, 4), np.uint8)
    images[0, 0, 1, 1] = 255
    samples = Samples(name="one", images=images, labels=np.zeros(1, np.int64), classes=("a", "b"))
    found = measure(graph, samples, time_steps=3).layers[0]
    assert found.fired.sum() == 2
    # U - threshold: 15 - 20, 30 - 20, 10 + 15 - 20; of the negative weight -18 - 20.
    assert (found.residual.low, found.residual.high) == (-38, 10)
