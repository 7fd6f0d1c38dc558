"""A teacher in a file: an ANN that was trained alone, or a student that has learned already."""

import dataclasses

import numpy as np
import pytest
import torch

from snnc.compiler.errors import CheckpointError
from snnc.distill.checkpoint import (
    read_teacher,
    restore_student,
    student_checkpoint,
    write_checkpoint,
    write_teacher,
)
from snnc.distill.config import DEFAULTS
from snnc.distill.data import Dataset, Split, load
from snnc.distill.objective import encode_for
from snnc.distill.students import Phase, Student
from snnc.distill.teachers import SpikingTeacher, Teacher, TeacherKind, build_teacher

BLANK = Split(images=np.zeros((1, 1, 8, 8), np.uint8), labels=np.zeros(1, np.int64))
OTHER = Dataset(name="other", shape=(1, 8, 8), classes=("a", "b"), train=BLANK, validation=BLANK, test=BLANK)


def trained(architecture, **changes):
    torch.manual_seed(0)
    config = dataclasses.replace(DEFAULTS["digits"], architecture=architecture, **changes)
    student = Student(config.student)
    images = torch.from_numpy(load("digits").train.images[:64].copy())
    for _ in range(20):
        student(encode_for(student, images, None))
    for phase in (Phase.TWIN, Phase.FLOAT, Phase.QUANTISED, Phase.FOLDED):
        student.enter(phase)
    return student.eval(), student_checkpoint(student, config, load("digits")), images


def test_an_ann_comes_back_as_it_was(tmp_path):
    digits = load("digits")
    teacher = build_teacher(TeacherKind.MLP, digits.shape, 10).eval()
    write_teacher(tmp_path / "teacher.pt", teacher, digits, accuracy=0.5)
    again = read_teacher(tmp_path / "teacher.pt", digits)
    assert isinstance(again, Teacher)
    x = torch.rand(5, 1, 8, 8)
    assert torch.equal(again(x), teacher(x))
    assert not any(parameter.requires_grad for parameter in again.parameters())


@pytest.mark.parametrize("architecture", ["64-12-10", "1x8x8-4c3-4r3-m2-6R-10"])
@pytest.mark.parametrize("bits", ["1", "4"])
def test_a_student_comes_back_as_its_integers(architecture, bits, tmp_path):
    student, contents, images = trained(architecture, weight_bits=bits, fraction_bits=1)
    write_checkpoint(tmp_path / "student.pt", contents)
    teacher = read_teacher(tmp_path / "student.pt", load("digits"))
    assert isinstance(teacher, SpikingTeacher)
    outputs = student(encode_for(student, images, None))
    assert torch.equal(teacher(images), outputs.step_logits)
    assert outputs.readout.abs().max() > 0


def test_the_students_that_ship_come_back(repository):
    from snnc.distill.checkpoint import read_checkpoint
    from snnc.distill.exactness import integer_inputs, integer_layers, simulate

    contents = read_checkpoint(repository / "examples" / "students" / "digits-64-32-10-int4.pt")
    images = load("digits").test.images
    student = restore_student(contents)
    readout = student(encode_for(student, torch.from_numpy(images.copy()), None)).readout.sum(dim=0)
    trace = simulate(integer_layers(contents), integer_inputs(contents, images))
    np.testing.assert_array_equal(readout.detach().numpy(), trace.logits)


@pytest.mark.parametrize("make", ["foreign", "classes", "kind", "weights"])
def test_a_teacher_of_something_else_is_refused(make, tmp_path):
    path, digits = tmp_path / "teacher.pt", load("digits")
    teacher = build_teacher(TeacherKind.MLP, digits.shape, 10)
    write_teacher(path, teacher, digits, accuracy=0.5)
    contents = torch.load(path, weights_only=True)
    match make:
        case "foreign":
            torch.save({"format": "other"}, path)
        case "kind":
            torch.save(contents | {"kind": "oracle"}, path)
        case "weights":
            torch.save(contents | {"weights": {}}, path)
    with pytest.raises(CheckpointError) as caught:
        read_teacher(path, OTHER if make == "classes" else digits)
    assert str(path) in str(caught.value)


def test_neurons_that_were_trained_elsewhere_are_not_trained_here(repository):
    from snnc.distill.checkpoint import read_checkpoint

    contents = read_checkpoint(repository / "examples" / "students" / "digits-64-32-10-int4.pt")
    with pytest.raises(CheckpointError, match="neurons that were trained elsewhere"):
        restore_student(contents | {"version": 5})
