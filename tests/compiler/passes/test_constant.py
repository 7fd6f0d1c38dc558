"""Channels that no weight moves fire as their float neurons do."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnc.compiler.formats.student import student_graph
from snnc.compiler.ir import Graph
from snnc.compiler.passes.constant import steady_drive
from snnc.compiler.passes.normalise import normalised
from snnc.compiler.passes.quantise import quantised
from snnc.sim.models import golden
from snnc.sim.models.floating import FloatNetwork
from tests.compiler.networks import changed, checkpoint, deep_checkpoint

STEPS = 16
LEVELS = (0.001, 0.01, 0.1, 0.25, 0.3, 0.4, 0.7, 1.0, 3.0, 100.0)
PAIRS = tuple(itertools.product(LEVELS, (-0.3, 0.0, *LEVELS)))
"""Thresholds and biases."""


def still(*, bits: int | None, shift: int, **neuron: Any) -> Graph:
    """A layer of zero weights, a channel for each pair, `Level.NORMALISED`; steps of 1 where it is quantised."""
    theta, bias = np.array(PAIRS).T
    plain = checkpoint(hidden=len(PAIRS), steps=bits is not None, norm=False)
    plain = changed(plain, "layers/0/fraction_bits", shift)
    plain["time_steps"] = STEPS
    plain["layers"][0]["neuron"] = {**plain["layers"][0]["neuron"], **neuron}
    plain["state"] |= {
        "hidden0.0.weight": np.zeros((len(PAIRS), 12)),
        "hidden0.bias": bias,
        "hidden0.threshold": theta,
    }
    if bits is not None:
        plain = changed(plain, "layers/0/projections/0/weight_bits", bits)
        plain["state"]["hidden0.step"] = np.ones(len(PAIRS))
    return normalised(student_graph(plain))


def spikes(graph: Graph) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Of the float and of the integer neurons, ``(time, channel)``."""
    pixels = np.full((1, graph.input.size), 3)
    floating = FloatNetwork(graph).run(pixels, time_steps=STEPS).spikes["hidden0"]
    integer = golden.run(quantised(graph), pixels, time_steps=STEPS).populations["hidden0"].spikes
    return floating[:, 0], integer[:, 0]


@pytest.mark.parametrize("shift", [0, 1, 4, 8])
@pytest.mark.parametrize("reset", ["soft", "hard"])
@pytest.mark.parametrize("initial", ["zero", "half"])
@pytest.mark.parametrize("bits", [None, 4])
def test_they_fire_as_in_float(bits, initial, reset, shift):
    floating, integer = spikes(still(bits=bits, shift=shift, initial=initial, reset=reset))
    rates = dict(zip(PAIRS, integer.sum(axis=0).tolist(), strict=True))
    assert rates[0.001, 0.001] == STEPS
    if (initial, reset) == ("zero", "soft"):
        assert rates[0.4, 0.3] == 11
    for channel, (theta, bias) in enumerate(PAIRS):
        # Sums of floats go astray by their last bits, which counts where one is just at the threshold.
        crossings = [2 * n * Fraction(bias) / Fraction(theta) for n in range(1, STEPS + 1)]
        near = min(float(abs(crossing - round(crossing))) for crossing in crossings)
        if near > 1e-9 or near == 0:
            assert np.array_equal(floating[:, channel], integer[:, channel]), (theta, bias)
        else:
            assert abs(int(floating[:, channel].sum()) - int(integer[:, channel].sum())) <= 1, (theta, bias)


@pytest.mark.parametrize("leak", [0, 1, 2, 4])
@pytest.mark.parametrize("reset", ["soft", "hard"])
def test_with_a_leak_their_rates_are_close(reset, leak):
    floating, integer = spikes(still(bits=4, shift=2, reset=reset, leak_shift=leak))
    different = np.abs(floating.sum(axis=0) - integer.sum(axis=0))
    assert different.max() <= 1
    assert np.count_nonzero(different) <= len(PAIRS) // 10


@given(
    theta=st.floats(1e-3, 1e3),
    ratio=st.floats(-0.5, 1.5),
    half=st.booleans(),
)
def test_the_fraction_is_exact_for_as_many_steps_as_its_denominators_reach(theta, ratio, half):
    bias, threshold = (int(values[0]) for values in steady_drive(np.array([ratio * theta]), np.array([theta])))
    assert 0 <= bias <= threshold <= 512
    assert threshold % 2 == 0
    drive = Fraction(min(1.0, max(0.0, ratio * theta / theta)))
    for n in range(1, 129 if half else 257):
        start = Fraction(1, 2) if half else Fraction(0)
        exact = n * drive + start
        if abs(exact - round(exact)) > 1e-12:
            assert math.floor(n * Fraction(bias, threshold) + start) == math.floor(exact)


def test_a_readout_of_zeros_has_a_step_all_the_same():
    plain = checkpoint(steps=False)
    plain["state"]["readout.0.weight"] = np.zeros((3, 6))
    plain["state"]["readout.bias"] = np.array([1.0, 2.0, -3.0])
    graph = quantised(normalised(student_graph(plain)))
    assert graph.readout.bias.tolist() == [1, 2, -3]


def test_a_residual_passes_a_channel_without_gain():
    """In float the identity passes whatever the batch norm does; its channel once fell silent."""
    plain = deep_checkpoint()
    plain = changed(plain, "state/conv2.norm.gain", np.zeros(4, np.float32))
    graph = normalised(student_graph(plain))
    integer = quantised(graph)
    pixels = np.random.default_rng(0).integers(0, 2**graph.source.bits, (8, graph.input.size))
    floating = FloatNetwork(graph).run(pixels, time_steps=4).spikes["conv2"]
    fired = golden.run(integer, pixels, time_steps=4).populations["conv2"].spikes
    assert floating.any()
    assert np.mean(floating != fired) < 0.02
