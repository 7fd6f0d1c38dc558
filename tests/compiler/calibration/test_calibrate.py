"""Whole networks: closer to the trained one than plain rounding, and on the grid of the pass `quantise`."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from snnc.compiler.calibration import CalibrationSettings, Rounding, Scales, calibrate
from snnc.compiler.calibration.layers import alone, corrected_bias, corrected_thresholds, fewest_fraction_bits, shifted
from snnc.compiler.errors import OptionError
from snnc.compiler.formats.random_network import RandomNetwork, random_graph
from snnc.compiler.formats.student import read_student
from snnc.compiler.ir import Dense, Encoding, Exit, Graph, IntegrateAndFire, Level, Pooling, frozen, verify
from snnc.compiler.passes.normalise import normalised
from snnc.compiler.passes.quantise import quantised
from snnc.sim.models import golden
from snnc.sim.models.floating import FloatNetwork
from snnc.sim.models.inputs import encode, load_samples
from tests.sim.models.test_floating import as_float


@pytest.fixture(scope="module")
def student(repository: Path) -> Graph:
    return normalised(read_student(repository / "examples" / "students" / "digits-64-32-10-int4.pt"))


@pytest.fixture(scope="module")
def samples(student: Graph) -> np.ndarray:
    train = load_samples(student, "digits", data=None, samples=300, part="train")
    return encode(student.source, train.images, time_steps=student.time_steps, events=False)


def correct(graph: Graph) -> float:
    test = load_samples(graph, "digits", data=None)
    inputs = encode(graph.source, test.images, time_steps=graph.time_steps, events=False)
    return golden.accuracy(golden.run(graph, inputs, time_steps=graph.time_steps).classes, test.labels)


def test_three_bits_lose_less_than_by_plain_rounding(student: Graph, samples: np.ndarray) -> None:
    found = calibrate(student, samples, CalibrationSettings(weight_bits=3))
    verify(found.graph)
    assert [layer.name for layer in found.layers] == [population.name for population in student.layers]
    plain = CalibrationSettings(
        weight_bits=3, scales=Scales.WEIGHTS, rounding=Rounding.NEAREST, biases=False, thresholds=False
    )
    rough = calibrate(student, samples, plain)
    assert correct(quantised(found.graph)) > correct(quantised(rough.graph))
    assert found.layers[0].differing < rough.layers[0].differing


@pytest.mark.parametrize("bits", [2, 5, 8])
def test_weights_lie_on_the_grid_that_quantise_rounds_to(student: Graph, samples: np.ndarray, bits: int) -> None:
    found = calibrate(student, samples[:50], CalibrationSettings(weight_bits=bits))
    integers = quantised(found.graph)
    for trained, whole in zip(found.graph.projections, integers.projections, strict=True):
        assert isinstance(trained, Dense)
        assert isinstance(whole, Dense)
        assert trained.step is not None
        assert whole.bits == bits
        assert np.allclose(trained.weight, whole.weight * trained.step[:, None], rtol=1e-12)
        assert np.abs(whole.weight).max() == 2 ** (bits - 1) - 1


def test_what_the_readout_adds_to_all_classes_decides_nothing(student: Graph, samples: np.ndarray) -> None:
    name = student.readout.name
    skewed = dataclasses.replace(
        student,
        projections=tuple(
            dataclasses.replace(
                item, weight=frozen(np.asarray(item.weight + 5 * np.arange(item.weight.shape[1]), np.float64))
            )
            if item.target == name
            else item
            for item in student.projections
        ),
    )
    settings = CalibrationSettings(weight_bits=4)
    one, other = (calibrate(graph, samples[:60], settings) for graph in (student, skewed))
    first, second = (quantised(found.graph).into(name)[0].weight for found in (one, other))
    assert np.array_equal(first, second)
    logits = [FloatNetwork(graph).run(samples, time_steps=4).logits for graph in (skewed, other.trained)]
    assert np.array_equal(logits[0].argmax(axis=2), logits[1].argmax(axis=2))


def test_a_bias_makes_up_for_the_mean_of_a_current(student: Graph, samples: np.ndarray) -> None:
    name = student.layers[0].name
    bent = dataclasses.replace(
        student,
        projections=tuple(
            dataclasses.replace(item, weight=frozen(np.asarray(item.weight * 1.3, np.float64)))
            if item.target == name
            else item
            for item in student.projections
        ),
    )
    emitted = {student.input.name: np.broadcast_to(samples, (4, *samples.shape))}
    graph = corrected_bias(bent, name, trained=student, heard=emitted, reference=emitted)
    (projection,) = student.into(name)
    assert isinstance(projection, Dense)
    assert projection.gain is not None
    mean = (samples @ (projection.weight / 15 * projection.gain[:, None]).T).mean(axis=0)
    assert np.allclose(graph.population(name).bias - student.population(name).bias, -0.3 * mean)


def test_thresholds_follow_currents_that_are_too_large(student: Graph, samples: np.ndarray) -> None:
    """Currents of 1.15 times their size fire as before at 1.15 times the threshold."""
    name = student.layers[0].name
    fine = shifted(student, name, 8)
    larger = dataclasses.replace(
        fine,
        populations=tuple(
            dataclasses.replace(item, bias=frozen(np.asarray(item.bias * 1.15, np.float64)))
            if item.name == name
            else item
            for item in fine.populations
        ),
        projections=tuple(
            dataclasses.replace(item, gain=frozen(np.asarray(item.gain * 1.15, np.float64)))
            if item.target == name and not isinstance(item, Pooling) and item.gain is not None
            else item
            for item in fine.projections
        ),
    )
    reference = FloatNetwork(student).run(samples, time_steps=4).spikes

    def run(graph: Graph) -> dict[str, np.ndarray]:
        trace = golden.run(quantised(graph), samples, time_steps=4)
        return {key: found.spikes for key, found in trace.populations.items()}

    graph, factors = corrected_thresholds(larger, name, run=run, reference=reference)
    assert np.median(factors) == 1.15
    neuron = graph.population(name).neuron
    assert isinstance(neuron, IntegrateAndFire)
    assert (run(graph)[name] == reference[name]).mean() > 0.998


def test_fraction_bits_are_as_few_as_do(student: Graph, samples: np.ndarray) -> None:
    name = student.layers[0].name
    fine = shifted(student, name, 8)

    def run(graph: Graph) -> dict[str, np.ndarray]:
        trace = golden.run(quantised(graph), samples, time_steps=4)
        return {key: found.spikes for key, found in trace.populations.items()}

    few = fewest_fraction_bits(fine, name, run=run, tolerance=0.002)
    assert 0 < few < 8
    wanted = run(fine)[name]
    assert (run(shifted(fine, name, few))[name] != wanted).mean() <= 0.002
    assert (run(shifted(fine, name, few - 1))[name] != wanted).mean() > 0.002
    assert fewest_fraction_bits(fine, name, run=run, tolerance=1) == 0


def test_what_cannot_be_calibrated(student: Graph, samples: np.ndarray) -> None:
    with pytest.raises(OptionError, match="of integers already"):
        calibrate(quantised(student), samples, CalibrationSettings())
    assert student.level is Level.NORMALISED
    with pytest.raises(OptionError, match="early exit"):
        calibrate(dataclasses.replace(student, exit=Exit(margin=3, steps=(1,))), samples, CalibrationSettings())
    with pytest.raises(OptionError, match="weight_bits is 9; 1 to 8"):
        CalibrationSettings(weight_bits=9)


def test_a_layer_alone_does_what_it_does_in_its_network() -> None:
    """Heard from outside, the spikes of the layer before are those that it hears within; others are run whole."""
    drawn = random_graph(RandomNetwork(architecture="2x8x8-4c3-m2-6c3-10", encoding=Encoding.DIRECT, seed=4))
    graph = dataclasses.replace(drawn, activity=None)
    floats = as_float(graph)
    inputs = np.random.default_rng(0).integers(0, 2**graph.source.bits, (5, graph.input.size))
    trace = golden.run(quantised(floats, 4), inputs, time_steps=graph.time_steps)
    for layer in floats.layers[:-1]:
        found = alone(floats, layer.name)
        assert found is not None
        network, source = found
        given = inputs if source == "input" else trace.populations[source].spikes
        own = golden.run(quantised(network, 4), given, time_steps=graph.time_steps)
        assert np.array_equal(own.populations[layer.name].spikes, trace.populations[layer.name].spikes)
    name = floats.layers[-2].name
    skip = dataclasses.replace(floats.into(name)[0], source=floats.layers[-3].name, delay=1)
    assert alone(dataclasses.replace(floats, projections=(*floats.projections, skip)), name) is None
