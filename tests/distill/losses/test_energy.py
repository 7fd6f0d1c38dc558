"""Two temperatures and the limit of the rates, against NumPy and at their limits."""

import numpy as np
import pytest
import torch

from tests.distill.losses.batches import arrays, cross_entropy, loss_of, random_inputs, replaced, softmax

NAME = "energy"


@pytest.mark.parametrize("target", ["above", "both"])
def test_equals_its_formula(target):
    inputs = random_inputs(0)
    steps, teacher, labels = arrays(inputs)
    z = steps.mean(0)
    soft = -(softmax(teacher / 4) * np.log(softmax(z / 1.5))).sum(1).mean()
    excess = [s.numpy().mean() - 0.2 for s in inputs.spikes]
    assert min(excess) < 0 < max(excess)
    penalty = sum(abs(e) if target == "both" else max(0, e) for e in excess)
    expected = 0.6 * 1.5 * 4 * soft + 0.4 * cross_entropy(z, labels) + 0.7 * penalty
    options = {"student_temperature": 1.5, "penalty": 0.7, "rate": 0.2, "target": target}
    assert float(loss_of(NAME, inputs, temperature=4, alpha=0.6, **options)) == pytest.approx(expected)


def test_equal_temperatures_without_penalty_are_kdsnn_response():
    inputs = random_inputs(1)
    energy = loss_of(NAME, inputs, temperature=3, student_temperature=3, penalty=0)
    torch.testing.assert_close(energy, loss_of("kdsnn-response", inputs, temperature=3))


def test_a_cooler_student_is_content_with_smaller_logits():
    inputs = random_inputs(2, time_steps=1)
    smaller = (inputs.teacher_logits / 4)[None].requires_grad_()
    options = {"temperature": 4, "student_temperature": 1, "alpha": 1, "penalty": 0}
    loss_of(NAME, replaced(inputs, step_logits=smaller), **options).backward()
    torch.testing.assert_close(smaller.grad, torch.zeros_like(smaller), atol=1e-12, rtol=0)


def test_the_gradient_does_not_depend_on_high_temperatures():
    inputs = random_inputs(3, time_steps=1)
    gradients = []
    for scale in (1, 10):
        logits = inputs.step_logits.clone().requires_grad_()
        options = {"temperature": 10 * scale, "student_temperature": 10 * scale, "alpha": 1, "penalty": 0}
        loss_of(NAME, replaced(inputs, step_logits=logits), **options).backward()
        gradients.append(logits.grad)
    torch.testing.assert_close(*gradients, rtol=0.3, atol=0.05)


def test_only_populations_above_the_target_are_charged():
    inputs = random_inputs(4)
    spikes = tuple(s.clone().requires_grad_() for s in inputs.spikes)
    loss_of(NAME, replaced(inputs, spikes=spikes), rate=0.2, penalty=2).backward()
    for population in spikes:
        expected = 2 / population.numel() if population.mean() > 0.2 else 0
        torch.testing.assert_close(population.grad, torch.full_like(population, expected))


def test_a_student_without_hidden_populations_is_not_charged():
    inputs = replaced(random_inputs(5), spikes=())
    torch.testing.assert_close(loss_of(NAME, inputs, penalty=5), loss_of(NAME, inputs, penalty=0))
