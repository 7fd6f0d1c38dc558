"""Noise: the same for the same seed, of the size that it says, and none at the clean level."""

from __future__ import annotations

import dataclasses
import itertools
import re

import numpy as np
import pytest

from snnc.compiler.errors import OptionError
from snnc.compiler.ir import Dense, Graph, Pooling
from snnc.sim.evaluation.immunity import (
    Immunity,
    Level,
    left_out,
    noise_names,
    noisy,
    noisy_accuracy,
    sweep,
    sweep_length,
)
from snnc.sim.evaluation.noise import NOISES, Faulty, HardwareNoise, PixelNoise
from snnc.sim.evaluation.noise.weight_bits import flipped, held
from snnc.sim.models import golden
from tests.networks import random_chain
from tests.sim.evaluation.subjects import convolutional, neuron, random_samples, with_weight

PIXEL = [name for name, noise in NOISES.items() if isinstance(noise, PixelNoise)]
HARDWARE = [name for name, noise in NOISES.items() if isinstance(noise, HardwareNoise)]


def grey(value: int = 128, size: int = 64) -> np.ndarray:
    return np.full((4, 1, size, size), value, np.uint8)


def made(name: str, images: np.ndarray, level: float, seed: int = 0) -> np.ndarray:
    noise = NOISES[name]
    assert isinstance(noise, PixelNoise)
    return noisy(images, noise, level, np.random.default_rng(seed))


def fault(name: str, graph: Graph, level: float, seed: int = 0) -> Faulty:
    noise = NOISES[name]
    assert isinstance(noise, HardwareNoise)
    return noise.apply(graph, level, np.random.default_rng(seed))


@pytest.mark.parametrize("name", PIXEL)
def test_a_seed_gives_one_noise_and_another_seed_another(name):
    images = random_samples(convolutional(), 30).images
    level = NOISES[name].levels[-1]
    once = made(name, images, level)
    assert np.array_equal(once, made(name, images, level))
    assert not np.array_equal(once, made(name, images, level, seed=1))
    assert not np.array_equal(once, images)


@pytest.mark.parametrize("name", [name for name in PIXEL if name != "poisson"])  # infinitely many photons
def test_the_clean_level_changes_nothing(name):
    images = random_samples(convolutional(), 5).images
    assert np.array_equal(made(name, images, NOISES[name].clean), images)


@pytest.mark.parametrize("name", NOISES)
def test_levels_ascend_from_the_clean_one(name):
    levels = (NOISES[name].clean, *NOISES[name].levels)
    assert all(low < high for low, high in itertools.pairwise(levels))


@pytest.mark.parametrize(
    ("name", "level", "mean", "deviation"),
    [
        ("gaussian", 0.1, 128, 25.5),
        ("uniform", 0.3, 128, 0.3 * 255 / 3**0.5),
        ("contrast", 0.5, 64, 25.5),
        ("poisson", 0.1, 128, 0.1 * (255 * 128) ** 0.5),
    ],
)
def test_mean_and_standard_deviation(name, level, mean, deviation):
    images = made(name, grey(), level)
    assert images.mean() == pytest.approx(mean, abs=1.5)
    assert images.std() == pytest.approx(deviation, rel=0.04)


def test_salt_and_pepper_replaces_its_share_half_and_half_in_all_colours():
    images = made("salt-pepper", np.full((8, 3, 64, 64), 128, np.uint8), 0.2)
    assert (images == 0).mean() == pytest.approx(0.1, abs=0.01)
    assert (images == 255).mean() == pytest.approx(0.1, abs=0.01)
    assert np.array_equal(images[:, 0] == 128, images[:, 2] == 128)


def test_motion_blur_spreads_a_point_over_a_line():
    images = np.zeros((40, 1, 21, 21), np.uint8)
    images[:, 0, 10, 10] = 255
    blurred = made("motion-blur", images, 5.0)
    assert np.all(np.count_nonzero(blurred, axis=(1, 2, 3)) == 5)
    assert np.all(blurred[blurred > 0] == 51)
    rows = {np.unique(np.nonzero(image[0])[0]).size for image in blurred}
    assert rows == {1, 5}  # across, and down or diagonally
    # Centred: what is blurred stays where it was.
    assert all(np.nonzero(image[0])[0].mean() == 10 for image in blurred)


@pytest.mark.parametrize("name", HARDWARE)
def test_the_same_fault_for_the_same_seed(name):
    graph = random_chain([20, 30, 5])
    found = [fault(name, graph, NOISES[name].levels[-1], seed) for seed in (3, 3, 4)]

    def parts(faulty):
        yield from (p.weight for p in faulty.graph.projections)
        yield from (neuron(faulty.graph, layer.name).threshold for layer in faulty.graph.layers[:-1])
        yield from faulty.stuck.values()

    def same(a, b):
        a, b = list(parts(a)), list(parts(b))
        return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))

    assert same(found[0], found[1])
    assert not same(found[0], found[2])


def stored(graph: Graph, names: tuple[str, str], shape: tuple[int, ...]) -> np.ndarray:
    """The weights between two populations, whatever projections hold them."""
    total = np.zeros(shape, np.int64)
    for projection in graph.projections:
        if (projection.source, projection.target) == names:
            total += projection.weight.astype(np.int64)
    return total


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.5, 1.0])
def test_exactly_the_asked_share_of_the_stored_bits_flips(bits, share):
    graph = convolutional(bits=bits)
    found = fault("weight-bits", graph, share).graph
    flips = 0
    for projection in graph.projections:
        if isinstance(projection, Pooling):
            continue
        after = stored(found, (projection.source, projection.target), projection.weight.shape)
        if bits == 1:
            assert set(np.abs(after.ravel())) == {1}
            flips += int(np.count_nonzero(after != projection.weight))
        else:
            assert -(2 ** (bits - 1)) <= after.min() <= after.max() < 2 ** (bits - 1)
            changed = (after ^ projection.weight.astype(np.int64)) & (2**bits - 1)
            flips += sum(int(value).bit_count() for value in changed.ravel())
    assert flips == round(share * bits * (27 + 24))


@pytest.mark.parametrize("bits", [4, 8])
def test_the_lowest_number_runs_although_no_trained_weight_has_it(bits):
    """All sign bits of zeros: every weight becomes ``-2**(bits - 1)``."""
    graph = with_weight(convolutional(bits=bits, threshold=1), 2, np.zeros((2, 12), np.int64))
    lowest = -(2 ** (bits - 1))
    signs = np.arange(24) * bits + bits - 1
    weight = flipped(np.zeros((2, 12), np.int64), bits, signs)
    assert np.all(weight == lowest)
    dense = graph.projections[2]
    assert isinstance(dense, Dense)
    faulty = dataclasses.replace(graph, projections=(*graph.projections[:2], *held(dense, weight)))
    images = np.full((1, 16), 3)
    trace = golden.run(faulty, images, time_steps=2)
    spikes = int(trace.populations["max2"].spikes.sum())
    assert spikes > 0
    assert np.all(trace.logits == lowest * spikes)


def test_thresholds_move_by_the_level_both_ways_and_stay_positive():
    graph = random_chain([20, 300, 5])
    (name, *_) = (layer.name for layer in graph.layers)
    before = neuron(graph, name).threshold
    after = neuron(fault("thresholds", graph, 2.0).graph, name).threshold
    moved = after - before
    assert set(moved) <= {-2, 2} | {1 - int(t) for t in before if t < 3}
    assert {-2, 2} <= set(moved)
    assert neuron(fault("thresholds", graph, 1e6).graph, name).threshold.min() == 1


@pytest.mark.parametrize("seed", range(5))
def test_a_maximum_has_no_threshold_to_move(seed):
    graph = fault("thresholds", convolutional(), 4.0, seed).graph
    assert np.all(neuron(graph, "max2").threshold == 1)
    assert np.all(np.abs(neuron(graph, "conv1").threshold - 20) == 4)


@pytest.mark.parametrize("seed", range(5))
def test_exactly_the_asked_share_of_neurons_is_stuck(seed):
    (outputs,) = fault("stuck-at-0", random_chain([20, 1000, 5]), 0.05, seed).stuck.values()
    assert np.count_nonzero(outputs == 0) == 50
    assert np.count_nonzero(outputs == -1) == 950


@pytest.mark.parametrize(("name", "value"), [("stuck-at-0", 0), ("stuck-at-1", 1)])
def test_stuck_neurons_do_not_change_and_the_others_work(name, value):
    graph = convolutional()
    found = fault(name, graph, 0.2)
    assert set(found.stuck) == {"conv1", "max2"}
    assert sum(np.count_nonzero(outputs >= 0) for outputs in found.stuck.values()) == 12  # of 48 + 12
    inputs = random_samples(graph, 6).images.reshape(6, -1) // 64
    faulty = golden.run(graph, inputs, time_steps=3, stuck=found.stuck)
    sound = golden.run(graph, inputs, time_steps=3)
    stuck = found.stuck["conv1"] >= 0
    assert stuck.any()
    assert np.all(faulty.populations["conv1"].spikes[:, :, stuck] == value)
    assert np.array_equal(
        faulty.populations["conv1"].spikes[:, :, ~stuck], sound.populations["conv1"].spikes[:, :, ~stuck]
    )
    # The fault is in the output: inside, the neuron goes on as before.
    assert np.array_equal(faulty.populations["conv1"].membranes, sound.populations["conv1"].membranes)


def test_a_network_without_hidden_neurons_has_none_to_stick():
    assert not fault("stuck-at-1", random_chain([20, 5]), 0.2).stuck


def test_names():
    assert noise_names("all", events=False) == tuple(NOISES)
    assert noise_names("all", events=True) == tuple(HARDWARE)
    assert re.match(r"--noise all leaves out gaussian, .*the samples are events", left_out("all", events=True))
    assert left_out("all", events=False) == left_out("stuck-at-0", events=True) == ""
    assert noise_names("stuck-at-0, gaussian,stuck-at-0", events=False) == ("stuck-at-0", "gaussian")
    with pytest.raises(OptionError, match="no noise called 'pink'; choose all or some of gaussian, "):
        noise_names("gaussian,pink", events=False)
    with pytest.raises(OptionError, match=r"'gaussian' changes the brightness .* choose some of weight-bits"):
        noise_names("gaussian", events=True)


def test_area_and_what_is_retained():
    levels = (Level(level=1.0, accuracies=(0.5, 0.7)), Level(level=3.0, accuracies=(0.2, 0.2)))
    family = Immunity(name="gaussian", clean=0.8, clean_level=0.0, levels=levels)
    assert levels[0].mean == pytest.approx(0.6)
    assert levels[0].spread == pytest.approx(0.02**0.5)
    assert family.area == pytest.approx((0.7 * 1 + 0.4 * 2) / 3)
    assert family.retained == pytest.approx(0.5 / 0.8)


def test_a_sweep_runs_every_level_with_every_seed():
    graph = convolutional()
    samples = random_samples(graph, 20)
    runs: list[int] = []
    names = ("gaussian", "stuck-at-1")
    found = sweep(graph, samples, names, time_steps=3, seeds=range(3), progress=runs.append)
    assert len(runs) == sweep_length(names, 3) == 1 + 3 * (6 + 5)
    gaussian = found[0]
    assert gaussian.clean == noisy_accuracy(graph, samples, NOISES["gaussian"], 0.0, time_steps=3, seed=0)
    assert [len(level.accuracies) for level in gaussian.levels] == [3] * 6
    assert gaussian.levels[2].accuracies[1] == noisy_accuracy(
        graph, samples, NOISES["gaussian"], 0.2, time_steps=3, seed=1
    )
