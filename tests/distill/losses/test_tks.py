"""Temporal knowledge sharing against NumPy, and its way from labels to right steps."""

import numpy as np
import pytest
import torch

from tests.distill.losses.batches import arrays, cross_entropy, loss_of, random_inputs, replaced, softmax


def oracle(inputs, *, temperature, share, softened, together):
    steps, _, labels = arrays(inputs)
    target = np.zeros_like(steps[0])
    for b, label in enumerate(labels):
        right = [z[b] for z in steps if z[b].argmax() == label]
        if right:
            target[b] = np.sum(right, axis=0) if together == "sum" else np.mean(right, axis=0)
    tau = temperature
    p = softmax(target / tau)
    soft = []
    for z in steps:
        q = softmax(z / tau) if softened == "both" else softmax(z)
        each = (p * np.log(p / q)) if softened == "both" else -p * np.log(q)
        soft.append(tau**2 * each.sum(axis=1).mean())
    labels_part = np.mean([cross_entropy(z, labels) for z in steps])
    a = 1 - share * inputs.progress
    return a * labels_part + (1 - a) * np.mean(soft)


@pytest.mark.parametrize("softened", ["both", "target"])
@pytest.mark.parametrize("together", ["sum", "mean"])
def test_equals_its_formula(softened, together):
    options = {"temperature": 2.5, "share": 0.6, "softened": softened, "together": together}
    inputs = random_inputs(0, time_steps=4, batch=12)
    assert float(loss_of("tks", inputs, **options)) == pytest.approx(oracle(inputs, **options))


def test_at_first_there_are_the_labels_alone():
    inputs = replaced(random_inputs(1), progress=0.0)
    torch.testing.assert_close(loss_of("tks", inputs), loss_of("tks", inputs, share=0))
    later = replaced(inputs, progress=0.9)
    assert loss_of("tks", later) != loss_of("tks", later, share=0)


def test_the_right_steps_are_a_target_without_gradient():
    inputs = random_inputs(2, batch=12)
    logits = inputs.step_logits.clone().requires_grad_()
    loss_of("tks", replaced(inputs, step_logits=logits, progress=0.999999), share=1, together="mean").backward()
    right = (inputs.step_logits.argmax(2) == inputs.labels).double()[..., None]
    target = (right * inputs.step_logits).sum(0) / right.sum(0).clamp(min=1)
    tau, (steps, batch, _) = 3.0, inputs.step_logits.shape
    expected = tau * ((inputs.step_logits / tau).softmax(2) - (target / tau).softmax(1)) / (steps * batch)
    torch.testing.assert_close(logits.grad, expected, atol=1e-5, rtol=1e-4)
