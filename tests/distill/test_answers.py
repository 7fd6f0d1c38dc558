"""Teachers' answers on disk: shared by what they follow from, never believed where they are not whole."""

import dataclasses
import hashlib
import os
import struct
from pathlib import Path

import pytest
import torch

from snnc.compiler.ir.neurons import Encoding
from snnc.distill.answers import Answers, AnswerStore, fingerprint
from snnc.distill.checkpoint import TrainingState
from snnc.distill.config import DEFAULTS, plain
from snnc.distill.data import load
from snnc.distill.objective import AnnTeacher, spiking_teacher
from snnc.distill.students import Student
from snnc.distill.teachers import TeacherKind, build_teacher
from snnc.distill.train import distil_student

IMAGES = torch.from_numpy(load("digits").test.images[:70].copy())


@pytest.fixture
def store(tmp_path) -> AnswerStore:
    return AnswerStore(tmp_path / "answers")


def ann(seed=0, kind=TeacherKind.MLP):
    torch.manual_seed(seed)
    return AnnTeacher(build_teacher(kind, (1, 8, 8), 10).eval().requires_grad_(False))


def student(**changes):
    torch.manual_seed(0)
    return spiking_teacher(Student(dataclasses.replace(DEFAULTS["digits"], architecture="64-5-10", **changes).student))


def files(store: AnswerStore) -> list[Path]:
    return sorted(store.folder.iterdir()) if store.folder.exists() else []


class Deaf:
    """Raises if it is asked."""

    def __init__(self, monkeypatch):
        monkeypatch.setattr("snnc.distill.answers._ask", lambda *_: pytest.fail("the teacher was asked"))


@pytest.mark.parametrize("teacher", [ann, student])
def test_the_same_teacher_and_images_are_not_asked_twice(teacher, store, monkeypatch):
    first = Answers([teacher()], store=store).to(0, IMAGES)
    assert len(files(store)) == 1
    Deaf(monkeypatch)
    again = Answers([teacher()], store=store).to(3, IMAGES.clone())
    assert torch.equal(first, again)
    assert torch.equal(first, Answers([teacher()], store=store).to(0, IMAGES))


def test_whatever_changes_the_answers_changes_the_name(store):
    other = IMAGES.clone()
    other[69, 0, 7, 7] ^= 1
    for teacher, images in [
        (ann(), IMAGES),
        (ann(1), IMAGES),
        (ann(kind=TeacherKind.VGG), IMAGES),
        (ann(), other),
        (ann(), IMAGES[:69]),
        (student(), IMAGES),
        (student(time_steps=5), IMAGES),
        (student(input_bits=3), IMAGES),
        (student(encoding=Encoding.RATE), IMAGES),
    ]:
        Answers([teacher], store=store).to(0, images)
    assert len(files(store)) == 9


def test_what_is_drawn_anew_is_not_kept(store):
    """Nor what a network of this run answers, which nobody will ask again."""
    assert fingerprint(student(encoding=Encoding.EVENTS)) is None
    Answers([student(encoding=Encoding.EVENTS)], [student()], store=store).to(0, IMAGES)
    Answers([], [ann()], store=store).to(0, IMAGES)
    assert files(store) == []


def sealed(contents: bytes) -> bytes:
    return contents + hashlib.sha256(contents).digest()


@pytest.mark.parametrize(
    "damage",
    [
        lambda b: b"",
        lambda b: b[:20],
        lambda b: b[:-1],
        lambda b: b + b"\0",
        lambda b: b[:100] + bytes([b[100] ^ 1]) + b[101:],
        lambda b: sealed(b"no answers"),
        lambda b: sealed(struct.pack("<8sQQQ", b"snncans1", 1, 70, 2**60)),
        lambda b: sealed(struct.pack("<8sQQQ", b"snncans1", 2**62, 70, 4) + b[32:-32]),
        lambda b: sealed(struct.pack("<8sQQQ", b"snncans1", 1, 35, 20) + b[32:-32]),
        lambda b: sealed(struct.pack("<8sQQQ", b"snncans1", 0, 70, 10)),
        lambda b: sealed(b[:32] + struct.pack("<f", float("nan")) + b[36:-32]),
    ],
)
def test_a_file_that_is_not_whole_is_passed_over_and_made_anew(store, damage):
    answers = Answers([ann()], store=store).to(0, IMAGES)
    (path,) = files(store)
    good = path.read_bytes()
    path.write_bytes(damage(good))
    assert torch.equal(Answers([ann()], store=store).to(0, IMAGES), answers)
    assert path.read_bytes() == good
    assert files(store) == [path]


def test_a_store_that_cannot_be_written_keeps_nothing(tmp_path):
    (tmp_path / "file").write_text("in the way")
    answers = Answers([ann()], store=AnswerStore(tmp_path / "file" / "below")).to(0, IMAGES)
    assert answers.shape == (1, 70, 10)


def test_the_store_is_bounded_and_what_was_used_last_stays(tmp_path):
    size = 32 + 4 * 70 * 10 + 32
    store = AnswerStore(tmp_path / "a", limit=2 * size + 10)
    answers = torch.zeros(1, 70, 10)
    for age, key in enumerate(("old", "older")):
        store.write(key, answers)
        os.utime(store.folder / key, (1000 - age, 1000 - age))
    assert store.read("older", 70) is not None  # and so it is the younger of the two
    store.write("new", answers)
    assert [path.name for path in files(store)] == ["new", "older"]
    store.write("large", torch.zeros(1, 700, 10))
    assert [path.name for path in files(store)] == ["new", "older"]


def test_a_student_is_the_same_with_and_without_the_store(store, monkeypatch):
    config = dataclasses.replace(
        DEFAULTS["digits"], architecture="64-5-10", epochs=4, teacher_epochs=1, copies=2, batch_size=256
    )

    def train(kept):
        return distil_student(
            config,
            load("digits"),
            state=TrainingState(config=plain(config)),
            save=lambda _: None,
            on_epoch=lambda _: None,
            store=kept,
        )["state"]

    one, two = train(None), train(store)
    assert len(files(store)) == 4  # two copies of the training images, validation and test
    Deaf(monkeypatch)
    three = train(store)
    assert all(torch.equal(one[name], two[name]) and torch.equal(one[name], three[name]) for name in one)
