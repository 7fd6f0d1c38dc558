"""Every method trains a convolutional student from end to end, and chains, starts and refusals of training."""

import dataclasses

import numpy as np
import pytest
import torch

from snnc.compiler.errors import OptionError
from snnc.compiler.ir.neurons import Encoding, Reset
from snnc.distill import train
from snnc.distill.answers import Answers
from snnc.distill.checkpoint import TrainingState, restore_student
from snnc.distill.config import DEFAULTS, StageTeacher, plain
from snnc.distill.data import Dataset, Split, load
from snnc.distill.losses import METHODS
from snnc.distill.losses.interface import Need
from snnc.distill.objective import Objective, spiking_teacher
from snnc.distill.teachers import TeacherKind
from snnc.distill.train import distil_student

QUICK = dataclasses.replace(
    DEFAULTS["digits"],
    architecture="1x8x8-4c3-10",
    epochs=3,
    teacher_epochs=1,
    teacher=TeacherKind.VGG,
    copies=1,
    batch_size=32,
)


@pytest.fixture(scope="module")
def digits():
    """An eighth of the digits."""
    whole = load("digits")

    def part(split):
        return Split(images=split.images[::8], labels=split.labels[::8])

    return dataclasses.replace(whole, train=part(whole.train), validation=part(whole.validation), test=part(whole.test))


def run(config, dataset, **more):
    state = TrainingState(config=plain(config))
    return distil_student(config, dataset, state=state, save=lambda _: None, on_epoch=lambda _: None, **more)


@pytest.mark.parametrize("loss", METHODS)
def test_every_method_trains_and_exports_exactly(digits, loss):
    twin = int(Need.TWIN in METHODS[loss].needs)
    config = dataclasses.replace(QUICK, loss=loss, loss_options={}, twin_epochs=twin)
    if Need.TEACHER_STEP_LOGITS in METHODS[loss].needs:
        config = dataclasses.replace(config, teacher_epochs=0, stage_teacher=StageTeacher.PREVIOUS)
    metrics = run(config, digits)["metrics"]
    assert 0 <= metrics["integer_test"] <= 1
    assert metrics["spikes_per_sample"] >= 0


def test_what_a_method_needs_is_what_it_gets(digits, monkeypatch):
    """Each need is filled in the phases that it is promised for, and nothing else is."""
    seen: dict[int, set[str]] = {}

    def spy(inputs, settings):
        names = [field.name for field in dataclasses.fields(inputs)]
        given = {name for name in names if getattr(inputs, name) is not None and getattr(inputs, name) != ()}
        seen[len(seen)] = given
        return inputs.step_logits.square().mean()

    needs = frozenset({Need.TEACHER_LOGITS, Need.MEMBRANES, Need.NOISE, Need.SALIENCY})
    monkeypatch.setattr(train, "METHODS", {"membrane": dataclasses.replace(METHODS["membrane"], loss=spy, needs=needs)})
    run(dataclasses.replace(QUICK, loss="membrane"), digits)
    always = {"step_logits", "labels", "spikes", "teacher_logits", "generator", "teacher_map", "progress"}
    assert seen[0] == always
    assert seen[len(seen) - 1] == always | {"membranes", "float_membranes"}


@pytest.mark.parametrize(("loss", "without"), [("membrane", "kdsnn-response"), ("energy", "kdsnn-response")])
def test_what_a_method_adds_reaches_the_weights(digits, loss, without):
    """A term without a gradient would leave the student as the method without it makes it."""
    config = dataclasses.replace(QUICK, temperature=4, alpha=0.5, loss_options={})
    one, other = (run(dataclasses.replace(config, loss=name), digits)["state"] for name in (loss, without))
    assert any(not torch.equal(one[name], other[name]) for name in one if name.endswith(".weight"))


@pytest.mark.parametrize("loss", ["kdsnn-feature", "ckdsnn"])
@pytest.mark.parametrize("change", [{"teacher": TeacherKind.MLP}, {"architecture": "64-8-10"}])
def test_maps_that_are_missing_are_refused_before_the_teacher_is_trained(digits, loss, change, monkeypatch):
    monkeypatch.setattr(train, "train_teacher", lambda *_, **__: pytest.fail("the teacher was trained"))
    with pytest.raises(OptionError, match="compares"):
        run(dataclasses.replace(QUICK, loss=loss, **change), digits)


def test_a_step_by_step_loss_needs_a_spiking_teacher(digits, monkeypatch):
    monkeypatch.setattr(train, "train_teacher", lambda *_, **__: pytest.fail("the teacher was trained"))
    with pytest.raises(OptionError, match="spiking teacher"):
        run(dataclasses.replace(QUICK, loss="spike-window"), digits)


def test_in_a_chain_each_phase_learns_from_the_one_before(digits, monkeypatch):
    """The first phase has nobody to ask, and learns from labels; the second is asked about the very first network."""
    asked = []
    original = Objective.__call__

    def spy(self, trainee, lesson):
        asked.append((trainee.student.phase.value, None if lesson.answers is None else lesson.answers.shape[0]))
        return original(self, trainee, lesson)

    monkeypatch.setattr(Objective, "__call__", spy)
    config = dataclasses.replace(
        QUICK, teacher_epochs=0, stage_teacher=StageTeacher.PREVIOUS, twin_epochs=1, loss="kdsnn-response"
    )
    run(config, digits)
    assert list(dict.fromkeys(asked)) == [("twin", None), ("float", 1), ("quantised", 4), ("folded", 4)]


def test_the_mean_of_teachers_is_that_of_their_logits(digits):
    checkpoint = run(dataclasses.replace(QUICK, stage_teacher=StageTeacher.MEAN), digits)
    taught = spiking_teacher(restore_student(checkpoint))
    images = torch.from_numpy(digits.test.images.copy())
    answers = Answers([taught, lambda images: torch.ones(len(images), 10)]).to(0, images)
    expected = (taught(images).mean(dim=0) + 1) / 2
    torch.testing.assert_close(answers, expected[None])


def test_a_student_starts_where_another_ended(digits):
    first = run(dataclasses.replace(QUICK, loss="cross-entropy"), digits)
    config = dataclasses.replace(
        QUICK, loss="cross-entropy", weight_bits="2", start_from="its hash", learning_rate=1e-9, weight_decay=0.0
    )
    second = run(config, digits, start=restore_student(first))
    # Hardly trained, so its batch norms are those that it was given.
    assert torch.allclose(second["state"]["conv1.norm.gain"], first["state"]["conv1.norm.gain"], atol=1e-3)
    assert second["layers"][0]["projections"][0]["weight_bits"] == 2
    with pytest.raises(OptionError, match="must be the same"):
        run(dataclasses.replace(config, architecture="1x8x8-5c3-10"), digits, start=restore_student(first))


def test_events_train_as_the_spikes_that_they_are():
    random = np.random.default_rng(0)
    labels = np.arange(60) % 2
    events = (random.random((60, 3, 1, 4, 4)) < np.where(labels, 0.8, 0.2)[:, None, None, None, None]).astype(np.uint8)
    split = Split(images=events, labels=labels.astype(np.int64))
    dataset = Dataset(
        name="npz", shape=(1, 4, 4), classes=("few", "many"), train=split, validation=split, test=split, time_steps=3
    )
    config = dataclasses.replace(
        QUICK,
        dataset="npz",
        architecture="1x4x4-6c3-2",
        loss="kdsnn-response",
        teacher=TeacherKind.MLP,
        encoding=Encoding.EVENTS,
        time_steps=3,
        reset=Reset.HARD,
        leak_shift=2,
        fraction_bits=3,
        epochs=20,
        teacher_epochs=5,
        batch_size=20,
    )
    assert run(config, dataset)["metrics"]["integer_test"] > 0.9
    with pytest.raises(OptionError, match="--encoding events --time-steps 3"):
        run(dataclasses.replace(config, encoding=Encoding.DIRECT), dataset)
