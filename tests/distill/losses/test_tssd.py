"""Self-distillation in time and space against NumPy, and the classifier that it throws away."""

import pytest
import torch

from snnc.distill.losses.tssd import METHOD
from tests.distill.losses.batches import (
    arrays,
    between,
    cross_entropy,
    divergence,
    loss_of,
    random_inputs,
    replaced,
    settings_of,
    softmax,
)


def test_equals_its_formula():
    inputs = random_inputs(0)
    steps, _, labels = arrays(inputs)
    own, longer, weak = steps.mean(0), inputs.longer_step_logits.numpy().mean(0), inputs.weak_logits.numpy()
    tau = 2.0
    expected = cross_entropy(own, labels)
    expected += 0.3 * tau**2 * divergence(softmax(longer / tau), softmax(own / tau))
    expected += 0.8 * tau**2 * divergence(softmax(own / tau), softmax(weak / tau))
    assert float(loss_of("tssd", inputs, temperature=tau, temporal=0.3, spatial=0.8)) == pytest.approx(expected)


def test_without_time_there_is_no_longer_run():
    inputs = replaced(random_inputs(1), longer_step_logits=None)
    torch.testing.assert_close(loss_of("tssd", inputs, temporal=5), loss_of("tssd", inputs, temporal=0))


def test_the_weak_classifier_learns_and_teaches_nobody():
    inputs = random_inputs(2)
    weak, steps = (x.clone().requires_grad_() for x in (inputs.weak_logits, inputs.step_logits))
    loss_of("tssd", replaced(inputs, weak_logits=weak, step_logits=steps), temporal=0).backward()
    alone = inputs.step_logits.clone().requires_grad_()
    loss_of("cross-entropy", replaced(inputs, step_logits=alone)).backward()
    torch.testing.assert_close(steps.grad, alone.grad)
    assert weak.grad is not None
    assert weak.grad.abs().sum() > 0


def test_it_looks_at_the_middle_of_the_network():
    shapes = ((3, 6, 6), (4, 8, 2), (7, 1, 1))
    assert METHOD.adapter is not None
    adapter = METHOD.adapter(between(shapes, ()), settings_of("tssd"))
    rates = [torch.rand(5, *shape, requires_grad=True) for shape in shapes]
    logits = adapter(tuple(rates))
    assert logits.shape == (5, 4)
    logits.sum().backward()
    assert [bool(rate.grad is not None) for rate in rates] == [False, True, False]
