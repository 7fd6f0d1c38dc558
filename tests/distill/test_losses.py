"""Losses against oracles of a few lines, at their limits, and in their gradients."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from snnc.distill.losses import METHODS
from snnc.distill.losses.interface import LossInputs, LossSettings, Need

SETTINGS = LossSettings(temperature=4.0, alpha=0.9)


def random_inputs(seed, time_steps=3, batch=5, classes=4):
    generator = torch.Generator().manual_seed(seed)
    return LossInputs(
        step_logits=torch.randn(time_steps, batch, classes, generator=generator, dtype=torch.float64) * 3,
        labels=torch.randint(classes, (batch,), generator=generator),
        teacher_logits=torch.randn(batch, classes, generator=generator, dtype=torch.float64) * 3,
    )


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


@given(
    seed=st.integers(0, 2**31),
    time_steps=st.integers(1, 5),
    temperature=st.floats(1, 20),
    alpha=st.floats(0, 1),
)
def test_kdsnn_response_equals_its_formula(seed, time_steps, temperature, alpha):
    inputs = random_inputs(seed, time_steps=time_steps)
    loss = METHODS["kdsnn-response"].loss(inputs, LossSettings(temperature=temperature, alpha=alpha))
    assert float(loss) == pytest.approx(kdsnn_oracle(inputs, temperature, alpha), rel=1e-9)


def test_kdsnn_response_without_teacher_weight_is_cross_entropy():
    inputs = random_inputs(1)
    kd = METHODS["kdsnn-response"].loss(inputs, LossSettings(temperature=4, alpha=0))
    torch.testing.assert_close(kd, METHODS["cross-entropy"].loss(inputs, SETTINGS))


def test_kdsnn_response_is_least_where_student_and_teacher_agree():
    inputs = random_inputs(2, time_steps=1)
    logits = inputs.teacher_logits[None].clone().requires_grad_()
    agreeing = LossInputs(step_logits=logits, labels=inputs.labels, teacher_logits=inputs.teacher_logits)
    METHODS["kdsnn-response"].loss(agreeing, LossSettings(temperature=3, alpha=1)).backward()
    torch.testing.assert_close(logits.grad, torch.zeros_like(logits), atol=1e-12, rtol=0)


def test_kdsnn_response_has_hintons_gradient():
    """CE to soft targets and tau^2 KL differ by a constant: d/dz_S = alpha tau (Q_S - Q_T) / B."""
    inputs = random_inputs(3, time_steps=1)
    logits = inputs.step_logits.requires_grad_()
    METHODS["kdsnn-response"].loss(inputs, LossSettings(temperature=3, alpha=1)).backward()
    expected = 3 * ((logits[0] / 3).softmax(1) - (inputs.teacher_logits / 3).softmax(1)) / len(inputs.labels)
    torch.testing.assert_close(logits.grad[0], expected.detach())


@pytest.mark.parametrize("name", METHODS)
def test_gradients_agree_with_finite_differences(name):
    inputs = random_inputs(4)

    def loss(step_logits):
        return METHODS[name].loss(
            LossInputs(step_logits=step_logits, labels=inputs.labels, teacher_logits=inputs.teacher_logits), SETTINGS
        )

    assert torch.autograd.gradcheck(loss, inputs.step_logits.requires_grad_())


@pytest.mark.parametrize("name", METHODS)
def test_logits_are_the_mean_over_time(name):
    """Neither the order of the steps nor repeating them all changes a loss, so tau means the same at every T."""
    inputs = random_inputs(5)
    for steps in (inputs.step_logits.flip(0), inputs.step_logits.repeat(2, 1, 1)):
        other = LossInputs(step_logits=steps, labels=inputs.labels, teacher_logits=inputs.teacher_logits)
        torch.testing.assert_close(METHODS[name].loss(other, SETTINGS), METHODS[name].loss(inputs, SETTINGS))


@pytest.mark.parametrize("name", METHODS)
def test_a_method_that_declares_no_teacher_needs_none(name):
    method = METHODS[name]
    if Need.TEACHER_LOGITS not in method.needs:
        inputs = random_inputs(6)
        method.loss(LossInputs(step_logits=inputs.step_logits, labels=inputs.labels), SETTINGS)
    assert method.summary
