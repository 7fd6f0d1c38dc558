"""Windows of time against NumPy, at both ends (one step, the full run), and between networks of different time."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from snnc.distill.losses.spike_window import window_means, window_steps
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

NAME = "spike-window"


def mean_between(steps, low, high):
    """Mean of a step function over ``[low, high)``, as an integral over sixty pieces per step, in exact fractions."""
    pieces = len(steps) * 60
    inside = [i for i in range(pieces) if low <= Fraction(2 * i + 1, 2 * pieces) < high]
    return np.mean([steps[i // 60] for i in inside], axis=0)


def oracle(inputs, *, temperature, alpha, steps, stride, form, gain):
    student, _, labels = arrays(inputs)
    teacher = inputs.teacher_step_logits.numpy()
    time, tau, distances = len(student), temperature, []
    for a in range(0, time - steps + 1, stride):
        low, high = Fraction(a, time), Fraction(a + steps, time)
        a_s, a_t = student[a : a + steps].mean(0), mean_between(teacher, low, high)
        if form == "l2":
            distances.append(((a_t - a_s) ** 2).mean())
        else:
            distances.append(tau**2 * divergence(softmax(gain * a_t / tau), softmax(gain * a_s / tau)))
    return (1 - alpha) * cross_entropy(student.mean(0), labels) + alpha * np.mean(distances)


@pytest.mark.parametrize("form", ["soft", "l2"])
@pytest.mark.parametrize(
    ("time_steps", "teacher_steps", "window", "steps", "stride"),
    [
        (1, 1, 0.5, 1, 1),
        (4, 4, 2, 2, 1),
        (5, 5, 3, 3, 2),
        (4, 4, 1, 1, 1),
        (4, 4, 256, 4, 1),
        (5, 5, 0.5, 3, 1),
        (6, 6, 0.7, 5, 256),
        (4, 10, 2, 2, 1),
        (5, 2, 2, 2, 1),
        (3, 4, 1, 1, 2),
    ],
)
def test_equals_its_formula(form, time_steps, teacher_steps, window, steps, stride):
    inputs = random_inputs(time_steps, time_steps=time_steps, teacher_steps=teacher_steps)
    shared = {"temperature": 2.5, "alpha": 0.7, "form": form, "gain": 1.5, "stride": stride}
    loss = loss_of(NAME, inputs, window=window, **shared)
    assert float(loss) == pytest.approx(oracle(inputs, steps=steps, **shared))


@pytest.mark.parametrize(
    ("window", "time_steps", "steps"),
    [(0, 4, 1), (0.5, 4, 2), (0.5, 5, 3), (0.28, 25, 7), (0.999, 4, 4), (1, 4, 1), (1.5, 4, 2), (4, 4, 4), (9, 4, 4)],
)
def test_windows_are_given_in_steps_or_as_a_fraction(window, time_steps, steps):
    assert window_steps(window, time_steps) == steps


def test_the_full_window_is_response_distillation_but_for_the_teachers_entropy():
    inputs = random_inputs(0, teacher_steps=3)
    teacher = inputs.teacher_step_logits.mean(0)
    response = loss_of("kdsnn-response", replaced(inputs, teacher_logits=teacher), temperature=3, alpha=0.4)
    windowed = loss_of(NAME, inputs, window=3, temperature=3, alpha=0.4)
    assert float(response - windowed) == pytest.approx(0.4 * 9 * entropy(softmax(teacher.numpy() / 3)))


def test_windows_of_one_step_compare_step_by_step():
    inputs = random_inputs(1, teacher_steps=3)
    student, _, _ = arrays(inputs)
    teacher = inputs.teacher_step_logits.numpy()
    expected = 9 * np.mean([divergence(softmax(t / 3), softmax(s / 3)) for t, s in zip(teacher, student, strict=True)])
    assert float(loss_of(NAME, inputs, window=1, alpha=1)) == pytest.approx(expected)


@pytest.mark.parametrize("form", ["soft", "l2"])
@pytest.mark.parametrize("window", [1, 2, 4])
def test_equal_networks_have_nothing_to_distil(form, window):
    inputs = random_inputs(2, time_steps=4)
    agreeing = replaced(inputs, teacher_step_logits=inputs.step_logits)
    assert float(loss_of(NAME, agreeing, form=form, window=window, alpha=1)) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("window", [1, 2, 4])
def test_a_teacher_that_shows_every_step_twice_is_the_same_teacher(window):
    inputs = random_inputs(3, time_steps=4, teacher_steps=4)
    slower = replaced(inputs, teacher_step_logits=inputs.teacher_step_logits.repeat_interleave(2, dim=0))
    torch.testing.assert_close(loss_of(NAME, slower, window=window), loss_of(NAME, inputs, window=window))


def test_a_step_cut_by_the_border_counts_with_its_share():
    steps = torch.tensor([0.0, 3.0, 9.0], dtype=torch.float64)[:, None, None]
    low, high = torch.tensor([0.0, 0.5]).double(), torch.tensor([0.5, 1.0]).double()
    torch.testing.assert_close(window_means(steps, low, high).flatten(), torch.tensor([1.0, 7.0]).double())
