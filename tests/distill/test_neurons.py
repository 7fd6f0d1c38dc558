"""The integrate-and-fire neuron against one written step by step, and its surrogate gradient."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from snnc.compiler.ir.neurons import Initial, Reset
from snnc.distill.folding import folded_initial
from snnc.distill.neurons import Surrogate, fire, initial_membrane, integrate_and_fire


def one_neuron(currents, threshold, membrane, reset):
    spikes = []
    for current in currents:
        membrane += current
        spike = int(membrane >= threshold)
        if spike:
            membrane = membrane - threshold if reset is Reset.SOFT else 0
        spikes.append(spike)
    return spikes


@given(
    currents=st.lists(st.integers(-50, 50), min_size=1, max_size=8),
    threshold=st.integers(1, 40),
    reset=st.sampled_from(Reset),
    initial=st.sampled_from(Initial),
)
def test_integers_in_floats_are_integrated_exactly(currents, threshold, reset, initial):
    limits = torch.tensor([float(threshold)])
    spikes = integrate_and_fire(
        torch.tensor(currents).float()[:, None, None],
        limits,
        folded_initial(limits, initial),
        reset=reset,
        surrogate=Surrogate.ATAN,
    )
    start = threshold >> 1 if initial is Initial.HALF else 0
    assert spikes[:, 0, 0].tolist() == one_neuron(currents, threshold, start, reset)


def test_soft_reset_from_half_is_a_quantised_activation():
    """A constant current x gives ``clip(floor(T x / theta + 1/2), 0, T)`` spikes (QCFS; Bu et al., ICLR 2022)."""
    x = torch.linspace(-0.5, 1.5, 401, dtype=torch.float64)[:, None] + 1e-6
    theta = torch.ones(1, dtype=torch.float64)
    spikes = integrate_and_fire(
        x.expand(4, -1, -1),
        theta,
        initial_membrane(theta, Initial.HALF),
        reset=Reset.SOFT,
        surrogate=Surrogate.ATAN,
    )
    assert torch.equal(spikes.sum(0), (4 * x + 0.5).floor().clamp(0, 4))


@pytest.mark.parametrize(
    ("surrogate", "slope"),
    [
        (Surrogate.ATAN, lambda x: 1 / (1 + (math.pi * x) ** 2)),
        (Surrogate.TRIANGLE, lambda x: max(0.0, 1 - abs(x))),
    ],
)
def test_surrogate_scales_with_the_threshold(surrogate, slope):
    membrane = torch.tensor([[3.0], [10.0], [12.0], [35.0]], requires_grad=True)
    threshold = torch.tensor([10.0], requires_grad=True)
    of_membrane, of_threshold = torch.autograd.grad(fire(membrane, threshold, surrogate).sum(), (membrane, threshold))
    expected = [slope((u - 10) / 10) / 10 for u in (3, 10, 12, 35)]
    assert of_membrane[:, 0].tolist() == pytest.approx(expected)
    assert float(of_threshold) == pytest.approx(-sum(expected))


def test_the_reset_is_detached():
    """With a soft reset, step 2's spike depends on step 1's current directly, not by way of step 1's spike."""
    current = torch.tensor([1.2, 0.9], requires_grad=True)
    spikes = integrate_and_fire(
        current[:, None, None], torch.ones(1), torch.zeros(1), reset=Reset.SOFT, surrogate=Surrogate.TRIANGLE
    )
    (gradient,) = torch.autograd.grad(spikes[1].sum(), current)
    assert gradient.tolist() == pytest.approx([0.9, 0.9])  # x = 1.1 - 1 at step 2: slope 0.9 for both
