"""Distil one student: teacher, float student, quantised student, folded student, check, test.

Every choice (the best epoch of each stage) is made on validation data; the test images are looked at once, at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snnc.compiler.errors import OptionError
from snnc.compiler.ir.neurons import Encoding
from snnc.distill.batches import Copies, Purpose, generator, shuffled
from snnc.distill.checkpoint import TrainingState, restore_student, student_checkpoint
from snnc.distill.config import TrainingConfig
from snnc.distill.data import Dataset, Split
from snnc.distill.encoding import encode
from snnc.distill.exactness import check_exact, encode_integers, integer_layers, simulate
from snnc.distill.fitting import EpochReport, Stage, fit
from snnc.distill.losses import METHODS
from snnc.distill.losses.interface import LossInputs, Need
from snnc.distill.optimisers import Optimiser
from snnc.distill.students import Phase, Student
from snnc.distill.teachers import as_input, build_teacher, teacher_logits

__all__ = ["distil_student"]

_RELATIVE_RATE = {Phase.FLOAT: 1.0, Phase.QUANTISED: 0.5, Phase.FOLDED: 0.15}
"""Peak learning rate of each phase: a network that already works is disturbed less."""

_TEACHER_RATE = 2e-3
_TEACHER_DECAY = 1e-2


def distil_student(
    config: TrainingConfig,
    dataset: Dataset,
    *,
    state: TrainingState,
    save: Callable[[TrainingState], None],
    on_epoch: Callable[[EpochReport], None],
) -> dict[str, Any]:
    """Train and export a student.

    Parameters
    ----------
    state
        A new `TrainingState`, or that of an interrupted run to go on with.
    save, on_epoch
        Called after every epoch.

    Returns
    -------
    dict
        The checkpoint, with its metrics, proven equal to the trained student spike for spike on validation data.
    """
    _check_shapes(config, dataset)
    torch.set_num_threads(config.threads)
    method = METHODS[config.loss]
    teacher = None
    if Need.TEACHER_LOGITS in method.needs:
        teacher = _train_teacher(config, dataset, state, save, on_epoch)

    torch.manual_seed(_seed(config, Purpose.WEIGHTS, 1))
    student = Student(config.student)
    copies = Copies(
        dataset.train,
        config.augmentation,
        count=config.copies,
        seed=config.seed,
        purpose=Purpose.STUDENT_IMAGES,
    )
    epochs_before = 0
    for phase in Phase:
        if phase.value not in state.finished and state.stage != phase.value:
            student.enter(phase)
        student.phase = phase
        stage = Stage(
            name=phase.value,
            epochs=config.phase_epochs(phase),
            optimiser=config.optimiser,
            learning_rate=config.learning_rate * _RELATIVE_RATE[phase],
            weight_decay=config.weight_decay,
            average=config.average,
        )

        def losses(epoch: int, first: int = epochs_before) -> Iterator[Tensor]:
            images = copies.images(first + epoch)
            answers = copies.logits(first + epoch, images, teacher) if teacher is not None else None
            events = generator(config.seed, Purpose.EVENTS, first + epoch)
            order = generator(config.seed, Purpose.ORDER, first + epoch)
            for batch in shuffled(len(copies), config.batch_size, order):
                outputs = student(_encode(config, images[batch], events))
                inputs = LossInputs(
                    step_logits=outputs.step_logits,
                    labels=copies.labels[batch],
                    teacher_logits=answers[batch] if answers is not None else None,
                )
                yield method.loss(inputs, config.loss_settings)

        fit(
            student,
            stage,
            losses=losses,
            updates_per_epoch=max(1, len(copies) // config.batch_size),
            validate=lambda model: _student_accuracy(model, config, dataset.validation),
            state=state,
            save=save,
            on_epoch=on_epoch,
        )
        epochs_before += stage.epochs

    student.check_range()
    checkpoint = student_checkpoint(student, config, dataset)
    inputs = _integer_inputs(checkpoint, config, dataset.validation)
    validated = check_exact(checkpoint, student.double(), inputs)

    tested = simulate(integer_layers(checkpoint), _integer_inputs(checkpoint, config, dataset.test))
    float_student = restore_student(config, state.finished[Phase.FLOAT.value]["weights"], Phase.FLOAT)
    checkpoint["metrics"] = {
        "float_validation": _student_accuracy(float_student, config, dataset.validation),
        "float_test": _student_accuracy(float_student, config, dataset.test),
        "integer_validation": _share(validated.classes == dataset.validation.labels),
        "integer_test": _share(tested.classes == dataset.test.labels),
    }
    if teacher is not None:
        checkpoint["metrics"]["teacher_validation"] = _teacher_accuracy(teacher, dataset.validation)
    return checkpoint


def _train_teacher(
    config: TrainingConfig,
    dataset: Dataset,
    state: TrainingState,
    save: Callable[[TrainingState], None],
    on_epoch: Callable[[EpochReport], None],
) -> nn.Module:
    """An ANN trained with the labels, on a fresh distorted copy of the training set in every epoch; frozen."""
    torch.manual_seed(_seed(config, Purpose.WEIGHTS, 0))
    teacher = build_teacher(config.teacher, dataset.shape, len(dataset.classes))
    copies = Copies(
        dataset.train,
        config.teacher_augmentation,
        count=config.teacher_epochs,
        seed=config.seed,
        purpose=Purpose.TEACHER_IMAGES,
    )

    def losses(epoch: int) -> Iterator[Tensor]:
        images = copies.images(epoch)
        torch.manual_seed(_seed(config, Purpose.DROPOUT, epoch))  # dropout draws from the global generator only
        for batch in shuffled(len(copies), config.batch_size, generator(config.seed, Purpose.ORDER, epoch)):
            yield F.cross_entropy(teacher(as_input(images[batch])), copies.labels[batch])

    fit(
        teacher,
        Stage(
            name="teacher",
            epochs=config.teacher_epochs,
            optimiser=Optimiser.ADAMW,
            learning_rate=_TEACHER_RATE,
            weight_decay=_TEACHER_DECAY,
            average=config.average,
        ),
        losses=losses,
        updates_per_epoch=max(1, len(copies) // config.batch_size),
        validate=lambda model: _teacher_accuracy(model, dataset.validation),
        state=state,
        save=save,
        on_epoch=on_epoch,
    )
    return teacher.eval().requires_grad_(False)


def _check_shapes(config: TrainingConfig, dataset: Dataset) -> None:
    sizes = config.student.sizes
    pixels = int(np.prod(dataset.shape))
    if sizes[0] != pixels or sizes[-1] != len(dataset.classes):
        raise OptionError(
            f"Architecture {config.architecture} takes {sizes[0]} inputs to {sizes[-1]} classes, but {dataset.name} "
            f"has {pixels} pixels and {len(dataset.classes)} classes; make them agree."
        )


def _seed(config: TrainingConfig, purpose: Purpose, index: int) -> int:
    return generator(config.seed, purpose, index).initial_seed()


def _encode(config: TrainingConfig, images: Tensor, events: torch.Generator) -> Tensor:
    return encode(images, config.encoding, bits=config.input_bits, time_steps=config.time_steps, generator=events)


@torch.no_grad()
def _student_accuracy(model: nn.Module, config: TrainingConfig, split: Split) -> float:
    model.eval()
    events = generator(config.seed, Purpose.EVENTS)
    correct = 0
    for images, labels in zip(
        torch.from_numpy(split.images.copy()).split(1000), torch.from_numpy(split.labels).split(1000), strict=True
    ):
        correct += int((model(_encode(config, images, events)).classes == labels).sum())
    return correct / len(split)


def _teacher_accuracy(teacher: nn.Module, split: Split) -> float:
    logits = teacher_logits(teacher, torch.from_numpy(split.images.copy()))
    return _share(logits.argmax(dim=1).numpy() == split.labels)


def _integer_inputs(checkpoint: dict[str, Any], config: TrainingConfig, split: Split) -> np.ndarray:
    """Inputs ``[T, B, F]`` of the integer network, encoded without the student's own encoder where that is possible."""
    if config.encoding is not Encoding.EVENTS:
        return encode_integers(checkpoint, split.images)
    events = generator(config.seed, Purpose.EVENTS)
    return _encode(config, torch.from_numpy(split.images.copy()), events).numpy().astype(np.int64)


def _share(correct: np.ndarray) -> float:
    return float(correct.mean())
