"""The float network against the integer one: equal where nothing is rounded, close where something is."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import assume, given, settings

from snnc.compiler.ir import Encoding, Graph, InputSource, IntegrateAndFire, Level, Pooling, Projection, Readout, frozen
from snnc.sim.evaluation.activity import measure
from snnc.sim.evaluation.subject import open_subject
from snnc.sim.models import golden
from snnc.sim.models.floating import FloatNetwork
from snnc.sim.models.inputs import encoded_batches, load_samples
from tests.networks import integer_chain
from tests.sim.evaluation.subjects import convolutional, random_samples, with_layer
from tests.strategies import STEPS, integer_networks


def without_rounding(graph: Graph) -> Graph:
    """A network whose float meaning is exactly its integers: units of 1, whole half thresholds, no leak."""
    populations = []
    for population in graph.populations:
        neuron = population.neuron
        match neuron:
            case InputSource():
                neuron = dataclasses.replace(neuron, bits=1)
            case IntegrateAndFire():
                neuron = dataclasses.replace(neuron, threshold=frozen(2 * neuron.threshold), leak_shift=None)
            case Readout():
                neuron = Readout()
        populations.append(dataclasses.replace(population, neuron=neuron))
    return dataclasses.replace(graph, populations=tuple(populations))


def as_float(graph: Graph) -> Graph:
    """The same at `Level.NORMALISED`: a gain of ``2**shift * pool**2`` takes the place of the integer scale."""
    populations, projections = [], list[Projection]()
    for population in graph.populations:
        neuron = population.neuron
        if isinstance(neuron, IntegrateAndFire):
            floor = None if neuron.floor is None else frozen(neuron.floor.astype(np.float64))
            neuron = dataclasses.replace(neuron, threshold=frozen(neuron.threshold.astype(np.float64)), floor=floor)
        populations.append(
            dataclasses.replace(population, neuron=neuron, bias=frozen(population.bias.astype(np.float64)))
        )
    for projection in graph.projections:
        scale = 2.0**projection.shift
        weight = frozen(projection.weight.astype(np.float64))
        if isinstance(projection, Pooling):
            projections.append(dataclasses.replace(projection, weight=frozen(scale * weight), shift=0))
        else:
            gain = np.full(graph.population(projection.target).channels, scale * projection.pool**2)
            projections.append(dataclasses.replace(projection, weight=weight, gain=frozen(gain), shift=0))
    return dataclasses.replace(
        graph, level=Level.NORMALISED, populations=tuple(populations), projections=tuple(projections)
    )


@settings(max_examples=60)
@given(integer_networks())
def test_it_equals_the_golden_model_where_nothing_is_rounded(graph):
    assume(all(isinstance(p, Pooling) or p.pool in (1, 2, 4) for p in graph.projections))
    graph = without_rounding(graph)
    samples = random_samples(graph, 4)
    ((_, inputs),) = encoded_batches(graph, samples, time_steps=STEPS, batch=4)
    integer = golden.run(graph, inputs, time_steps=STEPS)
    floating = FloatNetwork(as_float(graph)).run(inputs, time_steps=STEPS)
    for name, spikes in floating.spikes.items():
        assert np.array_equal(spikes, integer.populations[name].spikes), name
    assert np.array_equal(floating.logits, integer.populations[graph.readout.name].membranes)


def test_a_leaky_readout_keeps_its_share_of_every_step():
    graph = integer_chain([[[3]]], [], [[0]], time_steps=4)
    leaky = dataclasses.replace(graph.readout, neuron=Readout(leak_shift=1))
    graph = as_float(dataclasses.replace(graph, populations=(graph.input, leaky)))
    logits = FloatNetwork(graph).run(np.ones((4, 1, 1), np.bool_), time_steps=4).logits
    assert logits.reshape(-1).tolist() == [3, 4.5, 5.25, 5.625]


def test_the_float_leak_has_no_rounding():
    graph = as_float(convolutional())
    # A threshold that only V = 7 * (1 + 1/2 + 1/4) reaches.
    graph = with_layer(graph, "conv1", threshold=np.full(3, 12.25), leak_shift=1, bias=np.full(3, 7.0))
    spikes = FloatNetwork(graph).run(np.zeros((1, 16), np.int64), time_steps=3).spikes["conv1"]
    assert spikes.all(axis=(1, 2)).tolist() == [False, False, True]
    assert spikes.any(axis=(1, 2)).tolist() == [False, False, True]


def test_integer_networks_are_refused():
    with pytest.raises(ValueError, match="INTEGER"):
        FloatNetwork(convolutional())


@pytest.fixture(scope="module")
def digits(repository):
    return open_subject(repository / "examples" / "students" / "digits-64-32-10-int4.pt")


def test_the_bundled_student_before_rounding_is_nearly_the_student_after_it(digits):
    samples = load_samples(digits.integer, "digits", data=None)
    found = measure(digits.integer, samples, time_steps=digits.integer.time_steps, floating=digits.floating)
    floating = found.floating
    assert floating is not None
    assert found.accuracy[-1] == pytest.approx(digits.recorded["integer_test"], abs=1e-12)
    assert abs(floating.accuracy[-1] - found.accuracy[-1]) < 0.02
    assert 0 < floating.disagreements[0] < 0.03  # an input unit or a gain that is forgotten changes most spikes
    assert floating.rates[0] == pytest.approx(found.layers[0].rate, abs=0.01)


def test_a_layer_that_is_fed_the_integer_spikes_shows_its_own_difference_only():
    graph = without_rounding(convolutional())
    # The first layer of the float network alone is silent.
    floats = with_layer(as_float(graph), "conv1", threshold=np.full(3, 1e9))
    found = measure(graph, random_samples(graph, 20), time_steps=3, floating=floats).floating
    assert found is not None
    assert found.disagreements[0] > 0
    assert found.disagreements[1] > 0
    assert found.own_disagreements[0] == found.disagreements[0]
    assert found.own_disagreements[1] == 0


def test_events_of_images_do_not_depend_on_the_number_of_steps():
    graph = convolutional()
    source = dataclasses.replace(graph.input, neuron=dataclasses.replace(graph.source, encoding=Encoding.EVENTS))
    graph = dataclasses.replace(graph, populations=(source, *graph.populations[1:]))
    samples = random_samples(graph, 4)
    ((_, longest),) = encoded_batches(graph, samples, time_steps=3, batch=4)
    ((_, shorter),) = encoded_batches(graph, samples, time_steps=2, batch=4)
    assert np.array_equal(longest[:2], shorter)
    assert longest.any()
