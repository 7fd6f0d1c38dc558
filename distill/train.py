"""Distil one student: teacher, artificial twin, float student, quantised student, folded student, check, test.

Every choice (the best epoch of each stage) is made on validation data; the test images are looked at once, at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snnc.compiler.errors import OptionError
from snnc.compiler.formats import recorded_activity
from snnc.compiler.formats.student import student_graph
from snnc.compiler.ir import Encoding, InputSource
from snnc.distill.answers import Answers, AnswerStore
from snnc.distill.batches import Copies, Purpose, as_images, generator, samples_at_once, shuffled
from snnc.distill.checkpoint import TrainingState, activity_tensors, student_checkpoint
from snnc.distill.config import TrainingConfig
from snnc.distill.course import TEACHER_NEEDS, Course, refuse_steps_of_an_ann
from snnc.distill.data import Dataset, Split
from snnc.distill.data.dataset import UNLABELLED, Labels
from snnc.distill.data.regime import labelled_only, restrict
from snnc.distill.data.tracks import Deciding, share_right
from snnc.distill.exactness import check_exact, integer_inputs
from snnc.distill.fitting import EpochReport, Stage, fit
from snnc.distill.losses import METHODS
from snnc.distill.objective import (
    AnnTeacher,
    Trainee,
    build_adapter,
    frames,
    mixed_precision,
)
from snnc.distill.optimisers import Optimiser
from snnc.distill.processor import use_processor
from snnc.distill.standstill import answer_metrics
from snnc.distill.students import Phase, Student, StudentOutputs
from snnc.distill.teachers import SpikingTeacher, Teacher, as_input, build_teacher, teacher_logits
from snnc.sim.models.activity import ActivityTally
from snnc.sim.models.inputs import encode

__all__ = ["distil_student", "find_training_device", "judged_answers", "train_teacher"]

_CPU = torch.device("cpu")

_TEACHER_DECAY = 1e-2

_BATCH = 500
_CHECKED = 250
"""Samples that are measured at once, and whose integers are held against the student's at once; fewer of large ones."""


def distil_student(
    config: TrainingConfig,
    dataset: Dataset,
    *,
    state: TrainingState,
    save: Callable[[TrainingState], None],
    on_epoch: Callable[[EpochReport], None],
    teacher: Teacher | SpikingTeacher | None = None,
    start: Student | None = None,
    store: AnswerStore | None = None,
    device: torch.device = _CPU,
) -> dict[str, Any]:
    """Train and export a student.

    Parameters
    ----------
    teacher
        One that was trained before; by default a method that needs one trains it first.
    start
        A student of the same architecture, whose weights this one starts from.
    store
        Where the teacher's answers are kept for other runs; by default they are kept in memory only.
    device
        Where to train; the export is checked on the processor, in float64, wherever that was.
    state
        A new `TrainingState`, or that of an interrupted run to go on with.
    save, on_epoch
        Called after every epoch.

    Returns
    -------
    dict
        The checkpoint, with its metrics, proven equal to the trained student spike for spike on all validation and
        test data.
    """
    _check_shapes(config, dataset)
    _check_labels(config, dataset)
    _check_teacher(config, dataset, teacher)
    _prepare(config, device)
    method = METHODS[config.loss]
    if not method.needs & TEACHER_NEEDS:
        teacher = None
    elif teacher is None and config.teacher_epochs:
        refuse_steps_of_an_ann(config.loss, method)
        untrained = build_teacher(config.teacher, dataset.shape, len(dataset.classes))
        # Refuses before an hour of training, not after it.
        build_adapter(method, config.loss_settings, Student(config.student), untrained)
        teacher = train_teacher(config, dataset, state=state, save=save, on_epoch=on_epoch, device=device)
    torch.manual_seed(_seed(config, Purpose.WEIGHTS, 1))
    student = Student(config.student)
    if start is not None:
        _start_from(student, start)
    course = Course(
        config,
        method,
        student,
        copies=_student_copies(config, dataset, unlabelled=teacher is not None),
        teacher=teacher,
        started=start is not None,
        store=store,
        device=device,
    )
    for phase in config.phases:
        course.begin(phase, fresh=phase.value not in state.finished and state.stage != phase.value)
        fit(
            course.trainee,
            course.stage,
            losses=course.losses,
            updates_per_epoch=course.updates_per_epoch,
            validate=lambda model: _accuracy(_student(model), dataset.validation, config.deciding),
            state=state,
            save=save,
            on_epoch=on_epoch,
        )
        course.end()
    assert course.float_copy is not None
    return _export(student, course.float_copy, course.teacher, config, dataset, store)


def find_training_device(name: str) -> torch.device:
    """``cpu``, ``cuda``, or with ``auto`` a GPU where there is one."""
    if name == "cuda" and not torch.cuda.is_available():
        raise OptionError(
            "--device cuda needs a GPU and a CUDA build of PyTorch, and one is missing; use --device cpu."
        )
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def _prepare(config: TrainingConfig, device: torch.device) -> None:
    use_processor(config.threads)
    if device.type == "cuda":
        # The folded student counts in float32, and TF32 has 10 bits of the 24 that it needs.
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False


def _student(model: nn.Module) -> Student:
    assert isinstance(model, Trainee)
    return model.student


def _start_from(student: Student, start: Student) -> None:
    """Copy weights and batch norms; quantiser steps are found anew when their phase begins."""
    own, given = student.config.architecture, start.config.architecture
    if [population.projections for population in own.populations] != [p.projections for p in given.populations]:
        raise OptionError(f"--start-from brings {given.text}, but this student is {own.text}; they must be the same.")
    weights = start.state_dict()
    student.load_state_dict({key: weights[key] for key in student.state_dict()})


def _export(
    student: Student,
    float_copy: Student,
    teacher: Teacher | SpikingTeacher | None,
    config: TrainingConfig,
    dataset: Dataset,
    store: AnswerStore | None,
) -> dict[str, Any]:
    student, float_copy = student.cpu(), float_copy.cpu()
    teacher = None if teacher is None else teacher.cpu()
    student.check_range()
    checkpoint = student_checkpoint(student, config, dataset)
    exact = student.double()
    seen, deciding = _Seen(checkpoint, f"{dataset.name}, validation"), config.deciding
    inputs = _integer_inputs(checkpoint, exact, dataset.events, dataset.validation)
    validated = check_exact(checkpoint, exact, inputs, deciding=deciding, observe=seen)
    inputs = _integer_inputs(checkpoint, exact, dataset.events, dataset.test)
    tested = check_exact(checkpoint, exact, inputs, deciding=deciding)
    asked = _asked(dataset.validation, config)
    counted = asked != UNLABELLED
    checkpoint["metrics"] = {
        "float_validation": _accuracy(float_copy, dataset.validation, deciding),
        "float_test": _accuracy(float_copy, dataset.test, deciding),
        "integer_validation": share_right(validated.classes, asked),
        "integer_test": share_right(tested.classes, _asked(dataset.test, config)),
        "spikes_per_sample": tested.spikes / len(dataset.test),
        **answer_metrics(asked[counted], validated.classes[counted], len(dataset.classes)),
    }
    checkpoint[recorded_activity.KEY] = seen.entry()
    if teacher is not None:
        for part, split in (("validation", dataset.validation), ("test", dataset.test)):
            checkpoint["metrics"][f"teacher_{part}"] = _teacher_accuracy(teacher, split, config, store)
    return checkpoint


def judged_answers(config: TrainingConfig, split: Split) -> int:
    """How many answers an accuracy is about: samples, or where steps have labels the decisions that count."""
    return len(split) if split.labels.ndim == 1 else int((_asked(split, config) != UNLABELLED).sum())


def _asked(split: Split, config: TrainingConfig) -> Labels:
    """Labels ``[N]``, or of the decisions that count, ``[decision, N]``."""
    return split.labels if config.deciding is None else config.deciding.labels(split.labels, config.time_steps)


class _Seen:
    """What the exported network does on validation data, for its file."""

    def __init__(self, checkpoint: dict[str, Any], data: str) -> None:
        arrays = {key: value.numpy() for key, value in checkpoint["state"].items()}
        self._graph = student_graph({**checkpoint, "state": arrays})
        self._tally = ActivityTally(self._graph, data)

    def __call__(self, inputs: np.ndarray, spikes: Mapping[str, np.ndarray]) -> None:
        """Count a batch of inputs ``[T, B, C, H, W]`` and spikes ``[T, B, N]``."""
        direct = self._graph.source.encoding is Encoding.DIRECT
        flat = inputs.reshape(*inputs.shape[:2], -1)
        self._tally.add(flat[0] if direct else flat, spikes)

    def entry(self) -> dict[str, Any]:
        """Plain values and tensors."""
        return activity_tensors(self._tally.record())


def train_teacher(
    config: TrainingConfig,
    dataset: Dataset,
    *,
    state: TrainingState,
    save: Callable[[TrainingState], None],
    on_epoch: Callable[[EpochReport], None],
    device: torch.device = _CPU,
) -> Teacher:
    """An ANN trained with the labels, on a fresh distorted copy of the training set in every epoch; frozen.

    Raises
    ------
    OptionError
        Labels are of steps, of which an ANN knows nothing.
    """
    if dataset.tracked:
        raise OptionError(
            f"Every step of {dataset.name} has a label, and an ANN sees samples as a whole: no such teacher can be "
            "trained."
        )
    torch.manual_seed(_seed(config, Purpose.WEIGHTS, 0))
    _prepare(config, device)
    teacher = build_teacher(config.teacher, dataset.shape, len(dataset.classes)).to(device)
    validation = torch.cat([frames(images) for images in as_images(dataset.validation.images).split(_BATCH)])
    copies = Copies(
        labelled_only(_training_split(config, dataset)),
        config.teacher_augmentation,
        count=config.teacher_epochs,
        seed=config.seed,
        purpose=Purpose.TEACHER_IMAGES,
    )

    def losses(epoch: int) -> Iterator[Tensor]:
        images, labels = copies.images(epoch).to(device), copies.labels.to(device)
        torch.manual_seed(_seed(config, Purpose.DROPOUT, epoch))  # dropout draws from the global generator only
        for order in shuffled(len(copies), config.batch_size, generator(config.seed, Purpose.ORDER, epoch)):
            batch = order.to(device)
            with mixed_precision(device, config.precision):
                loss = F.cross_entropy(teacher(as_input(frames(images[batch]))), labels[batch])
            yield loss

    fit(
        teacher,
        Stage(
            name="teacher",
            epochs=config.teacher_epochs,
            optimiser=Optimiser.ADAMW,
            learning_rate=config.teacher_learning_rate,
            rate_option="--teacher-learning-rate",
            weight_decay=_TEACHER_DECAY,
            average=config.average,
        ),
        losses=losses,
        updates_per_epoch=max(1, len(copies) // config.batch_size),
        validate=lambda model: _share(
            teacher_logits(model, validation.to(device)).argmax(dim=1).cpu().numpy() == dataset.validation.labels
        ),
        state=state,
        save=save,
        on_epoch=on_epoch,
    )
    return teacher.eval().requires_grad_(False)


def _training_split(config: TrainingConfig, dataset: Dataset) -> Split:
    """What this run sees of the training data; the same for teacher and student."""
    return restrict(dataset.train, config.regime, classes=len(dataset.classes), seed=config.seed)


def _student_copies(config: TrainingConfig, dataset: Dataset, *, unlabelled: bool) -> Copies:
    """The images that the student sees; those without a label only if `unlabelled`, and the method can do without."""
    train = _training_split(config, dataset)
    optional = METHODS[config.loss].labels_optional(config.loss_settings)
    return Copies(
        train if unlabelled and optional else labelled_only(train),
        config.augmentation,
        count=config.copies,
        seed=config.seed,
        purpose=Purpose.STUDENT_IMAGES,
    )


def _check_labels(config: TrainingConfig, dataset: Dataset) -> None:
    """Refuse labels of steps where nobody decides in steps, or learns from them."""
    if not dataset.tracked:
        return
    if not config.every:
        raise OptionError(f"Every step of {dataset.name} has a label: say with --every after how many to decide.")
    if config.twin_epochs:
        raise OptionError(
            f"Every step of {dataset.name} has a label, and an artificial twin has no steps: leave --twin-epochs out."
        )
    for part, split in (("training", dataset.train), ("validation", dataset.validation), ("test", dataset.test)):
        if not (_asked(split, config) != UNLABELLED).any():
            raise OptionError(
                f"No decision on the {part} samples has a label: look at the labels, --every, --label-delay and "
                "--skip-steps."
            )


def _check_teacher(config: TrainingConfig, dataset: Dataset, teacher: Teacher | SpikingTeacher | None) -> None:
    """Refuse a teacher that can say nothing of a step, or means another thing by its steps than the student."""
    if config.every and isinstance(teacher, SpikingTeacher) and teacher.goes_on != bool(config.readout_leak):
        kinds = ("sums", "leaks")
        raise OptionError(
            f"The readout of the teacher {kinds[teacher.goes_on]}, that of this student {kinds[not teacher.goes_on]}: "
            "their decisions (--every) are of other stretches of time. Train with the teacher's own --readout-leak."
        )
    own = METHODS[config.loss].needs & TEACHER_NEEDS
    if dataset.tracked and own and (isinstance(teacher, Teacher) or (teacher is None and config.teacher_epochs)):
        raise OptionError(
            f"Every step of {dataset.name} has a label, and an ANN sees samples as a whole: bring a trained student "
            "with --teacher-from, or let each phase teach the next with --teacher-epochs 0 --stage-teacher previous."
        )


def _check_shapes(config: TrainingConfig, dataset: Dataset) -> None:
    architecture = config.student.architecture
    if dataset.events and (config.encoding is not Encoding.EVENTS or config.time_steps != dataset.time_steps):
        raise OptionError(
            f"{dataset.name} holds events in {dataset.time_steps} time bins; train on it with --encoding events "
            f"--time-steps {dataset.time_steps}, not {config.encoding.value} and {config.time_steps}."
        )
    pixels = int(np.prod(dataset.shape))
    flat = architecture.shape[1:] == (1, 1) and architecture.shape[0] == pixels
    if not flat and architecture.shape != dataset.shape:
        wanted = "x".join(map(str, dataset.shape))
        raise OptionError(
            f"Architecture {config.architecture} takes an input of {'x'.join(map(str, architecture.shape))}, but "
            f"{dataset.name} has {pixels} pixels, {wanted}; begin it with {wanted} (or {pixels}, if it is dense)."
        )
    if architecture.classes != len(dataset.classes):
        raise OptionError(
            f"Architecture {config.architecture} ends in {architecture.classes} classes, but {dataset.name} has "
            f"{len(dataset.classes)} classes; make them agree."
        )


def _seed(config: TrainingConfig, purpose: Purpose, index: int) -> int:
    return generator(config.seed, purpose, index).initial_seed()


@torch.no_grad()
def _accuracy(student: Student, split: Split, deciding: Deciding | None) -> float:
    student.eval()
    device = next(student.parameters()).device
    settings = student.config
    if student.phase is Phase.TWIN:
        deciding = None
    source = InputSource(encoding=settings.encoding, bits=settings.input_bits)
    found = []
    batch = samples_at_once(split.images, _BATCH)
    for start in range(0, len(split), batch):
        images = split.images[start : start + batch]
        given = encode(source, images, time_steps=settings.time_steps, events=images.ndim == 5, first=start)
        # [B, C, H, W] of a direct input, else [T, B, C, H, W]
        x = torch.from_numpy(given.astype(np.float32)).reshape(*given.shape[:-1], *images.shape[-3:])
        outputs: StudentOutputs = student(x.to(device))
        if deciding is None:
            found.append(outputs.classes.cpu().numpy())
        else:
            added, goes_on = outputs.readout.cpu().numpy(), settings.readout_leak is not None
            found.append(deciding.sums(added, goes_on=goes_on).argmax(axis=-1))
    labels = split.labels if deciding is None else deciding.labels(split.labels, settings.time_steps)
    return share_right(np.concatenate(found, axis=-1), labels)


def _teacher_accuracy(
    teacher: Teacher | SpikingTeacher, split: Split, config: TrainingConfig, store: AnswerStore | None
) -> float:
    given = AnnTeacher(teacher) if isinstance(teacher, Teacher) else teacher
    answers = Answers([given], store=store).to(0, as_images(split.images)).numpy()
    if config.deciding is None or len(answers) == 1:
        return share_right(answers.mean(axis=0).argmax(axis=1), split.labels)
    goes_on = isinstance(teacher, SpikingTeacher) and teacher.goes_on
    return share_right(config.deciding.sums(answers, goes_on=goes_on).argmax(axis=-1), _asked(split, config))


def _integer_inputs(
    checkpoint: dict[str, Any], student: Student, events: bool, split: Split
) -> Iterator[npt.NDArray[np.int64]]:
    """Inputs ``[T, B, C, H, W]`` in the shape that the student begins with, a batch at a time."""
    batch = samples_at_once(split.images, _CHECKED)
    for start in range(0, len(split), batch):
        inputs = integer_inputs(checkpoint, split.images[start : start + batch], events=events, first=start)
        yield inputs.reshape(*inputs.shape[:2], *student.config.architecture.shape)


def _share(correct: np.ndarray) -> float:
    return float(correct.mean())
