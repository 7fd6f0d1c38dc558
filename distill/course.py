"""A student's way through its phases: who teaches each of them, at what rate, and the losses of its epochs.

`snnc.distill.fitting` drives it: a phase begins, is fitted, and ends.  What a phase leaves to the next is the network
itself, as its teacher in a chain and as the float copy that quantised membranes follow.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Final, assert_never

import torch
from torch import Tensor

from snnc.compiler.errors import OptionError
from snnc.distill.answers import Answers, AnswerStore
from snnc.distill.batches import Copies, Purpose, generator, shuffled
from snnc.distill.class_weights import weigh_classes
from snnc.distill.config import StageTeacher, TrainingConfig
from snnc.distill.data.tracks import Deciding
from snnc.distill.fitting import Stage
from snnc.distill.losses import cross_entropy
from snnc.distill.losses.interface import Method, Need
from snnc.distill.objective import (
    AnnTeacher,
    Lesson,
    Objective,
    Teaching,
    Trainee,
    build_adapter,
    spiking_teacher,
)
from snnc.distill.students import Phase, Student
from snnc.distill.teachers import SpikingTeacher, Teacher

__all__ = ["TEACHER_NEEDS", "Course", "refuse_steps_of_an_ann"]

TEACHER_NEEDS: Final = frozenset({Need.TEACHER_LOGITS, Need.TEACHER_STEP_LOGITS, Need.TEACHER_FEATURES, Need.SALIENCY})
"""What only a teacher can give."""

_RELATIVE_RATE: Final = {Phase.TWIN: 1.0, Phase.FLOAT: 1.0, Phase.QUANTISED: 0.5, Phase.FOLDED: 0.15}
"""Peak learning rate of each phase: a network that already works is disturbed less."""

_RATE_OF_A_STARTED: Final = 0.5
"""Of the twin and of the float phase, where weights were learned before."""


def refuse_steps_of_an_ann(loss: str, method: Method) -> None:
    """A method that compares time steps has nothing to compare with an ANN."""
    if Need.TEACHER_STEP_LOGITS in method.needs:
        raise OptionError(
            f"The loss {loss} compares time steps, so it needs a spiking teacher: give a trained student with "
            "--teacher-from, or let each phase teach the next with --teacher-epochs 0 --stage-teacher previous."
        )


class Course:
    """The phases of one student.

    Parameters
    ----------
    method
        What `config.loss` names.
    student
        Untrained, or with the weights that it starts from; it is trained in place.
    copies
        The training images.
    teacher
        Who is asked; None where nobody was given and none was trained.
    started
        Whether the student starts from the weights of another.
    store
        Where the teacher's answers are kept for other runs; None to keep them in memory only.

    Attributes
    ----------
    trainee
        All that is trained together, in place.
    teacher, ann
        The teacher, where it trains; the same if it is an ANN.
    float_copy
        The student as it left its float phase; None before that.

    Raises
    ------
    OptionError
        The method compares what the teacher or the student does not have.
    """

    def __init__(
        self,
        config: TrainingConfig,
        method: Method,
        student: Student,
        *,
        copies: Copies,
        teacher: Teacher | SpikingTeacher | None,
        started: bool,
        store: AnswerStore | None,
        device: torch.device,
    ) -> None:
        self.teacher = None if teacher is None else teacher.to(device)
        self.ann = self.teacher if isinstance(self.teacher, Teacher) else None
        if self.ann is not None:
            refuse_steps_of_an_ann(config.loss, method)
        self.trainee = Trainee(student, build_adapter(method, config.loss_settings, student, self.ann)).to(device)
        self.float_copy: Student | None = None
        self._twin: Student | None = None
        self._config = config
        self._method = method
        self._copies = copies
        self._started = started
        self._store = store
        self._device = device
        self._phase = config.phases[0]
        self._epochs_before = 0
        self._previous: SpikingTeacher | None = None
        self._answers: Answers | None = None
        self._deciding: Deciding | None = None
        self._labels = copies.labels
        self._objective: Objective | None = None

    @property
    def updates_per_epoch(self) -> int:
        return max(1, len(self._copies) // self._config.batch_size)

    @property
    def stage(self) -> Stage:
        """How the phase under way is fitted."""
        config = self._config
        rate = _RELATIVE_RATE[self._phase]
        learned = {Phase.TWIN: self._started, Phase.FLOAT: self._started or bool(config.twin_epochs)}
        if learned.get(self._phase, False):
            rate *= _RATE_OF_A_STARTED
        return Stage(
            name=self._phase.value,
            epochs=config.phase_epochs(self._phase),
            optimiser=config.optimiser,
            learning_rate=config.learning_rate * rate,
            weight_decay=config.weight_decay,
            average=config.average,
        )

    def begin(self, phase: Phase, *, fresh: bool) -> None:
        """Make ready for a phase; one that is not `fresh` was begun by an earlier run, whose weights are restored."""
        student = self.trainee.student
        if fresh:
            student.enter(phase)
        self._phase = student.phase = phase
        listens = bool(self._method.needs & TEACHER_NEEDS)
        if self._answers is None or self._config.stage_teacher is not StageTeacher.TEACHER:
            given, before = self._teachers()
            self._answers = Answers(given, before, store=self._store) if listens and (given or before) else None
        # Without anyone to ask, the first network of a chain learns from the labels; and so does a twin that teaches.
        alone = listens and self._answers is None
        alone |= Need.TWIN in self._method.needs and self._twin is None
        self._deciding = None if phase is Phase.TWIN else self._config.deciding
        own = self._copies.labels
        self._labels = (own if self._deciding is None else self._decided(self._deciding)).to(self._device)
        classes = self._config.student.architecture.classes
        weights = weigh_classes(self._config.class_weights, self._labels.cpu().numpy(), classes)
        self._objective = Objective(
            cross_entropy.METHOD if alone else self._method,
            self._config.loss_settings,
            teacher=self.ann,
            float_copy=self.float_copy,
            twin=self._twin,
            deciding=self._deciding,
            class_weights=None if weights is None else weights.to(self._device),
            precision=self._config.precision,
        )

    def _decided(self, deciding: Deciding) -> Tensor:
        """Labels of the decisions that count, ``[decision, N]``."""
        return torch.from_numpy(deciding.labels(self._copies.labels.numpy(), self._config.time_steps).copy())

    def losses(self, epoch: int) -> Iterator[Tensor]:
        """The loss of every batch of an epoch of this phase, computed with the trainee as it is when asked."""
        assert self._objective is not None
        seed, turn = self._config.seed, self._epochs_before + epoch
        images = self._copies.images(turn).to(self._device)
        labels = self._labels
        answers = None if self._answers is None else self._answers.to(self._copies.turn(turn), images)
        events, noise = generator(seed, Purpose.EVENTS, turn), generator(seed, Purpose.NOISE, turn)
        order = generator(seed, Purpose.ORDER, turn)
        updates = self._config.phase_epochs(self._phase) * self.updates_per_epoch
        batches = shuffled(len(self._copies), self._config.batch_size, order)
        for update, indices in enumerate(batches, start=epoch * self.updates_per_epoch):
            batch = indices.to(self._device)
            lesson = Lesson(
                images=images[batch],
                labels=labels[..., batch],
                answers=None if answers is None else answers[:, batch],
                events=events,
                noise=noise,
                progress=update / updates,
            )
            yield self._objective(self.trainee, lesson)

    def end(self) -> None:
        """Keep what the next phase needs of this one, which has its best weights now."""
        self._epochs_before += self._config.phase_epochs(self._phase)
        self._previous = spiking_teacher(self.trainee.student)
        if self._phase is Phase.TWIN:
            self._twin = copy.deepcopy(self.trainee.student).eval().requires_grad_(False)
        if self._phase is Phase.FLOAT:
            self.float_copy = copy.deepcopy(self.trainee.student).eval().requires_grad_(False)

    def _teachers(self) -> tuple[list[Teaching], list[Teaching]]:
        """Who teaches the phase that begins: a teacher that was given, and the network of the phase before."""
        given: list[Teaching] = []
        if self.teacher is not None:
            given = [AnnTeacher(self.teacher) if isinstance(self.teacher, Teacher) else self.teacher]
        before: list[Teaching] = [] if self._previous is None else [self._previous]
        match self._config.stage_teacher:
            case StageTeacher.TEACHER:
                return given, []
            case StageTeacher.PREVIOUS:
                return ([] if before else given), before
            case StageTeacher.MEAN:
                return given, before
            case _:
                assert_never(self._config.stage_teacher)
