"""The partial distance against a loop over all elements, its limits, and the regressors."""

import dataclasses

import numpy as np
import pytest
import torch

from snnc.compiler.errors import OptionError
from snnc.distill.losses.interface import FeaturePair
from snnc.distill.losses.kdsnn_feature import METHOD, Regressors, pair_stages
from tests.distill.losses.batches import arrays, between, cross_entropy, loss_of, random_inputs, replaced, settings_of

NAME = "kdsnn-feature"


def oracle(inputs, *, weight, form):
    steps, _, labels = arrays(inputs)
    total = 0.0
    for position, pair in enumerate(inputs.features):
        student, teacher, margin = pair.student.numpy(), pair.teacher.numpy(), pair.margin.numpy()
        summed = 0.0
        for (b, c, h, w), s in np.ndenumerate(student):
            if form == "literal":
                t = max(teacher[b, c, h, w], 0.0)
            else:
                t = max(teacher[b, c, h, w], margin[c])
            if form == "literal" or not s <= t <= 0:
                summed += (t - s) ** 2
        total += summed / len(student) / 2 ** (len(inputs.features) - 1 - position)
    return cross_entropy(steps.mean(0), labels) + weight * total


@pytest.mark.parametrize("form", ["overhaul", "literal"])
def test_equals_its_formula(form):
    inputs = random_inputs(0)
    assert float(loss_of(NAME, inputs, weight=0.02, form=form)) == pytest.approx(oracle(inputs, weight=0.02, form=form))


def one_stage(student, teacher, margin):
    shape = (1, 1, 1, 1)
    pair = FeaturePair(
        student=torch.full(shape, student).double().requires_grad_(),
        teacher=torch.full(shape, teacher).double(),
        margin=torch.tensor([margin]).double(),
    )
    return replaced(random_inputs(1), features=(pair,)), pair.student


@pytest.mark.parametrize(
    ("form", "student", "teacher", "gradient"),
    [
        ("overhaul", -2.0, -0.3, 0.0),  # both silent: nothing to learn
        ("overhaul", -0.1, -0.3, 2 * (-0.1 - -0.3)),  # silent, but above the teacher: down to it
        ("overhaul", 0.5, -9.0, 2 * (0.5 - -1.0)),  # down to the margin, no further
        ("overhaul", -2.0, 0.7, 2 * (-2.0 - 0.7)),  # an active teacher counts on both sides
        ("overhaul", 1.5, 0.7, 2 * (1.5 - 0.7)),
        ("literal", -2.0, -0.3, 2 * -2.0),
        ("literal", 0.5, -9.0, 2 * 0.5),
        ("literal", 0.2, 0.7, 2 * (0.2 - 0.7)),
    ],
)
def test_where_the_teacher_is_silent_the_student_only_has_to_be(form, student, teacher, gradient):
    inputs, features = one_stage(student, teacher, -1.0)
    loss_of(NAME, inputs, weight=1, form=form).backward()
    assert float(features.grad) == pytest.approx(gradient)


def test_equal_features_leave_the_labels():
    inputs = random_inputs(2)
    features = tuple(
        dataclasses.replace(pair, student=torch.maximum(pair.teacher, pair.margin[:, None, None]))
        for pair in inputs.features
    )
    agreeing = replaced(inputs, features=features)
    torch.testing.assert_close(loss_of(NAME, agreeing, weight=1), loss_of("cross-entropy", inputs))


SHAPES = ((8, 12, 12), (6, 6, 6), (5, 3, 3), (20, 1, 1))
STAGES = ((4, 12, 12), (7, 8, 8), (9, 4, 4))


def test_regressors_make_rates_comparable():
    torch.manual_seed(0)
    assert METHOD.adapter is not None
    assert isinstance(METHOD.adapter(between(SHAPES, STAGES), settings_of(NAME)), Regressors)
    adapter = Regressors(between(SHAPES, STAGES))
    rates = tuple(torch.rand(6, *shape) for shape in SHAPES)
    outputs = adapter(rates)
    assert [tuple(output.shape) for output in outputs] == [(6, *stage) for stage in STAGES]
    assert all((output < 0).any() and (output > 0).any() for output in outputs)  # signed
    flat = adapter((*rates[:3], rates[3].flatten(1)))
    torch.testing.assert_close(flat, outputs)


def test_regressors_are_one_by_one_without_a_bias():
    adapter = Regressors(between(SHAPES, STAGES))
    kernels = [module for module in adapter.modules() if isinstance(module, torch.nn.Conv2d)]
    assert [tuple(kernel.weight.shape) for kernel in kernels] == [(4, 8, 1, 1), (7, 6, 1, 1), (9, 5, 1, 1)]
    assert all(kernel.bias is None for kernel in kernels)


def test_every_regressor_and_the_student_learn():
    torch.manual_seed(0)
    adapter = Regressors(between(SHAPES, STAGES))
    rates = tuple(torch.rand(6, *shape).requires_grad_() for shape in SHAPES)
    pairs = tuple(
        FeaturePair(student=output, teacher=torch.randn_like(output), margin=-torch.ones(output.shape[1]))
        for output in adapter(rates)
    )
    loss_of(NAME, replaced(random_inputs(3), features=pairs)).backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in adapter.parameters())
    assert [rate.grad is not None for rate in rates] == [True, True, True, False]


@pytest.mark.parametrize(
    ("students", "stages", "paired"),
    [
        (SHAPES, STAGES, (0, 1, 2)),
        (((8, 9, 9), (8, 9, 9)), ((4, 9, 9),), (1,)),  # the deepest of equals
        (((8, 9, 9),), ((4, 18, 18), (4, 3, 3)), (0, 0)),
        (((8, 9, 9), (30, 1, 1)), ((4, 9, 9), (4, 2, 2)), (0, 1)),
    ],
)
def test_stages_are_paired_by_size(students, stages, paired):
    assert pair_stages(students, stages) == paired


def test_networks_without_maps_are_refused():
    with pytest.raises(OptionError, match=r"no population of the student has a height.*--architecture.*--loss"):
        Regressors(between(((32, 1, 1),), STAGES))
    with pytest.raises(OptionError, match=r"teacher has no features.*--teacher"):
        Regressors(between(SHAPES, ()))
