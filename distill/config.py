"""The configuration of a training run, its defaults per data set, and its checks.

Every choice below was made on validation data (``docs/distillation.md``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any

from snnc.compiler.errors import OptionError
from snnc.compiler.ir.neurons import Encoding, Initial, Reset
from snnc.distill.augment import Augmentation
from snnc.distill.losses import METHODS
from snnc.distill.losses.interface import LossSettings
from snnc.distill.neurons import Surrogate
from snnc.distill.optimisers import Optimiser
from snnc.distill.students import Phase, StudentConfig, parse_sizes
from snnc.distill.teachers import TeacherKind

__all__ = ["DEFAULTS", "TrainingConfig", "plain"]

_SHARES = {Phase.FLOAT: 0.4, Phase.QUANTISED: 0.3, Phase.FOLDED: 0.3}
"""How the student's epochs are divided between the phases."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """One run, resolved: with the data set and this, it can be repeated.

    Attributes
    ----------
    epochs
        Of the student, all phases together.
    copies
        Distorted copies of the training set that the student's epochs go through in turn; copy 0 is undistorted.
    augmentation, teacher_augmentation
        How far copies are distorted. A teacher gains from more than a small student has the capacity to learn.
    average
        Decay per update of the moving average of the weights; the average is what is validated and exported.
    threads
        Of torch. Sums of floats depend on it: a run repeats bit for bit with the same number only.
    """

    dataset: str
    architecture: str
    time_steps: int = 4
    weight_bits: int = 4
    fraction_bits: int = 0
    encoding: Encoding = Encoding.DIRECT
    input_bits: int = 4
    reset: Reset = Reset.SOFT
    initial: Initial = Initial.HALF
    surrogate: Surrogate = Surrogate.TRIANGLE
    loss: str = "kdsnn-response"
    temperature: float = 2.0
    alpha: float = 0.8
    teacher: TeacherKind = TeacherKind.CNN
    teacher_epochs: int
    epochs: int
    batch_size: int
    optimiser: Optimiser
    learning_rate: float
    weight_decay: float
    copies: int
    augmentation: Augmentation
    teacher_augmentation: Augmentation
    average: float
    seed: int = 0
    threads: int = 1

    def __post_init__(self) -> None:
        allowed = (
            ("time-steps", self.time_steps, 1, 256),
            ("weight-bits", self.weight_bits, 2, 8),
            ("fraction-bits", self.fraction_bits, 0, 8),
            ("input-bits", self.input_bits, 1, 8),
            ("temperature", self.temperature, 1.0, 100.0),
            ("alpha", self.alpha, 0.0, 1.0),
            ("teacher-epochs", self.teacher_epochs, 1, 100_000),
            ("epochs", self.epochs, len(Phase), 1_000_000),
            ("batch-size", self.batch_size, 2, 1 << 16),  # batch norm needs two samples
            ("learning-rate", self.learning_rate, 0.0, 10.0),
            ("weight-decay", self.weight_decay, 0.0, 10.0),
            ("copies", self.copies, 1, 10_000),
            ("seed", self.seed, 0, 2**32 - 1),
            ("threads", self.threads, 1, 256),
        )
        for name, value, low, high in allowed:
            if not low <= value <= high:  # a NaN fails, too
                raise OptionError(f"--{name} must be {low} to {high}, not {value}.")
        if self.loss not in METHODS:
            raise OptionError(f"There is no loss called {self.loss!r}; choose one of {', '.join(METHODS)}.")
        parse_sizes(self.architecture)

    @property
    def student(self) -> StudentConfig:
        return StudentConfig(
            sizes=parse_sizes(self.architecture),
            time_steps=self.time_steps,
            encoding=self.encoding,
            input_bits=self.input_bits,
            weight_bits=self.weight_bits,
            fraction_bits=self.fraction_bits,
            reset=self.reset,
            initial=self.initial,
            surrogate=self.surrogate,
        )

    @property
    def loss_settings(self) -> LossSettings:
        return LossSettings(temperature=self.temperature, alpha=self.alpha)

    def phase_epochs(self, phase: Phase) -> int:
        """Epochs of one phase; together they are ``epochs``."""
        quantised = max(1, round(self.epochs * _SHARES[Phase.QUANTISED]))
        folded = max(1, round(self.epochs * _SHARES[Phase.FOLDED]))
        return {Phase.FLOAT: self.epochs - quantised - folded, Phase.QUANTISED: quantised, Phase.FOLDED: folded}[phase]


def plain(config: TrainingConfig) -> dict[str, Any]:
    """The configuration as plain values, for a checkpoint."""
    return {key: value.value if isinstance(value, Enum) else value for key, value in dataclasses.asdict(config).items()}


DEFAULTS: Mapping[str, TrainingConfig] = MappingProxyType(
    {
        "digits": TrainingConfig(
            dataset="digits",
            architecture="64-32-10",
            teacher=TeacherKind.MLP,
            teacher_epochs=30,
            epochs=200,
            batch_size=64,
            optimiser=Optimiser.ADAMW,
            learning_rate=5e-3,
            weight_decay=1e-3,
            copies=20,
            augmentation=Augmentation(shift=0.7, rotation=10, scale=0.1, shear=0.1),
            teacher_augmentation=Augmentation(shift=0.7, rotation=10, scale=0.1, shear=0.1),
            average=0.98,
        ),
        "mnist": TrainingConfig(
            dataset="mnist",
            architecture="784-32-10",
            surrogate=Surrogate.ATAN,
            teacher_epochs=8,
            epochs=150,
            batch_size=256,
            optimiser=Optimiser.SGD,
            learning_rate=0.3,
            weight_decay=2e-5,
            copies=15,
            augmentation=Augmentation(shift=0.5, rotation=5, scale=0.05, shear=0.05, elastic=0.3),
            teacher_augmentation=Augmentation(shift=1.5, rotation=8, scale=0.1, shear=0.1, elastic=0.6),
            average=0.999,
        ),
        "fashion-mnist": TrainingConfig(
            dataset="fashion-mnist",
            architecture="784-32-10",
            surrogate=Surrogate.ATAN,
            teacher_epochs=15,
            epochs=60,
            batch_size=256,
            optimiser=Optimiser.SGD,
            learning_rate=0.3,
            weight_decay=5e-5,
            copies=8,
            augmentation=Augmentation(shift=0.5, rotation=2, scale=0.03),
            teacher_augmentation=Augmentation(shift=1.0, rotation=3, scale=0.05),
            average=0.999,
        ),
    }
)
