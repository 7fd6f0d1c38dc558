"""KDSNN's response loss against an oracle of plain Python, at its limits, and in its gradient."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.distill.losses.batches import loss_of, random_inputs, replaced

NAME = "kdsnn-response"


def kdsnn_oracle(inputs, temperature, alpha):
    """Sample by sample, class by class, in plain Python."""

    def softmax(z):
        powers = [math.exp(v) for v in z]
        return [p / sum(powers) for p in powers]

    total = 0.0
    time_steps, batch, classes = inputs.step_logits.shape
    for b in range(batch):
        z = [sum(float(inputs.step_logits[t, b, k]) for t in range(time_steps)) / time_steps for k in range(classes)]
        soft_student = softmax([v / temperature for v in z])
        soft_teacher = softmax([float(v) / temperature for v in inputs.teacher_logits[b]])
        soft = -sum(q * math.log(p) for q, p in zip(soft_teacher, soft_student, strict=True))
        hard = -math.log(softmax(z)[int(inputs.labels[b])])
        total += alpha * temperature**2 * soft + (1 - alpha) * hard
    return total / batch


@given(seed=st.integers(0, 2**31), time_steps=st.integers(1, 5), temperature=st.floats(1, 20), alpha=st.floats(0, 1))
def test_equals_its_formula(seed, time_steps, temperature, alpha):
    inputs = random_inputs(seed, time_steps=time_steps)
    loss = loss_of(NAME, inputs, temperature=temperature, alpha=alpha)
    assert float(loss) == pytest.approx(kdsnn_oracle(inputs, temperature, alpha), rel=1e-9)


def test_without_teacher_weight_is_cross_entropy():
    inputs = random_inputs(1)
    torch.testing.assert_close(loss_of(NAME, inputs, alpha=0), loss_of("cross-entropy", inputs))


def test_is_least_where_student_and_teacher_agree():
    inputs = random_inputs(2, time_steps=1)
    logits = inputs.teacher_logits[None].clone().requires_grad_()
    loss_of(NAME, replaced(inputs, step_logits=logits), alpha=1).backward()
    torch.testing.assert_close(logits.grad, torch.zeros_like(logits), atol=1e-12, rtol=0)


def test_has_hintons_gradient():
    """CE to soft targets and tau^2 KL differ by a constant: d/dz_S = alpha tau (Q_S - Q_T) / B."""
    inputs = random_inputs(3, time_steps=1)
    logits = inputs.step_logits.requires_grad_()
    loss_of(NAME, inputs, temperature=3, alpha=1).backward()
    expected = 3 * ((logits[0] / 3).softmax(1) - (inputs.teacher_logits / 3).softmax(1)) / len(inputs.labels)
    torch.testing.assert_close(logits.grad[0], expected.detach())


def test_high_temperatures_compare_logits():
    """tau -> infinity: d/dz_S = (z_S - z_T) / (B K), of centred logits, whatever tau is."""
    inputs = random_inputs(4, time_steps=1)
    logits = inputs.step_logits.requires_grad_()
    loss_of(NAME, inputs, temperature=1e5, alpha=1).backward()
    difference = logits[0] - inputs.teacher_logits
    expected = (difference - difference.mean(1, keepdim=True)) / difference.numel()
    torch.testing.assert_close(logits.grad[0], expected.detach(), rtol=1e-3, atol=1e-4)
