"""Noise-smoothed logits against NumPy with the same noise, and without any."""

import numpy as np
import pytest
import torch

from snnc.distill.losses import METHODS
from tests.distill.losses.batches import (
    arrays,
    cross_entropy,
    divergence,
    entropy,
    loss_of,
    random_inputs,
    replaced,
    settings_of,
    softmax,
)

NAME = "ckdsnn-nld"


@pytest.mark.parametrize("form", ["logit", "mixture"])
@pytest.mark.parametrize("noise", [0, 0.3, 1])
def test_equals_its_formula(form, noise):
    inputs = random_inputs(0)
    steps, teacher, labels = arrays(inputs)
    z, tau = steps.mean(0), 2.5
    normal = torch.randn(z.shape, generator=torch.Generator().manual_seed(7), dtype=torch.float64).numpy()
    mean, deviation = z.mean(1, keepdims=True), z.std(1, keepdims=True, ddof=1)
    if form == "logit":
        p = softmax((z + noise * (mean + deviation * normal)) / tau)
    else:
        p = (1 - noise) * softmax(z / tau) + noise * softmax((mean + deviation**2 * normal) / tau)
    expected = cross_entropy(z, labels) + 0.7 * tau**2 * divergence(softmax(teacher / tau), p)
    loss = loss_of(NAME, inputs, temperature=tau, smoothing=0.7, noise=noise, form=form)
    assert float(loss) == pytest.approx(expected)


@pytest.mark.parametrize("form", ["logit", "mixture"])
def test_without_noise_is_response_distillation_but_for_the_teachers_entropy(form):
    inputs = random_inputs(1)
    labels = loss_of("cross-entropy", inputs)
    response = loss_of("kdsnn-response", inputs, alpha=1)
    expected = float(labels + response) - 9 * entropy(softmax(inputs.teacher_logits.numpy() / 3))
    assert float(loss_of(NAME, inputs, noise=0, form=form)) == pytest.approx(expected)


def test_the_noise_is_new_in_every_batch():
    inputs = replaced(random_inputs(2))
    first, second = (METHODS[NAME].loss(inputs, settings_of(NAME)) for _ in range(2))
    assert first != second


def test_noise_costs_what_its_deviation_says():
    """Many samples of the same logits, against noise of NumPy's of the same deviation; its mean does not matter."""
    z = torch.tensor([[3.0, -1.0, 0.5, 0.5]]).double()
    inputs = replaced(
        random_inputs(3, time_steps=1, batch=20_000, shapes=()),
        step_logits=z.expand(1, 20_000, 4),
        teacher_logits=torch.zeros(20_000, 4).double(),
    )
    labels = loss_of("cross-entropy", inputs)
    smooth, noisy = (float(loss_of(NAME, inputs, noise=noise) - labels) for noise in (0, 0.5))
    normal = np.random.default_rng(0).standard_normal((200_000, 4))
    p = softmax((z.numpy() + 0.5 * float(z.std()) * normal) / 3)
    assert noisy == pytest.approx(9 * divergence(np.full_like(p, 0.25), p), rel=0.02)
    assert noisy > 1.05 * smooth


@pytest.mark.parametrize("form", ["logit", "mixture"])
def test_no_gradient_passes_through_the_noise(form):
    """With nothing but noise in the mixture the student's logits do not matter; added noise is a constant."""
    inputs = random_inputs(4, time_steps=1)
    logits = inputs.step_logits.clone().requires_grad_()
    noisy = loss_of(NAME, replaced(inputs, step_logits=logits), noise=1 if form == "mixture" else 0.3, form=form)
    (noisy - loss_of("cross-entropy", replaced(inputs, step_logits=logits))).backward()
    if form == "mixture":
        assert torch.equal(logits.grad, torch.zeros_like(logits))
    else:
        z = inputs.step_logits[0]
        normal = torch.randn(z.shape, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
        moved = z + 0.3 * (z.mean(1, keepdim=True) + z.std(1, keepdim=True) * normal)
        expected = 3 * ((moved / 3).softmax(1) - (inputs.teacher_logits / 3).softmax(1)) / len(z)
        torch.testing.assert_close(logits.grad[0], expected)
