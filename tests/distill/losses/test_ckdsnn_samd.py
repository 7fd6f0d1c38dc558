"""Saliency distillation against NumPy in all its scalings, and what each is indifferent to."""

import numpy as np
import pytest
import torch

from snnc.compiler.errors import OptionError
from snnc.distill.losses.ckdsnn_samd import student_map
from tests.distill.losses.batches import arrays, cross_entropy, divergence, loss_of, random_inputs, replaced, softmax

NAME = "ckdsnn-samd"


def oracle(inputs, *, saliency, map_temperature, minmax, scale, cam, kind):
    steps, _, labels = arrays(inputs)
    spikes = inputs.spikes[1].numpy()  # 4x4, the last with 16 positions
    student = spikes.sum(axis=(0, 2)) if kind == "count" else (spikes.mean(0) ** 2).sum(1)
    teacher = inputs.teacher_map.numpy()
    teacher = np.maximum(teacher, 0) if cam == "gradcam" else teacher
    rows = []
    for maps in (teacher, student):
        if minmax == "batch" and scale != "zscore":
            maps = (maps - maps.min()) / (maps.max() - maps.min())
        elif minmax == "sample" or scale == "zscore":
            maps = np.stack([(m - m.min()) / (m.max() - m.min()) for m in maps])
        m = maps.reshape(len(maps), -1)
        if scale == "zscore":
            m = (m - m.mean(1, keepdims=True)) / m.std(1, keepdims=True)
        rows.append(m)
    t, s = rows
    if scale == "l2":
        t, s = (m / np.linalg.norm(m, axis=1, keepdims=True) for m in (t, s))
        distance = ((t - s) ** 2).sum(1).mean()
    else:
        distance = map_temperature**2 * divergence(softmax(t / map_temperature), softmax(s / map_temperature))
    return cross_entropy(steps.mean(0), labels) + saliency * distance


@pytest.mark.parametrize("kind", ["count", "sumsq"])
@pytest.mark.parametrize("cam", ["cam", "gradcam"])
@pytest.mark.parametrize("scale", ["softmax", "zscore", "l2"])
@pytest.mark.parametrize("minmax", ["sample", "batch", "none"])
def test_equals_its_formula(kind, cam, scale, minmax):
    inputs = random_inputs(0, teacher_map=(4, 4))
    options = {"saliency": 3.0, "map_temperature": 0.5, "minmax": minmax, "scale": scale, "cam": cam}
    loss = loss_of(NAME, inputs, map=kind, **options)
    assert float(loss) == pytest.approx(oracle(inputs, kind=kind, **options))


@pytest.mark.parametrize("scale", ["softmax", "zscore", "l2"])
def test_equal_maps_leave_the_labels(scale):
    inputs = random_inputs(1)
    same = replaced(inputs, teacher_map=inputs.spikes[1].sum(dim=(0, 2)))
    torch.testing.assert_close(loss_of(NAME, same, scale=scale), loss_of("cross-entropy", inputs))


@pytest.mark.parametrize("scale", ["softmax", "zscore"])
def test_per_sample_maps_have_no_scale_of_their_own(scale):
    """So T steps of spikes and features of any size are compared alike."""
    inputs = random_inputs(2)
    factors = torch.arange(1, 6).double()[:, None, None]
    brighter = replaced(inputs, teacher_map=inputs.teacher_map * factors + 3 * factors)
    torch.testing.assert_close(loss_of(NAME, brighter, scale=scale), loss_of(NAME, inputs, scale=scale))
    longer = replaced(inputs, spikes=tuple(s.repeat(2, 1, *[1] * (s.dim() - 2)) for s in inputs.spikes))
    torch.testing.assert_close(loss_of(NAME, longer, scale=scale), loss_of(NAME, inputs, scale=scale))


def test_maps_of_a_batch_are_scaled_together():
    inputs = random_inputs(3)
    brighter = replaced(inputs, teacher_map=inputs.teacher_map * torch.arange(1, 6).double()[:, None, None])
    assert not torch.isclose(loss_of(NAME, brighter, minmax="batch"), loss_of(NAME, inputs, minmax="batch"))


@pytest.mark.parametrize("size", [2, 8])
def test_maps_of_different_size_are_averaged_to_the_smaller(size):
    """A map of 2x2 values is the same map when each is drawn finer, whichever of the two networks draws it."""
    inputs = random_inputs(4)
    coarse = torch.randn(5, 2, 2, generator=torch.Generator().manual_seed(0)).double()

    def finer(maps, factor):
        return maps.repeat_interleave(factor, -1).repeat_interleave(factor, -2)

    blocks = torch.rand(3, 5, 1, 2, 2, generator=torch.Generator().manual_seed(1)).double()
    student = replaced(inputs, spikes=(finer(blocks, 2),))
    expected = loss_of(NAME, replaced(student, teacher_map=finer(coarse, 2)), scale="l2")
    torch.testing.assert_close(
        loss_of(NAME, replaced(student, teacher_map=finer(coarse, size // 2)), scale="l2"), expected
    )


def test_the_student_is_drawn_to_where_the_teacher_looks():
    inputs = random_inputs(5, teacher_map=(4, 4))
    teacher = torch.zeros_like(inputs.teacher_map)
    teacher[:, 1, 2] = 1
    spikes = tuple(torch.zeros_like(s).requires_grad_() for s in inputs.spikes)
    loss_of(NAME, replaced(inputs, teacher_map=teacher, spikes=spikes)).backward()
    gradient = spikes[1].grad
    assert gradient is not None
    falls = gradient.numpy() < 0
    assert falls[..., 1, 2].all()
    assert falls.sum() == falls[..., 1, 2].size
    assert spikes[0].grad is None


def test_the_map_is_that_of_the_last_population_with_enough_positions():
    inputs = random_inputs(6)
    assert student_map(inputs.spikes, "count").shape == (5, 4, 4)
    assert student_map(random_inputs(6, shapes=((2, 6, 6), (2, 3, 3), (9,))).spikes, "count").shape == (5, 6, 6)
    with pytest.raises(OptionError, match=r"16 or more positions; add a convolution to --architecture"):
        loss_of(NAME, random_inputs(6, shapes=((2, 3, 3), (20,))))
