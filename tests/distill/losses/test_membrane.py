"""Membrane distillation against NumPy, without membranes, and clipped."""

import numpy as np
import pytest
import torch

from tests.distill.losses.batches import loss_of, random_inputs, replaced

NAME = "membrane"


def gram(u):
    x = u.transpose(1, 0, *range(2, u.ndim)).reshape(u.shape[1], -1)
    g = x @ x.T
    return g / np.linalg.norm(g, axis=1, keepdims=True)


@pytest.mark.parametrize("form", ["mse", "gram"])
@pytest.mark.parametrize("populations", [1, 2, 64])
def test_equals_its_formula(form, populations):
    inputs = random_inputs(0)
    distances = []
    for u, v in list(zip(inputs.membranes, inputs.float_membranes, strict=True))[-populations:]:
        u, v = np.clip(u.numpy(), -0.8, 0.8), np.clip(v.numpy(), -0.8, 0.8)
        distances.append(((u - v) ** 2).mean() if form == "mse" else ((gram(u) - gram(v)) ** 2).mean())
    expected = float(loss_of("kdsnn-response", inputs)) + 0.3 * np.mean(distances)
    loss = loss_of(NAME, inputs, weight=0.3, populations=populations, clip=0.8, form=form)
    assert float(loss) == pytest.approx(expected)


def test_without_membranes_is_kdsnn_response():
    inputs = replaced(random_inputs(1), membranes=(), float_membranes=())
    assert torch.equal(loss_of(NAME, inputs), loss_of("kdsnn-response", inputs))


@pytest.mark.parametrize("form", ["mse", "gram"])
def test_equal_membranes_cost_nothing(form):
    inputs = random_inputs(2)
    agreeing = replaced(inputs, float_membranes=inputs.membranes)
    torch.testing.assert_close(loss_of(NAME, agreeing, form=form), loss_of("kdsnn-response", inputs))


def test_a_neuron_driven_beyond_the_clip_is_left_alone():
    inputs = random_inputs(3)
    membranes = tuple((4 * u).requires_grad_() for u in inputs.membranes)
    loss_of(NAME, replaced(inputs, membranes=membranes), clip=2).backward()
    for u in membranes[-2:]:
        beyond = u.detach().abs() > 2
        assert beyond.any()
        assert torch.equal(u.grad != 0, ~beyond)
    assert membranes[0].grad is None


def test_gram_matrices_do_not_see_a_rotation_of_the_neurons():
    inputs = random_inputs(4, shapes=((7,),))
    rotation = torch.linalg.qr(torch.randn(7, 7, generator=torch.Generator().manual_seed(0)).double())[0]
    rotated = replaced(inputs, membranes=(inputs.membranes[0] @ rotation,))
    options = {"form": "gram", "clip": 100}
    torch.testing.assert_close(loss_of(NAME, rotated, **options), loss_of(NAME, inputs, **options))


def test_populations_that_do_not_match_are_a_mistake():
    inputs = random_inputs(5)
    with pytest.raises(ValueError, match="zip"):
        loss_of(NAME, replaced(inputs, float_membranes=inputs.float_membranes[1:]))
