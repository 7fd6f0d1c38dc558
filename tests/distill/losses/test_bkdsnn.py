"""Blurred distillation against NumPy, and the module that restores what was dropped."""

import numpy as np
import pytest
import torch

from snnc.distill.losses.bkdsnn import Restorer
from tests.distill.losses.batches import arrays, between, cross_entropy, divergence, loss_of, random_inputs, softmax

SHAPES, STAGES = ((8, 6, 6), (5, 3, 3)), ((4, 6, 6), (9, 3, 3))


def test_equals_its_formula():
    inputs = random_inputs(0)
    steps, teacher_logits, labels = arrays(inputs)
    pair = inputs.features[-1]
    teacher = np.maximum(pair.teacher.numpy(), 0)
    distance = ((pair.student.numpy() - teacher / teacher.max()) ** 2).sum() / len(teacher)
    own, tau = steps.mean(0), 2.0
    expected = 0.7 * cross_entropy(own, labels)
    expected += 0.3 * tau**2 * divergence(softmax(teacher_logits / tau), softmax(own / tau))
    found = loss_of("bkdsnn", inputs, temperature=tau, alpha=0.3, weight=0.01)
    assert float(found) == pytest.approx(expected + 0.01 * distance)


def noise(seed=0):
    return torch.Generator().manual_seed(seed)


def test_it_restores_the_last_stage_from_channels_that_are_not_dropped():
    torch.manual_seed(0)
    adapter = Restorer(between(SHAPES, STAGES), 0.5)
    rates = tuple(torch.rand(6, *shape) for shape in SHAPES)
    (restored,) = adapter(rates, noise())
    assert restored.shape == (6, 9, 3, 3)
    seen = []
    adapter.restore.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    adapter(rates, noise(1))
    whole = adapter.align(rates[1])
    kept = (seen[0] != 0).flatten(2).all(dim=2)
    dropped = (seen[0] == 0).flatten(2).all(dim=2)
    assert bool((kept | dropped).all()), "a channel is dropped as a whole"
    assert 0.25 < float(dropped.float().mean()) < 0.75
    torch.testing.assert_close(seen[0][kept], whole[kept])


def test_what_is_dropped_comes_from_its_own_generator_and_in_training_alone():
    adapter = Restorer(between(SHAPES, STAGES), 0.5)
    rates = tuple(torch.rand(6, *shape) for shape in SHAPES)
    first = adapter(rates, noise(3))[0]
    torch.rand(5)
    assert torch.equal(first, adapter(rates, noise(3))[0])
    assert not torch.equal(first, adapter(rates, noise(4))[0])
    adapter.eval()
    assert torch.equal(adapter(rates, noise(3))[0], adapter(rates, noise(4))[0])
