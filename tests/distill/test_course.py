"""A student's course: its phases' rates, its turns of the copies, and what each phase leaves to the next."""

import dataclasses

import pytest
import torch

from snnc.compiler.errors import OptionError
from snnc.distill.batches import Copies, Purpose
from snnc.distill.config import DEFAULTS, StageTeacher
from snnc.distill.course import Course
from snnc.distill.data import load
from snnc.distill.losses import METHODS
from snnc.distill.students import Phase, Student
from snnc.distill.teachers import TeacherKind, build_teacher

CONFIG = dataclasses.replace(
    DEFAULTS["digits"], architecture="64-4-10", epochs=4, twin_epochs=2, copies=3, batch_size=512, learning_rate=1.0
)


def course(config=CONFIG, loss="kdsnn-response", *, teacher=None, started=False):
    copies = Copies(
        load("digits").train, config.augmentation, count=config.copies, seed=0, purpose=Purpose.STUDENT_IMAGES
    )
    return Course(
        config,
        METHODS[loss],
        Student(config.student),
        copies=copies,
        teacher=teacher,
        started=started,
        store=None,
        device=torch.device("cpu"),
    )


def ann():
    return build_teacher(TeacherKind.MLP, (1, 8, 8), 10).eval().requires_grad_(False)


@pytest.mark.parametrize(
    ("twin_epochs", "started", "rates"),
    [
        (2, False, [1.0, 0.5, 0.5, 0.15]),
        (0, False, [1.0, 0.5, 0.15]),
        (0, True, [0.5, 0.5, 0.15]),
        (2, True, [0.5, 0.5, 0.5, 0.15]),
    ],
)
def test_what_works_already_is_disturbed_less(twin_epochs, started, rates):
    config = dataclasses.replace(CONFIG, twin_epochs=twin_epochs)
    way = course(config, started=started)
    found = []
    for phase in config.phases:
        way.begin(phase, fresh=True)
        found.append((way.stage.name, way.stage.learning_rate, way.stage.epochs))
        way.end()
    assert [rate for _, rate, _ in found] == rates
    assert [name for name, _, _ in found] == [phase.value for phase in config.phases]
    assert sum(epochs for _, _, epochs in found) == 4 + twin_epochs


def test_epochs_go_through_the_copies_across_phases(monkeypatch):
    way = course()
    turns = []
    original = Copies.images

    def images(self, epoch):
        turns.append(epoch)
        return original(self, epoch)

    monkeypatch.setattr(Copies, "images", images)
    for phase in CONFIG.phases:
        way.begin(phase, fresh=True)
        for epoch in range(way.stage.epochs):
            assert len(list(way.losses(epoch))) == way.updates_per_epoch == 2
        way.end()
    assert turns == list(range(6))


@pytest.mark.parametrize("stage_teacher", StageTeacher)
def test_a_teacher_is_asked_once_for_all_phases_and_a_chain_in_each(stage_teacher):
    way = course(dataclasses.replace(CONFIG, stage_teacher=stage_teacher), teacher=ann())
    answers = []
    for phase in CONFIG.phases:
        way.begin(phase, fresh=True)
        answers.append(way._answers)
        way.end()
    assert None not in answers
    assert len(set(map(id, answers))) == (1 if stage_teacher is StageTeacher.TEACHER else len(CONFIG.phases))


def test_the_float_copy_is_of_the_float_phase():
    way = course()
    for phase in CONFIG.phases:
        way.begin(phase, fresh=True)
        assert (way.float_copy is not None) == (phase in (Phase.QUANTISED, Phase.FOLDED))
        way.end()
    assert way.float_copy is not None
    assert way.float_copy.phase is Phase.FLOAT
    assert not any(weight.requires_grad for weight in way.float_copy.parameters())


def test_steps_of_an_ann_are_refused():
    with pytest.raises(OptionError, match="spiking teacher"):
        course(loss="spike-window", teacher=ann())
