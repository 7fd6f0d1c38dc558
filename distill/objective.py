"""What a method compares, computed for one batch: its needs become teachers that are asked and passes that are made.

A method declares its needs (`snnc.distill.losses.interface.Need`); everything here follows from them.  Teachers that
only have to answer with logits are asked once per distorted copy of the training set (`snnc.distill.answers`).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import torch
from torch import Tensor, nn

from snnc.compiler.errors import OptionError
from snnc.compiler.ir import Encoding
from snnc.distill.data.dataset import UNLABELLED
from snnc.distill.data.tracks import Deciding
from snnc.distill.encoding import encode
from snnc.distill.losses.ckdsnn_samd import SMALLEST_MAP
from snnc.distill.losses.interface import (
    AdapterShapes,
    FeaturePair,
    LossInputs,
    LossSettings,
    MapShape,
    Method,
    Need,
)
from snnc.distill.students import Phase, Student, StudentOutputs
from snnc.distill.teachers import SpikingTeacher, Teacher, as_input

__all__ = [
    "AnnTeacher",
    "Lesson",
    "Objective",
    "Precision",
    "Teaching",
    "Trainee",
    "build_adapter",
    "decisions_as_samples",
    "encode_for",
    "frames",
    "mixed_precision",
    "spiking_teacher",
]


class Teaching(Protocol):
    """Someone to learn from: 8-bit images ``[B, C, H, W]`` to logits ``[B, K]`` or ``[T', B, K]``."""

    def __call__(self, images: Tensor) -> Tensor: ...


@dataclass(frozen=True, slots=True)
class AnnTeacher:
    """A frozen ANN; its answers are ``[B, K]``."""

    network: Teacher

    def __call__(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(as_input(frames(images)))
        return logits


def spiking_teacher(student: Student) -> SpikingTeacher:
    """A frozen copy of a student as it is now; its answers are ``[T', B, K]``."""
    frozen = copy.deepcopy(student)
    return SpikingTeacher(frozen, lambda images: encode_for(frozen, images, None))


def encode_for(student: Student, images: Tensor, events: torch.Generator | None) -> Tensor:
    """8-bit images as this student takes them; events, ``[B, T, C, H, W]``, are spikes already."""
    if images.dim() == 5:
        return images.transpose(0, 1).float()
    settings = student.config
    return encode(images, settings.encoding, bits=settings.input_bits, time_steps=settings.time_steps, generator=events)


class Precision(Enum):
    """Of convolutions and products until the student counts in integers, which is always exact."""

    AUTO = "auto"
    """`BFLOAT16` on a GPU, `FLOAT32` on a processor."""
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    """Factors of 8 significant bits; a processor that multiplies such (AMX) takes two thirds of the time."""


def mixed_precision(device: torch.device, precision: Precision) -> torch.autocast:
    """The context in which a network of real numbers is computed."""
    half = precision is Precision.BFLOAT16 or (precision is Precision.AUTO and device.type == "cuda")
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=half)


def frames(images: Tensor) -> Tensor:
    """What an ANN sees of events ``[B, T, C, H, W]``: their mean over time, as 8-bit pixels; images as they are."""
    return (images.float().mean(dim=1) * 255).to(torch.uint8) if images.dim() == 5 else images


class Trainee(nn.Module):
    """All that is trained together: the student, and a method's adapter, which is thrown away in the end."""

    def __init__(self, student: Student, adapter: nn.Module | None) -> None:
        super().__init__()
        self.student = student
        self.adapter = adapter


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """One batch: 8-bit images ``[B, C, H, W]``, labels ``[B]``, answers ``[T', B, K]``, sources of randomness, and the
    share of the phase's training that is done.

    Of a stream the labels are those of the decisions that count, ``[decision, B]``.
    """

    images: Tensor
    labels: Tensor
    answers: Tensor | None
    events: torch.Generator
    noise: torch.Generator
    progress: float


class Objective:
    """The scalar that a phase minimises.

    Parameters
    ----------
    teacher
        The ANN behind features and saliency maps; None if the method needs neither.
    float_copy
        The student as it was before quantisation, for membranes; None before that.
    twin
        The student as its artificial twin was, frozen; None before that, and where there was none.
    deciding
        When a stream is decided on; None where a sample is one decision.
    class_weights
        Of the labels' loss, ``[K]``.
    precision
        Until the student counts in integers.
    """

    def __init__(
        self,
        method: Method,
        settings: LossSettings,
        *,
        teacher: Teacher | None,
        float_copy: Student | None,
        twin: Student | None = None,
        deciding: Deciding | None = None,
        class_weights: Tensor | None = None,
        precision: Precision = Precision.AUTO,
    ) -> None:
        self._method = method
        self._settings = settings
        self._teacher = teacher
        self._float_copy = float_copy
        self._twin = twin
        self._deciding = deciding
        self._class_weights = class_weights
        self._precision = precision

    def __call__(self, trainee: Trainee, lesson: Lesson) -> Tensor:
        # Integers of a folded student do not fit the 8 bits of a bfloat16.
        precision = Precision.FLOAT32 if trainee.student.phase is Phase.FOLDED else self._precision
        with mixed_precision(lesson.images.device, precision):
            return self._loss(trainee, lesson)

    def _loss(self, trainee: Trainee, lesson: Lesson) -> Tensor:
        x = encode_for(trainee.student, lesson.images, lesson.events)
        needs = self._method.needs
        follows = Need.MEMBRANES in needs and self._float_copy is not None
        outputs, longer = self._run(trainee.student, x, membranes=follows)
        features: tuple[FeaturePair, ...] = ()
        teacher_map = None
        if self._teacher is not None and needs & {Need.TEACHER_FEATURES, Need.SALIENCY}:
            with torch.no_grad():
                seen = self._teacher.with_features(as_input(frames(lesson.images)))
                if Need.SALIENCY in needs:
                    # Of the class that the teacher sees, where no label says which it is.
                    unknown = lesson.labels == UNLABELLED
                    teacher_map = self._teacher.class_map(
                        seen, torch.where(unknown, seen.logits.argmax(dim=1), lesson.labels)
                    )
            if Need.TEACHER_FEATURES in needs:
                features = self._pairs(trainee, outputs, seen.features, lesson.noise)
        membranes: tuple[Tensor, ...] = ()
        before: tuple[Tensor, ...] = ()
        if follows:
            assert self._float_copy is not None
            with torch.no_grad():
                before = tuple(self._float_copy(x, membranes=True).membranes.values())
            membranes = tuple(outputs.membranes.values())
        mixed = self._mixed(trainee.student, x, lesson.noise)
        weak = None
        if Need.WEAK_CLASSIFIER in needs:
            assert trainee.adapter is not None
            weak = trainee.adapter(_rates(outputs))
        twin, hybrids = self._beside_twin(x, outputs)
        step_logits, answers = outputs.step_logits, lesson.answers
        if self._deciding is not None:
            goes_on = trainee.student.config.readout_leak is not None
            step_logits = decisions_as_samples(step_logits, self._deciding, goes_on=goes_on)
            if answers is not None:
                # A spiking teacher's readout leaks where the student's does (`snnc.distill.train`).
                by_step = len(answers) > 1
                whole = answers if by_step else answers.expand(len(outputs.step_logits), -1, -1)
                answers = decisions_as_samples(whole, self._deciding, goes_on=goes_on and by_step)
        return self._method.loss(
            LossInputs(
                step_logits=step_logits,
                labels=lesson.labels.flatten(),
                class_weights=self._class_weights,
                teacher_logits=None if answers is None else answers.mean(dim=0),
                teacher_step_logits=answers if Need.TEACHER_STEP_LOGITS in needs else None,
                spikes=tuple(outputs.spikes.values()),
                membranes=membranes,
                float_membranes=before,
                features=features,
                teacher_map=teacher_map,
                generator=lesson.noise if Need.NOISE in needs else None,
                progress=lesson.progress,
                longer_step_logits=longer,
                mixed_logits=mixed,
                weak_logits=weak,
                twin_logits=None if twin is None else twin.step_logits[0],
                twin_rates=() if twin is None else _rates(twin),
                hybrid_logits=hybrids,
            ),
            self._settings,
        )

    def _run(self, student: Student, x: Tensor, *, membranes: bool) -> tuple[StudentOutputs, Tensor | None]:
        """The student's pass; with `Need.MORE_STEPS` of a longer one the first steps, and all its logits."""
        if Need.MORE_STEPS not in self._method.needs or student.phase.timeless:
            return student(x, membranes=membranes), None
        steps = student.config.time_steps
        whole: StudentOutputs = student(
            x, membranes=membranes, time_steps=steps * round(self._settings.number("factor"))
        )
        return (
            StudentOutputs(
                readout=whole.readout[:steps],
                scale=whole.scale,
                spikes={name: spikes[:steps] for name, spikes in whole.spikes.items()},
                membranes={name: values[:steps] for name, values in whole.membranes.items()},
            ),
            whole.step_logits,
        )

    def _mixed(self, student: Student, x: Tensor, noise: torch.Generator) -> tuple[Tensor, ...]:
        """Logits of passes in which each population has its own number of steps; batch norms remember nothing of it."""
        if Need.MIXED_STEPS not in self._method.needs or student.phase.timeless:
            return ()
        names = list(student.populations)
        norms = [module for module in student.modules() if isinstance(module, nn.BatchNorm2d)]
        before = [norm.momentum for norm in norms]
        found = []
        try:
            for norm in norms:
                norm.momentum = 0.0
            for _ in range(round(self._settings.number("samples"))):
                high = student.config.time_steps + 1
                drawn = torch.randint(1, high, (len(names),), generator=noise, device=noise.device).tolist()
                outputs: StudentOutputs = student(x, mixed=dict(zip(names, drawn, strict=True)))
                found.append(outputs.step_logits.mean(dim=0))
        finally:
            for norm, momentum in zip(norms, before, strict=True):
                norm.momentum = momentum
        return tuple(found)

    def _beside_twin(self, x: Tensor, outputs: StudentOutputs) -> tuple[StudentOutputs | None, tuple[Tensor, ...]]:
        """The frozen twin's pass, and the logits of the twin behind the student's first populations."""
        if self._twin is None or Need.TWIN not in self._method.needs:
            return None, ()
        with torch.no_grad():
            twin: StudentOutputs = self._twin(x)
        if Need.HYBRIDS not in self._method.needs:
            return twin, ()
        rates, hybrids = dict(zip(outputs.spikes, _rates(outputs), strict=True)), []
        for count in range(1, len(rates) + 1):
            mixed: StudentOutputs = self._twin(x, given={name: rates[name] for name in list(rates)[:count]})
            hybrids.append(mixed.step_logits[0])
        return twin, tuple(hybrids)

    def _pairs(
        self, trainee: Trainee, outputs: StudentOutputs, stages: Sequence[Tensor], noise: torch.Generator
    ) -> tuple[FeaturePair, ...]:
        assert trainee.adapter is not None
        assert self._teacher is not None
        rates = _rates(outputs)
        adapted = trainee.adapter(rates, noise) if Need.NOISE in self._method.needs else trainee.adapter(rates)
        # A method may look at the last stages alone.
        stages, margins = stages[-len(adapted) :], self._teacher.margins()[-len(adapted) :]
        return tuple(
            FeaturePair(student=student, teacher=teacher, margin=margin)
            for student, teacher, margin in zip(adapted, stages, margins, strict=True)
        )


def _rates(outputs: StudentOutputs) -> tuple[Tensor, ...]:
    """Of every hidden population, ``[B, C, H, W]``."""
    return tuple(spikes.mean(dim=0) for spikes in outputs.spikes.values())


def decisions_as_samples(steps: Tensor, deciding: Deciding, *, goes_on: bool = False) -> Tensor:
    """Steps ``[T, B, K]`` of streams as samples of `every` steps, ``[every, decision * B, K]``, of what counts.

    Of a leaky readout, which `goes_on` over its decisions, each of these steps has the logits of the decision.
    """
    whole = len(steps) // deciding.every
    if goes_on:
        logits = steps.cumsum(dim=0)[deciding.every - 1 :: deciding.every] / len(steps)
        return logits[deciding.first :].flatten(0, 1).expand(deciding.every, -1, -1)
    apart = steps[: whole * deciding.every].unflatten(0, (whole, deciding.every))
    return apart[deciding.first :].transpose(0, 1).flatten(1, 2)


def build_adapter(
    method: Method, settings: LossSettings, student: Student, teacher: Teacher | None
) -> nn.Module | None:
    """The method's adapter, from the shapes of both networks; one that has none of them is refused."""
    architecture = student.config.architecture
    populations = tuple(spec.shape for spec in architecture.hidden)
    if Need.MORE_STEPS in method.needs and student.config.encoding is not Encoding.DIRECT:
        raise OptionError(
            f"This loss runs the student for more steps than it has, and {student.config.encoding.value} encoding has "
            "no more of them; use direct encoding or another loss."
        )
    stages: tuple[MapShape, ...] = ()
    if method.needs & {Need.TEACHER_FEATURES, Need.SALIENCY}:
        what = "feature maps" if Need.TEACHER_FEATURES in method.needs else "a class activation map"
        if teacher is None or not teacher.feature_shapes:
            raise OptionError(
                f"This loss compares {what}, which the chosen teacher does not have; choose a convolutional one with "
                "--teacher."
            )
        stages = teacher.feature_shapes
        least = SMALLEST_MAP if Need.SALIENCY in method.needs else 2
        if not any(height * width >= least for _, height, width in populations):
            raise OptionError(
                f"This loss compares {what}, but no layer of {architecture.text} has a map of {least} or more "
                "positions; use a convolutional architecture or another loss."
            )
    if method.adapter is None:
        return None
    shapes = AdapterShapes(student=populations, teacher=stages, classes=architecture.classes)
    return method.adapter(shapes, settings)
