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
)


def settings(reset=Reset.SOFT, initial=Initial.HALF, surrogate=Surrogate.ATAN, leak_shift=None, loop_gradient=1.0):
    return NeuronSettings(
        reset=reset, initial=initial, surrogate=surrogate, leak_shift=leak_shift, loop_gradient=loop_gradient
    )


class Fire(torch.autograd.Function):
    """A spike whose derivative is the surrogate of a threshold of its own."""

    @staticmethod
    def forward(ctx, membrane, threshold, surrogate):
        ctx.save_for_backward(membrane, threshold)
        ctx.surrogate = surrogate
        return (membrane >= threshold).to(membrane.dtype)

    @staticmethod
    def backward(ctx, *gradients):
        membrane, threshold = ctx.saved_tensors
        x = (membrane - threshold) / threshold
        slope = {
            Surrogate.ATAN: 1 / (1 + (math.pi * x) ** 2),
            Surrogate.TRIANGLE: (1 - x.abs()).clamp(min=0),
        }[ctx.surrogate]
        gradient = slope / threshold * gradients[0]
        return gradient, (-gradient).sum_to_size(threshold.shape), None


def recorded_step(membrane, current, threshold, neuron):
    """One step under autograd: spikes, and the membranes before and after the reset, which is detached."""
    if neuron.leak_shift is not None:
        membrane = membrane * (1 - 2.0**-neuron.leak_shift)
    before = membrane + current
    spikes = Fire.apply(before, threshold, neuron.surrogate)
    blocked = spikes.detach()
    after = before - threshold * blocked if neuron.reset is Reset.SOFT else before * (1 - blocked)
    return spikes, before, after


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
@pytest.mark.parametrize("share", [None, 0.0, 0.3, 1.0])
def test_the_written_gradient_is_that_of_the_recorded_graph(surrogate, reset, leak, constant, channels_last, share):
    """All steps in one function against one step after another under autograd."""
    neuron = settings(reset, surrogate=surrogate, leak_shift=leak, loop_gradient=1.0 if share is None else share)
    generator = torch.Generator().manual_seed(0)
    shape = (3, 2, 4, 5)
    current = torch.randn((*shape,) if constant else (5, *shape), generator=generator, dtype=torch.float64)
    if channels_last and constant:
        current = current.contiguous(memory_format=torch.channels_last)
    threshold = torch.tensor([0.7, 1.4], dtype=torch.float64)[:, None, None].requires_grad_()
    weights, others = torch.randn(2, 5, *shape, generator=generator, dtype=torch.float64)
    loop = None
    if share is not None:
        loop = (torch.randn(40, 40, generator=generator, dtype=torch.float64) / 5).requires_grad_()

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
            leaves = (x, threshold) if loop is None else (x, threshold, loop)
            found += [spikes, membranes, *torch.autograd.grad(loss, leaves, materialize_grads=True)]
        return found

    def recorded(x):
        membrane = initial_membrane(threshold, neuron.initial, whole=False).expand_as(weights[0])
        spikes: list[torch.Tensor] = []
        membranes: list[torch.Tensor] = []
        for t in range(5):
            current = x if constant else x[t]
            if loop is not None and t:
                told = neuron.loop_gradient * spikes[-1] + (1 - neuron.loop_gradient) * spikes[-1].detach()
                current = current + (told.flatten(1) @ loop.T).view_as(current)
            fired, before, membrane = recorded_step(membrane, current, threshold, neuron)
            spikes.append(fired)
            membranes.append(before)
        return torch.stack(spikes), torch.stack(membranes)

    written = gradients(lambda x: integrate_and_fire(x, threshold, neuron, time_steps=5, constant=constant, loop=loop))
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


def test_the_gradient_of_a_loop_does_not_grow_with_time():
    """By default, not; all of it grows with every step, and nothing was learned."""
    generator = torch.Generator().manual_seed(0)
    current = torch.randn(128, 8, 32, 1, 1, generator=generator)
    loop = torch.empty(32, 32).uniform_(-0.9, 0.9, generator=generator).requires_grad_()

    def norm(neuron):
        spikes, _ = integrate_and_fire(current, torch.ones(1, 1, 1), neuron, time_steps=128, loop=loop)
        (gradient,) = torch.autograd.grad(spikes.mean(), loop)
        return float(gradient.norm())

    by_default = NeuronSettings(reset=Reset.SOFT, initial=Initial.HALF, surrogate=Surrogate.ATAN)
    assert 0 < norm(by_default) < 5
    assert norm(settings(loop_gradient=1.0)) > 50
