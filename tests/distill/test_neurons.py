"""The integrate-and-fire neuron against one written step by step, and its surrogate gradient."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from snnc.compiler.ir.neurons import Initial, Reset
from snnc.distill.neurons import (
    NeuronSettings,
    Surrogate,
    count_levels,
    initial_membrane,
    integrate_and_fire,
    neuron_step,
)


def settings(reset=Reset.SOFT, initial=Initial.HALF, surrogate=Surrogate.ATAN, leak_shift=None):
    return NeuronSettings(reset=reset, initial=initial, surrogate=surrogate, leak_shift=leak_shift)


def one_neuron(currents, threshold, membrane, reset, leak=None):
    spikes = []
    for current in currents:
        membrane = membrane - (0 if leak is None else membrane >> leak) + current
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
    leak=st.sampled_from([None, 1, 2, 5]),
)
def test_integers_in_floats_are_integrated_exactly(currents, threshold, reset, initial, leak):
    limits = torch.tensor([float(threshold)])
    neuron = settings(reset, initial, leak_shift=leak)
    steps = torch.tensor(currents).float()[:, None, None]
    spikes, _ = integrate_and_fire(steps, limits, neuron, time_steps=len(steps), whole=True)
    start = threshold >> 1 if initial is Initial.HALF else 0
    assert spikes[:, 0, 0].tolist() == one_neuron(currents, threshold, start, reset, leak)


@pytest.mark.parametrize("surrogate", Surrogate)
@pytest.mark.parametrize("reset", Reset)
@pytest.mark.parametrize("leak", [None, 2])
@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize("channels_last", [False, True])
def test_the_written_gradient_is_that_of_the_recorded_graph(surrogate, reset, leak, constant, channels_last):
    """All steps in one function against one step after another under autograd."""
    neuron = settings(reset, surrogate=surrogate, leak_shift=leak)
    generator = torch.Generator().manual_seed(0)
    shape = (3, 2, 4, 5)
    current = torch.randn((*shape,) if constant else (5, *shape), generator=generator, dtype=torch.float64)
    if channels_last and constant:
        current = current.contiguous(memory_format=torch.channels_last)
    threshold = torch.tensor([0.7, 1.4], dtype=torch.float64)[:, None, None].requires_grad_()
    weights, others = torch.randn(2, 5, *shape, generator=generator, dtype=torch.float64)

    def gradients(run):
        found = []
        # A loss may look at the spikes, at the membranes, or at both.
        for of_spikes, of_membranes in ((1, 0), (0, 1), (1, 1)):
            x = current.clone().requires_grad_()
            spikes, membranes = run(x)
            loss = torch.zeros(())
            if of_spikes:
                loss = loss + (spikes * weights).sum()
            if of_membranes:
                loss = loss + (membranes * others).sum()
            found += [spikes, membranes, *torch.autograd.grad(loss, (x, threshold), materialize_grads=True)]
        return found

    def recorded(x):
        membrane = initial_membrane(threshold, neuron.initial, whole=False).expand_as(weights[0])
        spikes, membranes = [], []
        for t in range(5):
            fired, before, membrane = neuron_step(membrane, x if constant else x[t], threshold, neuron, whole=False)
            spikes.append(fired)
            membranes.append(before)
        return torch.stack(spikes), torch.stack(membranes)

    written = gradients(lambda x: integrate_and_fire(x, threshold, neuron, time_steps=5, constant=constant))
    for one, other in zip(written, gradients(recorded), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("initial", Initial)
def test_the_twin_counts_what_the_neuron_fires(initial):
    x = torch.linspace(-0.5, 1.5, 401, dtype=torch.float64)[:, None] + 1e-6
    spikes, _ = integrate_and_fire(x, torch.ones(1).double(), settings(initial=initial), time_steps=4, constant=True)
    assert torch.equal(spikes.mean(0), count_levels(x, levels=4, initial=initial))


def test_the_twin_passes_gradients_between_its_extremes():
    x = torch.tensor([-0.1, 0.3, 0.9, 1.2], requires_grad=True)
    (gradient,) = torch.autograd.grad(count_levels(x, levels=4, initial=Initial.HALF).sum(), x)
    assert gradient.tolist() == [0, 1, 1, 0]


def test_soft_reset_from_half_is_a_quantised_activation():
    """A constant current x gives ``clip(floor(T x / theta + 1/2), 0, T)`` spikes (QCFS; Bu et al., ICLR 2022)."""
    x = torch.linspace(-0.5, 1.5, 401, dtype=torch.float64)[:, None] + 1e-6
    theta = torch.ones(1, dtype=torch.float64)
    spikes, _ = integrate_and_fire(x.expand(4, -1, -1), theta, settings(), time_steps=4)
    assert torch.equal(spikes.sum(0), (4 * x + 0.5).floor().clamp(0, 4))


@pytest.mark.parametrize(
    ("surrogate", "slope"),
    [
        (Surrogate.ATAN, lambda x: 1 / (1 + (math.pi * x) ** 2)),
        (Surrogate.TRIANGLE, lambda x: max(0.0, 1 - abs(x))),
    ],
)
def test_surrogate_scales_with_the_threshold(surrogate, slope):
    membrane = torch.tensor([[[3.0], [10.0], [12.0], [35.0]]], requires_grad=True)
    threshold = torch.tensor([10.0], requires_grad=True)
    neuron = settings(initial=Initial.ZERO, surrogate=surrogate)
    spikes, _ = integrate_and_fire(membrane, threshold, neuron, time_steps=1)
    of_membrane, of_threshold = torch.autograd.grad(spikes.sum(), (membrane, threshold))
    expected = [slope((u - 10) / 10) / 10 for u in (3, 10, 12, 35)]
    assert of_membrane[0, :, 0].tolist() == pytest.approx(expected)
    assert float(of_threshold) == pytest.approx(-sum(expected))


def test_the_reset_is_detached():
    """With a soft reset, step 2's spike depends on step 1's current directly, not by way of step 1's spike."""
    current = torch.tensor([1.2, 0.9], requires_grad=True)
    neuron = settings(initial=Initial.ZERO, surrogate=Surrogate.TRIANGLE)
    spikes, _ = integrate_and_fire(current[:, None, None], torch.ones(1), neuron, time_steps=2)
    (gradient,) = torch.autograd.grad(spikes[1].sum(), current)
    assert gradient.tolist() == pytest.approx([0.9, 0.9])  # x = 1.1 - 1 at step 2: slope 0.9 for both
