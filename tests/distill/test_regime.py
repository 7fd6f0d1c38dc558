"""What a training set is made to lack: seeded, per class, nested, and never in validation or test."""

import dataclasses

import numpy as np
import pytest
import torch
from torch.nn import functional

from snnc.compiler.errors import OptionError
from snnc.distill.checkpoint import TrainingState
from snnc.distill.config import DEFAULTS, plain
from snnc.distill.course import TEACHER_NEEDS
from snnc.distill.data import Split, load
from snnc.distill.data.regime import UNLABELLED, Regime, labelled_only, restrict
from snnc.distill.losses import METHODS
from snnc.distill.losses.interface import Need
from snnc.distill.objective import Objective
from snnc.distill.teachers import TeacherKind, build_teacher
from snnc.distill.train import distil_student, train_teacher

LABELS = np.repeat(np.arange(4), (100, 60, 30, 10))
SPLIT = Split(images=np.arange(200, dtype=np.uint8).reshape(200, 1, 1, 1), labels=LABELS)


def seen(seed=0, **regime):
    return restrict(SPLIT, Regime(**regime), classes=4, seed=seed)


def numbers(split):
    return split.images.ravel().tolist()


def test_nothing_is_missing_unless_it_is_asked_for():
    whole = seen()
    assert numbers(whole) == numbers(SPLIT)
    np.testing.assert_array_equal(whole.labels, LABELS)
    assert labelled_only(whole) is whole


@pytest.mark.parametrize("count", [4, 5, 37, 199, 200])
def test_images_are_the_same_share_of_every_class(count):
    part = seen(images=count)
    assert len(part) == count
    np.testing.assert_array_equal(part.labels, LABELS[numbers(part)])
    found = np.bincount(part.labels, minlength=4)
    assert all(found >= 1)
    assert np.abs(found - np.maximum(1, count * np.array([0.5, 0.3, 0.15, 0.05]))).max() <= 3


def test_a_share_of_the_labels_is_known_and_no_image_is_lost():
    part = seen(labelled=0.1)
    assert numbers(part) == numbers(SPLIT)
    known = part.labels != UNLABELLED
    np.testing.assert_array_equal(part.labels[known], LABELS[known])
    assert np.bincount(part.labels[known]).tolist() == [10, 6, 3, 1]
    assert np.bincount(seen(labelled=0.001).labels + 1).tolist() == [196, 1, 1, 1, 1]
    assert set(seen(labelled=0.0).labels) == {UNLABELLED}


def test_less_is_part_of_more_and_a_seed_is_another_choice():
    def known(labelled, seed=0):
        return set(np.flatnonzero(seen(seed, labelled=labelled).labels != UNLABELLED))

    def wrong(noise, seed=0):
        return set(np.flatnonzero(seen(seed, label_noise=noise).labels != LABELS))

    assert known(0.1) < known(0.3) < known(0.9)
    assert wrong(0.1) < wrong(0.3) < wrong(0.9)
    assert known(0.1) == known(0.1)
    assert known(0.1) != known(0.1, seed=1)
    assert wrong(0.1) != wrong(0.1, seed=1)


def test_wrong_labels_are_as_many_as_asked_for_and_all_wrong():
    noisy = seen(label_noise=0.2)
    wrong = noisy.labels != LABELS
    assert wrong.sum() == 40
    assert set(noisy.labels) <= set(range(4))
    assert (seen(label_noise=1.0).labels != LABELS).all()
    few = seen(labelled=0.1, label_noise=0.5)
    known = few.labels != UNLABELLED
    assert known.sum() == 20
    assert (few.labels[known] != LABELS[known]).sum() == 10


def test_who_needs_labels_sees_those_alone_as_often_as_others_see_all():
    few = seen(labelled=0.1)
    alone = labelled_only(few)
    assert len(alone) == len(few)
    counts = np.unique(numbers(alone), return_counts=True)
    assert set(counts[0]) == set(np.flatnonzero(few.labels != UNLABELLED))
    assert set(counts[1]) == {10}
    np.testing.assert_array_equal(alone.labels, LABELS[numbers(alone)])
    with pytest.raises(OptionError, match="--teacher-from"):
        labelled_only(seen(labelled=0.0))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"labelled": 1.1}, "--labelled must be 0.0 to 1.0, not 1.1"),
        ({"labelled": float("nan")}, "--labelled"),
        ({"label_noise": -0.1}, "--label-noise"),
        ({"images": -1}, "--images"),
    ],
)
def test_what_cannot_be_is_refused(wrong, message):
    with pytest.raises(OptionError, match=message):
        Regime(**wrong)
    with pytest.raises(OptionError, match=message):
        dataclasses.replace(DEFAULTS["digits"], **wrong)


@pytest.mark.parametrize("count", [3, 201])
def test_images_that_are_not_there_are_refused(count):
    with pytest.raises(OptionError, match="--images must be 4, one of each class, to 200"):
        seen(images=count)


CONFIG = dataclasses.replace(
    DEFAULTS["digits"], architecture="1x8x8-4c3-10", epochs=3, teacher=TeacherKind.VGG, teacher_epochs=1, batch_size=64
)


def lessons(monkeypatch, config, teacher=None):
    """Labels of every batch that the student and a teacher that is trained here see."""
    digits = load("digits")
    found = []
    original = Objective.__call__

    def spy(self, trainee, lesson):
        found.append(lesson)
        return original(self, trainee, lesson)

    monkeypatch.setattr(Objective, "__call__", spy)
    checkpoint = distil_student(
        config,
        digits,
        state=TrainingState(config=plain(config)),
        save=lambda _: None,
        on_epoch=lambda _: None,
        teacher=teacher,
    )
    return found, checkpoint


def ann():
    torch.manual_seed(0)
    return build_teacher(TeacherKind.VGG, (1, 8, 8), 10).eval().requires_grad_(False)


@pytest.mark.parametrize("loss", METHODS)
def test_images_without_labels_take_part_where_a_method_can_use_them(loss, monkeypatch):
    needs = METHODS[loss].needs
    config = dataclasses.replace(CONFIG, loss=loss, labelled=0.1, twin_epochs=int(Need.TWIN in needs))
    teacher = ann() if needs & TEACHER_NEEDS and loss != "spike-window" else None
    if loss == "spike-window":  # a chain has nobody to ask at first
        config = dataclasses.replace(config, teacher_epochs=0)
    found, _ = lessons(monkeypatch, config, teacher)
    labels = torch.cat([lesson.labels for lesson in found])
    share = (labels != UNLABELLED).double().mean()
    uses = teacher is not None and METHODS[loss].labels_optional(config.loss_settings)
    assert share == (pytest.approx(0.1, abs=0.02) if uses else 1.0)
    # An epoch costs the same.
    assert len(found) == (config.epochs + config.twin_epochs) * (len(load("digits").train) // 64)


def test_without_any_label_the_teacher_alone_is_heard(monkeypatch):
    config = dataclasses.replace(CONFIG, labelled=0.0)
    assert config.loss_settings.alpha == 1.0
    found, checkpoint = lessons(monkeypatch, config, ann())
    assert all((lesson.labels == UNLABELLED).all() for lesson in found)
    assert checkpoint["config"]["labelled"] == 0.0
    for refused, teacher in ((config, None), (dataclasses.replace(config, loss="ckdsnn-samd"), ann())):
        with pytest.raises(OptionError, match="some labels"):
            lessons(monkeypatch, refused, teacher)


def test_a_teacher_that_is_trained_here_knows_no_more_than_the_student(monkeypatch):
    seen_by_teacher = []
    original = functional.cross_entropy

    def spy(logits, labels):
        seen_by_teacher.append(labels)
        return original(logits, labels)

    monkeypatch.setattr(functional, "cross_entropy", spy)
    config = dataclasses.replace(CONFIG, images=100, label_noise=1.0, batch_size=50)
    train_teacher(
        config,
        load("digits"),
        state=TrainingState(config=plain(config)),
        save=lambda _: None,
        on_epoch=lambda _: None,
    )
    expected = restrict(load("digits").train, config.regime, classes=10, seed=0)
    assert torch.cat(seen_by_teacher).bincount().tolist() == np.bincount(expected.labels).tolist()
