"""Attention transfer against NumPy, and the maps that it compares."""

import numpy as np
import pytest
import torch

from snnc.distill.losses.lasnn import Resizer
from tests.distill.losses.batches import arrays, between, cross_entropy, divergence, loss_of, random_inputs, softmax


def attention(maps):
    flat = (maps**2).sum(axis=1).reshape(len(maps), -1)
    return flat / np.linalg.norm(flat, axis=1, keepdims=True)


def test_equals_its_formula():
    inputs = random_inputs(0)
    steps, teacher_logits, labels = arrays(inputs)
    distances = [
        ((attention(p.student.numpy()) - attention(np.maximum(p.teacher.numpy(), 0))) ** 2).sum(axis=1).mean()
        for p in inputs.features
    ]
    own, tau = steps.mean(0), 2.0
    expected = 0.7 * cross_entropy(own, labels)
    expected += 0.3 * tau**2 * divergence(softmax(teacher_logits / tau), softmax(own / tau))
    found = loss_of("lasnn", inputs, temperature=tau, alpha=0.3, weight=0.4)
    assert float(found) == pytest.approx(expected + 0.4 * np.mean(distances))


def test_maps_take_the_size_of_the_teachers_and_keep_their_channels():
    shapes, stages = ((8, 12, 12), (6, 6, 6), (20, 1, 1)), ((4, 12, 12), (7, 8, 8), (9, 4, 4))
    adapter = Resizer(between(shapes, stages))
    rates = tuple(torch.rand(5, *shape) for shape in shapes)
    assert [tuple(found.shape) for found in adapter(rates)] == [(5, 8, 12, 12), (5, 6, 8, 8), (5, 6, 4, 4)]
    assert not list(adapter.parameters())
