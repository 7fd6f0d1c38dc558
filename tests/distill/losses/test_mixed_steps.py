"""Mixed time steps: the loss against NumPy, how steps are regrouped, and what the training loop draws."""

import dataclasses

import numpy as np
import pytest
import torch

from snnc.distill.config import DEFAULTS
from snnc.distill.losses import METHODS
from snnc.distill.objective import Lesson, Objective, Trainee, encode_for
from snnc.distill.students import Phase, Signal, Student
from tests.distill.losses.batches import arrays, cross_entropy, loss_of, random_inputs, replaced, settings_of

CONFIG = dataclasses.replace(DEFAULTS["digits"], architecture="1x8x8-4c3-6r3-5-10", loss="cross-entropy")


def test_equals_its_formula():
    inputs = random_inputs(0)
    steps, _, labels = arrays(inputs)
    each = [cross_entropy(logits.numpy(), labels) for logits in inputs.mixed_logits]
    expected = cross_entropy(steps.mean(0), labels) + 0.3 * np.mean(each)
    assert float(loss_of("mixed-steps", inputs, weight=0.3)) == pytest.approx(expected)
    timeless = replaced(inputs, mixed_logits=())
    torch.testing.assert_close(loss_of("mixed-steps", timeless), loss_of("cross-entropy", timeless))


@pytest.mark.parametrize(
    ("steps", "groups"),
    [
        (1, [[0, 1, 2, 3]]),
        (2, [[0, 1], [2, 3]]),
        (3, [[0], [1, 2], [3]]),
        (4, [[0], [1], [2], [3]]),
        (5, [[0], [1], [2], [2], [3]]),
        (8, [[0], [0], [1], [1], [2], [2], [3], [3]]),
    ],
)
def test_steps_are_summed_in_groups_or_repeated(steps, groups):
    values = 2.0 ** torch.arange(4)[:, None].expand(4, 3)
    found = Signal(values=values, constant=False).regrouped(steps)
    assert found.values[:, 0].tolist() == [sum(2.0**step for step in group) for group in groups]
    constant = Signal(values=values, constant=True)
    assert constant.regrouped(steps) is constant


def network():
    torch.manual_seed(0)
    student = Student(CONFIG.student)
    for layer in student.populations.values():
        if layer.norm is not None:
            torch.nn.init.normal_(layer.norm.bias, mean=0.3)
    return student


def images():
    return torch.randint(0, 256, (7, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def test_layers_of_equal_steps_are_a_shorter_run():
    student = network().eval()
    x = encode_for(student, images(), None)
    for steps in (1, 3, 4):
        mixed = student(x, mixed=dict.fromkeys(student.populations, steps))
        torch.testing.assert_close(mixed.step_logits, student(x, time_steps=steps).step_logits)
    several = student(x, mixed={name: 1 + k % 4 for k, name in enumerate(student.populations)})
    assert [len(spikes) for spikes in several.spikes.values()] == [1, 2, 3, 4]
    assert len(several.readout) == 1
    assert several.readout.abs().sum() > 0


def given(student, *, phase=Phase.FLOAT, noise=0, samples=3):
    student.phase = phase
    seen = []

    def spy(inputs, settings):
        seen.append(inputs)
        return inputs.step_logits.mean()

    method = dataclasses.replace(METHODS["mixed-steps"], loss=spy)
    objective = Objective(method, settings_of("mixed-steps", samples=samples), teacher=None, float_copy=None)
    lesson = Lesson(
        images=images(),
        labels=torch.arange(7),
        answers=None,
        events=torch.Generator(),
        noise=torch.Generator().manual_seed(noise),
        progress=0.0,
    )
    objective(Trainee(student, None), lesson)
    return seen[0]


def test_steps_are_drawn_from_their_own_generator():
    student = network().eval()
    first, again, other = (given(student, noise=noise).mixed_logits for noise in (5, 5, 6))
    assert [logits.shape for logits in first] == [(7, 10)] * 3
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, other, strict=True))
    assert given(student, phase=Phase.TWIN).mixed_logits == ()


def test_batch_norms_remember_the_whole_run_alone():
    one, other = network().train(), network().train()
    given(one, samples=4)
    other.phase = Phase.FLOAT
    other(encode_for(other, images(), None))
    for name, value in one.state_dict().items():
        if name.endswith(("running_mean", "running_var")):
            assert torch.equal(value, other.state_dict()[name]), name
    assert all(module.momentum == 0.1 for module in one.modules() if isinstance(module, torch.nn.BatchNorm2d))
