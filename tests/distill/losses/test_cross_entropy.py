"""The baseline is the cross-entropy of the time-mean logits, and nothing else."""

import pytest

from snnc.distill.losses import METHODS
from tests.distill.losses.batches import arrays, cross_entropy, loss_of, random_inputs


@pytest.mark.parametrize("time_steps", [1, 4])
def test_equals_its_formula(time_steps):
    inputs = random_inputs(0, time_steps=time_steps)
    student, _, labels = arrays(inputs)
    assert float(loss_of("cross-entropy", inputs)) == pytest.approx(cross_entropy(student.mean(0), labels))


def test_needs_no_teacher():
    assert not METHODS["cross-entropy"].needs
