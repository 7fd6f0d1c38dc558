"""The learned-step quantiser: its grid, its gradients, its starting point."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from snnc.distill.quantisers import initial_log_step, integer_weights, largest_weight, round_through, step_size


@given(seed=st.integers(0, 2**31), bits=st.integers(1, 8), per_channel=st.booleans())
def test_integers_are_those_of_the_contract(seed, bits, per_channel):
    weight = torch.randn(6, 9, generator=torch.Generator().manual_seed(seed))
    step = step_size(initial_log_step([weight], bits, per_channel=per_channel))
    integers = integer_weights(weight, step, bits).numpy()
    limit = 2 ** (bits - 1) - 1
    if bits == 1:
        assert largest_weight(bits) == 1
        np.testing.assert_array_equal(integers, np.where(weight.numpy() >= 0, 1, -1))
        return
    expected = np.clip(np.round(weight.numpy().astype(np.float64) / step.numpy()[:, None]), -limit, limit)
    np.testing.assert_array_equal(integers, expected)
    assert largest_weight(bits) == limit


def test_ties_round_to_even():
    weight = torch.tensor([[-2.5, -1.5, -0.5, 0.5, 1.5, 2.5]])
    assert integer_weights(weight, torch.ones(1), 4).tolist() == [[-2, -2, 0, 0, 2, 2]]


def test_rounding_passes_gradients_through():
    x = torch.tensor([0.2, 0.7, -3.4], requires_grad=True)
    (gradient,) = torch.autograd.grad((round_through(x) * torch.tensor([1.0, 2.0, 3.0])).sum(), x)
    assert gradient.tolist() == [1, 2, 3]


def test_gradients_are_those_of_lsq():
    """Weights: 1 inside the range, 0 outside. Step: round(w/d) - w/d inside, the limit outside (eq. 3 of the paper)."""
    weight = torch.tensor([[0.3, -0.55, 2.0, -5.0]], dtype=torch.float64, requires_grad=True)
    step = torch.tensor([0.25], dtype=torch.float64, requires_grad=True)
    of_weight, of_step = torch.autograd.grad((integer_weights(weight, step, 3) * step).sum(), (weight, step))
    assert of_weight.tolist() == [[1, 1, 0, 0]]
    ratio = np.array([0.3, -0.55]) / 0.25
    assert float(of_step) == pytest.approx(float((np.round(ratio) - ratio).sum()) + 3 - 3)


def test_a_binary_weight_is_a_sign_that_passes_gradients_inside_its_step():
    weight = torch.tensor([[0.0, -0.2, 0.6, -0.7]], dtype=torch.float64, requires_grad=True)
    integers = integer_weights(weight, torch.tensor([0.5]), 1)
    assert integers.tolist() == [[1, -1, 1, -1]]
    (gradient,) = torch.autograd.grad(integers.sum(), weight)
    assert gradient.tolist() == [[2, 2, 0, 0]]


def test_projections_into_one_population_share_its_steps():
    one, other = torch.ones(2, 3), torch.full((2, 1, 3, 3), 3.0)
    together = initial_log_step([one, other], 4, per_channel=True).exp()
    assert together.tolist() == pytest.approx([2 * 2.5 / 7**0.5] * 2)


def test_steps_are_numbers_that_a_float32_holds():
    step = step_size(torch.randn(100, generator=torch.Generator().manual_seed(0)))
    assert torch.equal(step, step.float().double())


def test_a_step_survives_a_channel_of_zeros():
    weight = torch.zeros(2, 3)
    weight[1] = 1
    step = step_size(initial_log_step([weight], 4, per_channel=True))
    assert (step > 0).all()
    assert torch.isfinite(integer_weights(weight, step, 4)).all()
