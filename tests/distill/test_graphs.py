"""Networks of any graph in torch: equal to the float model in real numbers, and to the golden model in integers."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch
from hypothesis import assume, given, reject, settings

from snnc.compiler.calibration import CalibrationSettings, calibrate
from snnc.compiler.errors import FitError, UnsupportedError
from snnc.compiler.ir import (
    Comparison,
    Dense,
    Encoding,
    Graph,
    InputSource,
    IntegrateAndFire,
    Level,
    Pooling,
    Population,
    Readout,
    Reset,
    frozen,
)
from snnc.compiler.passes.quantise import quantised
from snnc.distill.graphs import GraphLayer, GraphNetwork
from snnc.sim.models import golden
from snnc.sim.models.floating import FloatNetwork
from snnc.sim.models.inputs import encoded_batches
from tests.sim.evaluation.subjects import random_samples
from tests.sim.models.test_floating import as_float, without_rounding
from tests.strategies import STEPS, integer_networks


def calibrated(graph: Graph, *, bits: int = 5, above: bool = False) -> tuple[Graph, np.ndarray]:
    """A random network, quantised after training, and inputs for it."""
    floats = as_float(without_rounding(dataclasses.replace(graph, exit=None)))
    populations = []
    for item in floats.populations:
        neuron = item.neuron
        if isinstance(neuron, IntegrateAndFire) and any(not isinstance(p, Pooling) for p in floats.into(item.name)):
            late = (
                frozen(np.asarray(neuron.threshold * 1.25, np.float64))
                if above and neuron.reset is Reset.SOFT
                else None
            )
            neuron = dataclasses.replace(
                neuron, comparison=Comparison.ABOVE if above else neuron.comparison, leak_shift=2, subtracted=late
            )
        if isinstance(neuron, Readout) and above and floats.weighted(item.name):
            neuron = Readout(leak_shift=1)
        populations.append(dataclasses.replace(item, neuron=neuron))
    floats = dataclasses.replace(floats, populations=tuple(populations))
    ((_, inputs),) = encoded_batches(floats, random_samples(floats, 24), time_steps=STEPS, batch=24)
    plain = CalibrationSettings(weight_bits=bits, fraction_bits=0, thresholds=False)
    try:
        found = calibrate(floats, inputs, plain).graph
        quantised(found)
    except (FitError, UnsupportedError):
        reject()
    return found, inputs


@settings(max_examples=25, deadline=None)
@given(integer_networks())
def test_in_real_numbers_it_is_the_float_model(graph: Graph) -> None:
    assume(all(isinstance(p, Pooling) or p.pool in (1, 2, 4) for p in graph.projections))
    found, inputs = calibrated(graph, above=True)
    logits = GraphNetwork(found, rounded=False)(torch.from_numpy(inputs.astype(np.float64)))
    expected = FloatNetwork(found).run(inputs, time_steps=found.time_steps).logits[-1]
    assert np.allclose(logits.detach().numpy(), expected)


@settings(max_examples=25, deadline=None)
@given(integer_networks())
def test_in_integers_it_is_the_golden_model(graph: Graph) -> None:
    assume(all(isinstance(p, Pooling) or p.pool in (1, 2, 4) for p in graph.projections))
    for above in (False, True):
        found, inputs = calibrated(graph, above=above)
        network = GraphNetwork(found, rounded=True)
        assume(not has_a_tie(found, network))
        logits = network(torch.from_numpy(inputs.astype(np.float64)))
        integers = quantised(found)
        assume(all(p.weight.reshape(len(p.weight), -1).any(axis=1).all() for p in integers.projections))
        expected = golden.run(integers, inputs, time_steps=found.time_steps).logits
        readout = network.layers[found.readout.name]
        assert isinstance(readout, GraphLayer)
        unit = readout.constants(torch.float64).scale.flatten()[0]
        assert np.array_equal(np.rint((logits / unit).detach().numpy()), expected)


def has_a_tie(graph: Graph, network: GraphNetwork) -> bool:
    """Whether something lies half way between two integers: the last bit of a step, a logarithm here, would decide."""
    for population in graph.layers:
        layer = network.layers[population.name]
        assert isinstance(layer, GraphLayer)
        if not graph.weighted(population.name):
            continue
        scale = layer.constants(torch.float64).scale.detach().numpy().reshape(-1)
        values = [item.weight for item in graph.into(population.name) if isinstance(item, Pooling)]
        values.append(population.bias)
        if isinstance(population.neuron, IntegrateAndFire):
            neuron = population.neuron
            values += [array for array in (neuron.threshold, neuron.subtracted, neuron.floor) if array is not None]
        for value in values:
            scaled = np.abs(value / scale)
            if (np.abs(scaled % 1 - 0.5) < 1e-9 * np.maximum(1, scaled)).any():
                return True
    return False


def test_a_leak_of_integers_rounds_down_what_it_takes() -> None:
    """7, 4 + 7, 6 + 7, 7 + 7: the membrane reaches 14, which 7, 10.5, 12.25, 13.125, .. in real numbers never does."""
    zero = frozen(np.zeros(1))
    neuron = IntegrateAndFire(threshold=frozen(np.full(1, 14.0)), leak_shift=1)
    step: dict[str, Any] = {"step": frozen(np.ones(1)), "bits": 4}
    graph = Graph(
        name="leak",
        level=Level.NORMALISED,
        populations=(
            Population(name="input", shape=(1, 1, 1), neuron=InputSource(encoding=Encoding.EVENTS, bits=1), bias=zero),
            Population(name="hidden", shape=(1, 1, 1), neuron=neuron, bias=zero),
            Population(name="readout", shape=(2, 1, 1), neuron=Readout(), bias=frozen(np.zeros(2))),
        ),
        projections=(
            Dense(source="input", target="hidden", weight=frozen(np.full((1, 1), 7.0)), **step),
            Dense(source="hidden", target="readout", weight=frozen(np.array([[7.0], [-7.0]])), **step),
        ),
        time_steps=6,
    )
    spikes = np.ones((6, 1, 1), np.float64)
    whole, real = (GraphNetwork(graph, rounded=rounded)(torch.from_numpy(spikes)) for rounded in (True, False))
    assert whole.tolist() == [[7.0, -7.0]]
    assert real.tolist() == [[0.0, 0.0]]
    assert golden.run(quantised(graph), spikes.astype(int), time_steps=6).logits.tolist() == [[7, -7]]
