"""Temporal-wise distillation against NumPy, with both ensembles and both readouts."""

import numpy as np
import pytest
import torch

from tests.distill.losses.batches import arrays, cross_entropy, divergence, loss_of, random_inputs, replaced, softmax


def oracle(inputs, *, temperature, teacher, self, ensemble, readout):
    steps, teacher_logits, labels = arrays(inputs)
    z = [steps[: t + 1].mean(0) for t in range(len(steps))] if readout == "prefix" else list(steps)
    if ensemble == "mean":
        target = steps.mean(0)
    else:
        target = np.zeros_like(steps[0])
        for b, label in enumerate(labels):
            right = [z_t[b] for z_t in z if z_t[b].argmax() == label]
            target[b] = np.mean(right, axis=0) if right else 0
    tau = temperature
    return np.mean(
        [
            cross_entropy(z_t, labels)
            + teacher * tau**2 * divergence(softmax(teacher_logits / tau), softmax(z_t / tau))
            + self * tau**2 * divergence(softmax(target / tau), softmax(z_t / tau))
            for z_t in z
        ]
    )


@pytest.mark.parametrize("ensemble", ["mean", "correct"])
@pytest.mark.parametrize("readout", ["step", "prefix"])
@pytest.mark.parametrize("time_steps", [1, 2, 5])
def test_equals_its_formula(ensemble, readout, time_steps):
    options = {"temperature": 2.5, "teacher": 0.3, "self": 0.7, "ensemble": ensemble, "readout": readout}
    inputs = random_inputs(time_steps, time_steps=time_steps)
    assert float(loss_of("twkd", inputs, **options)) == pytest.approx(oracle(inputs, **options))


def test_the_defaults_are_the_papers():
    inputs = random_inputs(0)
    expected = oracle(inputs, temperature=3, teacher=0.2, self=0.5, ensemble="mean", readout="step")
    assert float(loss_of("twkd", inputs)) == pytest.approx(expected)


@pytest.mark.parametrize("readout", ["step", "prefix"])
def test_one_step_is_labels_and_teacher(readout):
    inputs = random_inputs(1, time_steps=1)
    losses = [loss_of("twkd", inputs, readout=readout, self=weight) for weight in (0, 5)]
    torch.testing.assert_close(losses[0], losses[1])


def test_where_all_agree_only_the_labels_remain():
    inputs = random_inputs(2)
    steps = inputs.teacher_logits.expand(3, -1, -1)
    agreeing = replaced(inputs, step_logits=steps)
    torch.testing.assert_close(loss_of("twkd", agreeing), loss_of("cross-entropy", agreeing))


def test_a_sample_without_a_correct_step_is_drawn_to_uniform():
    inputs = random_inputs(3, batch=1)
    wrong = replaced(inputs, labels=inputs.step_logits.sum(0).argmin(1))
    wrong = replaced(wrong, step_logits=-(inputs.step_logits.abs()) * torch.nn.functional.one_hot(wrong.labels, 4))
    losses = [loss_of("twkd", wrong, ensemble="correct", self=weight) for weight in (0, 1)]
    p = softmax(wrong.step_logits.numpy() / 3)
    assert float(losses[1] - losses[0]) == pytest.approx(9 * divergence(np.full_like(p, 0.25), p))


@pytest.mark.parametrize("ensemble", ["mean", "correct"])
def test_the_ensemble_is_a_target_without_gradient(ensemble):
    """d/dz[t] of the self term is that of a divergence from a constant: tau (p_t - p_ens) / (T B)."""
    inputs = random_inputs(4)
    gradients = []
    for weight in (0, 1):
        logits = inputs.step_logits.clone().requires_grad_()
        loss_of("twkd", replaced(inputs, step_logits=logits), ensemble=ensemble, self=weight).backward()
        gradients.append(logits.grad)
    z, labels = inputs.step_logits, inputs.labels
    right = (z.argmax(2) == labels).double()[..., None] if ensemble == "correct" else torch.ones_like(z[..., :1])
    target = (right * z).sum(0) / right.sum(0).clamp(min=1)
    expected = 3 * ((z / 3).softmax(2) - (target / 3).softmax(1)) / z[..., 0].numel()
    torch.testing.assert_close(gradients[1] - gradients[0], expected)


def test_prefixes_train_what_the_hardware_reads_early():
    """Step t's logits enter only the readouts at t and after, the last one's those of the full run."""
    inputs = random_inputs(5, time_steps=4)
    first = replaced(inputs, step_logits=inputs.step_logits.clone().requires_grad_())
    loss_of("twkd", first, readout="prefix", teacher=0, self=0).backward()
    z, labels = inputs.step_logits, inputs.labels
    expected = torch.zeros_like(z)
    for t in range(4):
        p = z[: t + 1].mean(0).softmax(1) - torch.nn.functional.one_hot(labels, 4)
        expected[: t + 1] += p / (len(labels) * 4 * (t + 1))
    torch.testing.assert_close(first.step_logits.grad, expected)
