"""Temporal separation with entropy regularisation against NumPy and at its limits."""

import numpy as np
import pytest
import torch

from tests.distill.losses.batches import (
    arrays,
    cross_entropy,
    divergence,
    entropy,
    loss_of,
    random_inputs,
    replaced,
    softmax,
)


def oracle(inputs, *, temperature, alpha, entropy_weight, readout):
    steps, teacher, labels = arrays(inputs)
    z = [steps[: t + 1].mean(0) for t in range(len(steps))] if readout == "prefix" else list(steps)
    tau = temperature
    return np.mean(
        [
            (1 - alpha) * cross_entropy(z_t, labels)
            + alpha * tau**2 * divergence(softmax(teacher / tau), softmax(z_t / tau))
            - entropy_weight * entropy(softmax(z_t / tau))
            for z_t in z
        ]
    )


@pytest.mark.parametrize("readout", ["step", "prefix"])
@pytest.mark.parametrize("time_steps", [1, 2, 5])
def test_equals_its_formula(readout, time_steps):
    inputs = random_inputs(time_steps, time_steps=time_steps)
    expected = oracle(inputs, temperature=2.5, alpha=0.6, entropy_weight=0.3, readout=readout)
    loss = loss_of("tser", inputs, temperature=2.5, alpha=0.6, entropy=0.3, readout=readout)
    assert float(loss) == pytest.approx(expected)


def test_one_step_without_reward_has_kdsnns_gradient():
    inputs = random_inputs(0, time_steps=1)
    gradients = []
    for name, options in (("tser", {"entropy": 0}), ("kdsnn-response", {})):
        logits = inputs.step_logits.clone().requires_grad_()
        loss_of(name, replaced(inputs, step_logits=logits), **options).backward()
        gradients.append(logits.grad)
    torch.testing.assert_close(*gradients)


def test_entropy_is_rewarded():
    """All else out of the loss, undecided answers cost less than sure ones, at most log K."""
    inputs = random_inputs(1)
    undecided = replaced(inputs, step_logits=torch.zeros_like(inputs.step_logits))
    difference = [loss_of("tser", i, entropy=1) - loss_of("tser", i, entropy=0) for i in (undecided, inputs)]
    assert float(difference[0]) == pytest.approx(-np.log(4))
    assert difference[0] < difference[1] < 0


def test_where_student_and_teacher_agree_the_distillation_is_zero():
    inputs = random_inputs(2)
    agreeing = replaced(inputs, step_logits=inputs.teacher_logits.expand(3, -1, -1))
    assert float(loss_of("tser", agreeing, alpha=1, entropy=0)) == pytest.approx(0, abs=1e-12)
