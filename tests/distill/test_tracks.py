"""Labels of steps, and decisions in a stream: which labels they have, what is trained on them, and what is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from snnc.compiler.errors import DataError, OptionError
from snnc.compiler.formats.student import student_graph
from snnc.compiler.ir.neurons import Encoding
from snnc.compiler.passes.normalise import normalised
from snnc.compiler.passes.quantise import quantised
from snnc.distill.checkpoint import TrainingState, restore_student
from snnc.distill.config import DEFAULTS, StageTeacher, TrainingConfig, defaults_for, plain
from snnc.distill.data import Dataset, Split, load
from snnc.distill.data.tracks import Deciding, share_right
from snnc.distill.losses import METHODS
from snnc.distill.losses.interface import LossInputs, LossSettings
from snnc.distill.objective import decisions_as_samples, spiking_teacher
from snnc.distill.students import Student
from snnc.distill.teachers import Teacher, TeacherKind, build_teacher
from snnc.distill.train import distil_student, train_teacher
from snnc.sim.evaluation.decisions import judge
from snnc.sim.models import golden

TRACKS = np.array([[0, 0, 0, 1, 1, 1, 2, 2, 2, 0], [-1, -1, -1, -1, 2, 2, 2, 2, 2, 2]])

BLOCK = 4
"""Steps that a class lasts in `tracked`."""

CONFIG = dataclasses.replace(
    DEFAULTS["npz"],
    architecture="4-12-2",
    encoding=Encoding.EVENTS,
    time_steps=12,
    every=BLOCK,
    loss="cross-entropy",
    teacher=TeacherKind.MLP,
    teacher_epochs=0,
    twin_epochs=0,
    epochs=12,
    batch_size=20,
    learning_rate=1e-2,
    average=0.9,
)


def test_a_decision_has_the_label_of_the_step_that_it_is_about() -> None:
    each = Deciding(every=3)
    assert each.steps(10).tolist() == [3, 6, 9]
    assert each.labels(TRACKS, 10).tolist() == [[0, -1], [1, 2], [2, 2]]
    late = dataclasses.replace(each, late=3)
    assert late.labels(TRACKS, 10).tolist() == [[-1, -1], [0, -1], [1, 2]]
    skipping = dataclasses.replace(late, skip=5)
    assert skipping.steps(10).tolist() == [6, 9]
    assert skipping.labels(TRACKS, 10).tolist() == [[0, -1], [1, 2]]
    assert late.labels(np.array([2, 1]), 10).tolist() == [[-1, -1], [2, 1], [2, 1]]


def test_answers_are_judged_by_the_labels_that_are_trained() -> None:
    deciding = Deciding(every=2, late=1, skip=2)
    answers = np.random.default_rng(0).integers(0, 3, (4, 2))
    labels = deciding.labels(TRACKS, 10)
    judged = [judge(np.eye(3, dtype=np.int64)[answers[:, n]], deciding.steps(10), TRACKS[n], late=1) for n in range(2)]
    right = sum(int(np.trace(one.confusion)) for one in judged)
    assert share_right(answers, labels) == right / sum(one.count for one in judged)


def test_a_decision_sums_up_the_steps_since_the_one_before() -> None:
    currents = np.arange(2 * 11, dtype=np.int64).reshape(11, 2, 1)
    deciding = Deciding(every=3, skip=3)
    assert deciding.sums(currents)[..., 0].tolist() == [[6 + 8 + 10, 7 + 9 + 11], [12 + 14 + 16, 13 + 15 + 17]]
    samples = decisions_as_samples(torch.from_numpy(currents), deciding)
    assert samples.shape == (3, 4, 1)
    assert samples.sum(dim=0).flatten().tolist() == deciding.sums(currents).flatten().tolist()


def test_what_is_not_counted_teaches_nothing() -> None:
    logits = torch.randn((3, 4, 2), generator=torch.Generator().manual_seed(0)).requires_grad_()
    inputs = LossInputs(step_logits=logits, labels=torch.tensor([0, -1, 1, -1]))
    METHODS["cross-entropy"].loss(inputs, LossSettings(temperature=1, alpha=0)).backward()
    assert logits.grad is not None
    assert [bool(logits.grad[:, n].any()) for n in range(4)] == [True, False, True, False]


def test_a_class_weighs_what_it_is_told_to() -> None:
    logits = torch.randn((1, 4, 2), generator=torch.Generator().manual_seed(0))
    labels, weights = torch.tensor([0, 1, 1, -1]), torch.tensor([3.0, 0.5])
    each = F.cross_entropy(logits[0, :3], labels[:3], reduction="none")
    wanted = (3 * each[0] + 0.5 * each[1] + 0.5 * each[2]) / 4
    inputs = LossInputs(step_logits=logits, labels=labels, class_weights=weights)
    torch.testing.assert_close(METHODS["cross-entropy"].loss(inputs, LossSettings(temperature=1, alpha=0)), wanted)


def write(path: Path, **changes: Any) -> Path:
    """Two classes with two addresses of their own each; which it is changes every `BLOCK` steps."""
    random = np.random.default_rng(0)
    tracks = np.repeat(random.integers(0, 2, (140, 12 // BLOCK)), BLOCK, axis=1)
    rates = np.where(np.arange(4) // 2 == tracks[..., np.newaxis], 0.7, 0.1)
    events = (random.random(rates.shape) < rates).astype(np.uint8)
    parts: dict[str, Any] = {
        "x_train": events[:100],
        "y_train": tracks[:100],
        "x_test": events[100:],
        "y_test": tracks[100:],
    }
    np.savez(path, **parts | {"classes": np.array(["left", "right"])} | changes)
    return path


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return load("npz", write(tmp_path_factory.mktemp("tracks") / "own.npz"))


def run(config: TrainingConfig, dataset: Dataset, **more: Any) -> dict[str, Any]:
    state = TrainingState(config=plain(config))
    return distil_student(config, dataset, state=state, save=lambda _: None, on_epoch=lambda _: None, **more)


def test_labels_of_steps_are_read_and_held_out_by_what_is_most_frequent(tracked: Dataset) -> None:
    assert tracked.tracked
    assert tracked.train.labels.shape == (90, 12)
    whole = np.concatenate([tracked.train.sample_labels, tracked.validation.sample_labels])
    assert abs(float(tracked.validation.sample_labels.mean()) - float(whole.mean())) < 0.1
    defaults = defaults_for(tracked)
    assert (defaults.every, defaults.loss, defaults.teacher_epochs, defaults.twin_epochs) == (1, "cross-entropy", 0, 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_train": np.zeros((100, 11), int)}, "y_train holds 11 labels for each sample.*12 steps; give one label"),
        ({"y_test": np.zeros((40, 13), int)}, "y_test holds 13 labels for each sample"),
        ({"y_test": np.zeros(40, int)}, r"y_test has labels of the shape \(\) for each sample, y_train of \(12,\)"),
        (
            {"y_train": np.arange(1200).reshape(100, 12) % 4 - 2},
            "class -2, .* labels are 0 to 1, or -1 where a step is not counted",
        ),
        ({"y_train": np.full((100, 12), 2)}, "class 2, but npz has 2 classes"),
        ({"y_train": np.full((100, 12), -1)}, "no step of y_train has a label"),
        ({"y_train": np.zeros((100, 12))}, "<f8"),
        ({"y_train": np.zeros((100, 12, 1), int)}, "y_train has the shape"),
        ({"y_train": np.zeros((99, 12), int)}, "100 samples, but y_train 99 labels"),
    ],
)
def test_labels_that_cannot_be_are_one_sentence(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message) as caught:
        load("npz", write(tmp_path / "own.npz", **changes))
    assert "\n" not in str(caught.value)


def test_a_student_of_steps_follows_what_changes_within_a_sample(tracked: Dataset) -> None:
    config = dataclasses.replace(CONFIG, leak_shift=1)
    checkpoint = run(config, tracked)
    assert checkpoint["metrics"]["integer_test"] > 0.9  # of samples as a whole nobody could know it
    assert 0.5 <= checkpoint["metrics"]["majority_validation"] < 0.7
    late = run(dataclasses.replace(config, label_delay=BLOCK), tracked)
    assert late["metrics"]["integer_test"] < 0.8  # of the block before it has heard, but it keeps hardly anything


@pytest.mark.parametrize("loss", [name for name, method in METHODS.items() if method.by_step])
def test_every_method_of_steps_trains_on_decisions(loss: str, tracked: Dataset) -> None:
    config = dataclasses.replace(CONFIG, loss=loss, loss_options={}, epochs=4, stage_teacher=StageTeacher.PREVIOUS)
    assert 0 <= run(config, tracked)["metrics"]["integer_test"] <= 1


@pytest.mark.parametrize("loss", ["cross-entropy", "twkd"])
def test_a_leaky_readout_decides_without_starting_again(loss: str, tracked: Dataset) -> None:
    config = dataclasses.replace(
        CONFIG, loss=loss, loss_options={}, readout_leak=1, fraction_bits=2, stage_teacher=StageTeacher.PREVIOUS
    )
    checkpoint = run(config, tracked)
    assert checkpoint["version"] == 6
    assert checkpoint["layers"][-1]["neuron"] == {"kind": "readout", "leak_shift": 1}
    assert checkpoint["metrics"]["integer_test"] > 0.8
    # The same decisions by the compiled network, which hears each sample as a stream.
    student = restore_student(checkpoint)
    assert student.config.readout_leak == 1
    deciding = config.deciding
    assert deciding is not None
    events = tracked.test.images
    spikes = events.reshape(len(events), config.time_steps, -1).swapaxes(0, 1)
    state = {key: value.numpy() for key, value in checkpoint["state"].items()}
    graph = quantised(normalised(student_graph(checkpoint | {"state": state, "activity": None})))
    trace = golden.run(graph, spikes, time_steps=config.time_steps)
    classes = trace.populations["readout"].membranes[deciding.steps(config.time_steps) - 1].argmax(axis=-1)
    labels = deciding.labels(tracked.test.labels, config.time_steps)
    assert share_right(classes, labels) == checkpoint["metrics"]["integer_test"]


def test_a_teacher_of_another_readout_teaches_no_decisions(tracked: Dataset) -> None:
    teacher = spiking_teacher(Student(dataclasses.replace(CONFIG, readout_leak=2).student))
    config = dataclasses.replace(CONFIG, loss="twkd", loss_options={})
    with pytest.raises(OptionError, match="The readout of the teacher leaks, that of this student sums"):
        run(config, tracked, teacher=teacher)


def test_decisions_of_a_leaky_readout_are_its_membranes() -> None:
    deciding = Deciding(every=3, skip=3)
    added = np.random.default_rng(0).integers(-5, 6, (10, 4, 2))
    membranes = np.cumsum(added, axis=0)
    assert (deciding.sums(added, goes_on=True) == membranes[[5, 8]]).all()
    taught = decisions_as_samples(torch.from_numpy(added).double(), deciding, goes_on=True)
    assert taught.shape == (3, 8, 2)
    expected = torch.from_numpy(membranes[[5, 8]]).double().flatten(0, 1) / 10
    torch.testing.assert_close(taught.mean(dim=0), expected)


def test_a_teacher_of_whole_samples_teaches_each_of_their_decisions(tracked: Dataset) -> None:
    """Labels of samples: every decision has the label, and the answer of the ANN, of its sample."""

    def first(split: Split) -> Split:
        return dataclasses.replace(split, labels=split.labels[:, 0])

    whole = dataclasses.replace(
        tracked, train=first(tracked.train), validation=first(tracked.validation), test=first(tracked.test)
    )
    config = dataclasses.replace(CONFIG, loss="twkd", loss_options={}, epochs=4, teacher_epochs=2, twin_epochs=1)
    metrics = run(config, whole)["metrics"]
    assert {"teacher_test", "integer_test"} <= set(metrics)


def test_rare_classes_are_answered_where_they_weigh_more(tracked: Dataset) -> None:
    """Class 1 is one step in ten, and cannot be told from class 0 for certain."""
    random = np.random.default_rng(1)

    def rare(split: Split) -> Split:
        labels = (random.random(split.labels.shape) < 0.1).astype(np.int64)
        rates = np.where(labels[..., np.newaxis] == 1, 0.6, 0.3)
        events = (random.random((*labels.shape, 4)) < rates).astype(np.uint8)[..., np.newaxis, np.newaxis]
        return dataclasses.replace(split, images=events, labels=labels)

    dataset = dataclasses.replace(
        tracked, train=rare(tracked.train), validation=rare(tracked.validation), test=rare(tracked.test)
    )
    config = dataclasses.replace(CONFIG, every=1, epochs=6)
    plainly, weighed = (run(dataclasses.replace(config, class_weights=text), dataset) for text in ("", "balanced"))
    assert plainly["metrics"]["integer_test"] > 0.85
    assert plainly["metrics"]["never_answered_validation"] == [1]
    assert weighed["metrics"]["never_answered_validation"] == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"loss": "ckdsnn"},
            "looks at whole samples.* choose one of kdsnn-response, cross-entropy, spike-window",
        ),
        ({"loss": "kdsnn-feature"}, "The loss kdsnn-feature looks at whole samples"),
        ({"every": 13}, "--every must be 0 to 12"),
        ({"every": -1}, "--every must be"),
        ({"label_delay": 12}, "--label-delay must be 0 to 11"),
        ({"skip_steps": 12}, "--skip-steps must be 0 to 11"),
        ({"every": 0, "skip_steps": 1}, "give --every, too"),
        ({"encoding": Encoding.DIRECT}, "--every is for streams of events"),
    ],
)
def test_options_that_cannot_be_are_one_sentence(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        dataclasses.replace(CONFIG, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"every": 0}, "Every step of npz has a label: say with --every"),
        ({"twin_epochs": 1}, "an artificial twin has no steps: leave --twin-epochs out"),
        ({"loss": "twkd", "loss_options": {}, "teacher_epochs": 1}, "an ANN sees samples as a whole: bring a trained"),
        ({"every": 12, "label_delay": 11}, "No decision on the training samples has a label"),
        ({"images": 20}, "--images, --labelled and --label-noise choose samples by their class"),
        ({"labelled": 0.5}, "--images, --labelled"),
    ],
)
def test_what_labels_of_steps_cannot_do_is_refused(changes: dict[str, Any], message: str, tracked: Dataset) -> None:
    labels = tracked.train.labels.copy()
    labels[:, 0] = -1
    tracked = dataclasses.replace(tracked, train=dataclasses.replace(tracked.train, labels=labels))
    with pytest.raises(OptionError, match=message):
        run(dataclasses.replace(CONFIG, **changes), tracked)


def test_no_ann_teaches_or_learns_steps(tracked: Dataset) -> None:
    ann: Teacher = build_teacher(TeacherKind.MLP, tracked.shape, 2)
    with pytest.raises(OptionError, match="an ANN sees samples as a whole"):
        run(dataclasses.replace(CONFIG, loss="twkd", loss_options={}), tracked, teacher=ann)
    state = TrainingState(config=plain(CONFIG))
    with pytest.raises(OptionError, match="no such teacher can be trained"):
        train_teacher(CONFIG, tracked, state=state, save=lambda _: None, on_epoch=lambda _: None)
