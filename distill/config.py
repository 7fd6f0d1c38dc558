"""The configuration of a training run, its defaults per data set, and its checks.

Every choice below was made on validation data (``docs/distillation.md``).
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Any, Final, get_type_hints

from snnc.compiler.errors import OptionError
from snnc.compiler.ir.architecture import Architecture, Role, parse_architecture
from snnc.compiler.ir.neurons import Encoding, Initial, Reset
from snnc.distill.augment import Augmentation
from snnc.distill.data.dataset import Dataset
from snnc.distill.data.regime import Regime
from snnc.distill.data.tracks import Deciding
from snnc.distill.losses import METHODS
from snnc.distill.losses.interface import LossSettings, Need, Value, resolve
from snnc.distill.neurons import NeuronSettings, Surrogate
from snnc.distill.objective import Precision
from snnc.distill.optimisers import Optimiser
from snnc.distill.students import Phase, StudentConfig
from snnc.distill.teachers import TeacherKind

__all__ = [
    "DEFAULTS",
    "StageTeacher",
    "TrainingConfig",
    "defaults_for",
    "has_twin",
    "parse_augmentation",
    "plain",
    "refuse_maps_of_decisions",
    "restored",
]

_NAME: Final = re.compile(r"[A-Za-z0-9 _.,+-]{1,100}")

_SHARES = {Phase.FLOAT: 0.4, Phase.QUANTISED: 0.3, Phase.FOLDED: 0.3}
"""How the epochs of the spiking student are divided between its phases."""

_SHARES_OF_A_STARTED = {Phase.FLOAT: 0.2, Phase.QUANTISED: 0.4, Phase.FOLDED: 0.4}
"""The same where weights were learned before, by a twin or another student: they need to get used to time only."""


_MOST_STEPS: Final = 4096

_MANY_EPOCHS = 40
"""Between those where half a teacher cost accuracy, 20, and those where it gained, 60 (``docs/distillation.md``)."""


class StageTeacher(Enum):
    """Who teaches a phase (multi-stage distillation; after Mirzadeh et al., AAAI 2020, and Kushawaha et al., 2020)."""

    TEACHER = "teacher"
    """The teacher teaches every phase."""
    PREVIOUS = "previous"
    """The teacher teaches the first phase, and the best network of each phase the next one: a chain of students."""
    MEAN = "mean"
    """As ``previous``, by the mean of the logits of the teacher and of the network of the phase before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """One run, resolved: with the data set and this, it can be repeated.

    Attributes
    ----------
    weight_bits
        ``"4"``, or with exceptions by population, ``"4,conv1=8,readout=8"``.
    leak_shift
        ``k`` of LIF neurons, which keep ``1 - 2**-k`` of their membrane; 0 for IF.
    readout_leak
        ``k`` of a leaky readout, likewise; 0 for one that sums.
    alpha
        Weight of the teacher against the labels; None for what the budget says (`teacher_weight`).
    data
        SHA-256 of the samples and labels (`snnc.distill.data.Dataset.digest`); empty where nobody asked.
    name
        Of the network; empty for one that says data set and architecture.
    loss_options
        Options of the loss, as it resolves them.
    teacher_epochs
        0 for no teacher: the first phase then learns from labels only.
    teacher_from
        SHA-256 of the file of a trained teacher (`snnc distill --teacher-from`); empty where one is trained here.
    start_from
        SHA-256 of the file of a student whose weights this one starts from (`snnc distill --start-from`), or empty.
    twin_epochs
        Of the student's artificial twin, before the spiking phases; 0 to start them from random weights.
    epochs
        Of the spiking student, all phases together.
    copies
        Distorted copies of the training set that the student's epochs go through in turn; copy 0 is undistorted.
    augmentation, teacher_augmentation
        How far copies are distorted. A teacher gains from more than a small student has the capacity to learn.
    average
        Decay per update of the moving average of the weights; the average is what is validated and exported.
    images, labelled, label_noise
        What the training set is made to lack: see `snnc.distill.data.regime.Regime`.
    every
        Steps from one decision to the next; 0 for one decision, after the last step.
    label_delay, skip_steps
        Of those decisions: `late` and `skip` of `snnc.distill.data.tracks.Deciding`.
    class_weights
        Of the labels' loss, as `snnc.distill.class_weights.read_class_weights` gives them; empty where all are 1.
    threads
        Of torch. Sums of floats depend on it: a run repeats bit for bit with the same number only.
    precision
        Of convolutions and products, of the teacher and of the student until it counts in integers.
    """

    dataset: str
    data: str = ""
    name: str = ""
    architecture: str
    time_steps: int = 4
    weight_bits: str = "4"
    fraction_bits: int = 0
    encoding: Encoding = Encoding.DIRECT
    input_bits: int = 4
    reset: Reset = Reset.SOFT
    initial: Initial = Initial.HALF
    leak_shift: int = 0
    readout_leak: int = 0
    surrogate: Surrogate = Surrogate.TRIANGLE
    loss: str = "kdsnn-response"
    loss_options: Mapping[str, Value] = field(default_factory=dict)
    temperature: float = 2.0
    alpha: float | None = None
    teacher: TeacherKind = TeacherKind.CNN
    teacher_epochs: int
    teacher_learning_rate: float = 2e-3
    teacher_from: str = ""
    stage_teacher: StageTeacher = StageTeacher.TEACHER
    start_from: str = ""
    twin_epochs: int = 0
    epochs: int
    batch_size: int
    optimiser: Optimiser
    learning_rate: float
    weight_decay: float
    copies: int
    augmentation: Augmentation
    teacher_augmentation: Augmentation
    average: float
    images: int = 0
    labelled: float = 1.0
    label_noise: float = 0.0
    every: int = 0
    label_delay: int = 0
    skip_steps: int = 0
    class_weights: str = ""
    seed: int = 0
    threads: int = 1
    precision: Precision = Precision.AUTO

    def __post_init__(self) -> None:
        allowed = (
            ("time-steps", self.time_steps, 1, _MOST_STEPS),
            ("fraction-bits", self.fraction_bits, 0, 8),
            ("input-bits", self.input_bits, 1, 8),
            ("temperature", self.temperature, 1.0, 100.0),
            ("alpha", self.teacher_weight, 0.0, 1.0),
            ("leak-shift", self.leak_shift, 0, 16),
            ("readout-leak", self.readout_leak, 0, 16),
            ("teacher-epochs", self.teacher_epochs, 0, 100_000),
            ("twin-epochs", self.twin_epochs, 0, 1_000_000),
            ("epochs", self.epochs, len(_SHARES), 1_000_000),
            ("batch-size", self.batch_size, 2, 1 << 16),  # batch norm needs two samples
            ("learning-rate", self.learning_rate, 0.0, 10.0),
            ("teacher-learning-rate", self.teacher_learning_rate, 0.0, 10.0),
            ("weight-decay", self.weight_decay, 0.0, 10.0),
            ("copies", self.copies, 1, 10_000),
            ("every", self.every, 0, self.time_steps),
            ("label-delay", self.label_delay, 0, self.time_steps - 1),
            ("skip-steps", self.skip_steps, 0, self.time_steps - 1),
            ("seed", self.seed, 0, 2**32 - 1),
            ("threads", self.threads, 1, 256),
        )
        for name, value, low, high in allowed:
            if not low <= value <= high:  # a NaN fails, too
                raise OptionError(f"--{name} must be {low} to {high}, not {value}.")
        assert self.regime  # which judges its own values
        if self.name and not _NAME.fullmatch(self.name):
            raise OptionError(
                f"--name must be 1 to 100 letters, digits, spaces and any of '_.,+-', not {self.name[:60]!r}."
            )
        if self.loss not in METHODS:
            raise OptionError(f"There is no loss called {self.loss!r}; choose one of {', '.join(METHODS)}.")
        self._check_deciding()
        object.__setattr__(self, "loss_options", resolve(METHODS[self.loss], self.loss_options))
        architecture = parse_architecture(self.architecture)
        self.bits_of(architecture)
        if Need.TWIN in METHODS[self.loss].needs and not self.twin_epochs:
            raise OptionError(
                f"The loss {self.loss} learns from the student's own artificial twin: give --twin-epochs, or choose "
                "another --loss."
            )
        if self.twin_epochs and not has_twin(self.architecture, leak_shift=self.leak_shift, reset=self.reset):
            raise OptionError(
                "--twin-epochs needs IF neurons with a soft reset and no recurrent layer: only those fire as often as "
                "the twin's activation says. Leave it out."
            )

    def _check_deciding(self) -> None:
        if not self.every:
            if self.label_delay or self.skip_steps:
                raise OptionError("--label-delay and --skip-steps are about decisions in a stream: give --every, too.")
            return
        if self.encoding is not Encoding.EVENTS:
            raise OptionError(
                f"--every is for streams of events, not for {self.encoding.value} encoding: leave it out."
            )
        refuse_maps_of_decisions(self.loss)

    def bits_of(self, architecture: Architecture) -> dict[str, int]:
        """Weight bits of every population that has weights."""
        names = [population.name for population in architecture.populations if population.role is not Role.MAX]
        general, *exceptions = self.weight_bits.split(",")
        chosen = dict.fromkeys(names, general)
        for exception in exceptions:
            name, _, bits = exception.partition("=")
            if name not in chosen:
                raise OptionError(
                    f"--weight-bits names the layer {name!r}, but {self.architecture} has {', '.join(names)}."
                )
            chosen[name] = bits
        for name, bits in chosen.items():
            if bits not in {str(number) for number in range(1, 9)}:
                raise OptionError(
                    f"--weight-bits must be 1 to 8 (2 is ternary), such as 4 or 4,{name}=8, not {bits!r}."
                )
        return {name: int(bits) for name, bits in chosen.items()}

    @property
    def student(self) -> StudentConfig:
        architecture = parse_architecture(self.architecture)
        return StudentConfig(
            architecture=architecture,
            time_steps=self.time_steps,
            encoding=self.encoding,
            input_bits=self.input_bits,
            weight_bits=self.bits_of(architecture),
            fraction_bits=self.fraction_bits,
            neuron=NeuronSettings(
                reset=self.reset,
                initial=self.initial,
                surrogate=self.surrogate,
                leak_shift=self.leak_shift or None,
            ),
            readout_leak=self.readout_leak or None,
        )

    @property
    def deciding(self) -> Deciding | None:
        """When a stream is decided on; None where a sample is one decision."""
        if not self.every:
            return None
        return Deciding(every=self.every, late=self.label_delay, skip=self.skip_steps)

    @property
    def regime(self) -> Regime:
        return Regime(images=self.images, labelled=self.labelled, label_noise=self.label_noise)

    @property
    def teacher_weight(self) -> float:
        """`alpha`, or else by the budget: what a teacher says pays where labels have been seen often, or are missing.

        1 without a label; 0.5 from `_MANY_EPOCHS` epochs on, twin and student together, for every labelled share of
        the images; 0.2 below, where a short budget is better spent on labels.
        """
        if self.alpha is not None:
            return self.alpha
        if not self.labelled:
            return 1.0
        return 0.5 if (self.epochs + self.twin_epochs) / self.labelled >= _MANY_EPOCHS else 0.2

    @property
    def loss_settings(self) -> LossSettings:
        return LossSettings(temperature=self.temperature, alpha=self.teacher_weight, options=self.loss_options)

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Those that this run goes through."""
        return tuple(phase for phase in Phase if self.phase_epochs(phase))

    def phase_epochs(self, phase: Phase) -> int:
        """Epochs of one phase; those of the spiking phases together are ``epochs``."""
        if phase is Phase.TWIN:
            return self.twin_epochs
        if phase is Phase.RIVAL:
            return 0
        shares = _SHARES_OF_A_STARTED if self.twin_epochs or self.start_from else _SHARES
        most = (self.epochs - 1) // 2  # leaves one epoch for the float phase
        quantised = min(most, max(1, round(self.epochs * shares[Phase.QUANTISED])))
        folded = min(most, max(1, round(self.epochs * shares[Phase.FOLDED])))
        return {Phase.FLOAT: self.epochs - quantised - folded, Phase.QUANTISED: quantised, Phase.FOLDED: folded}[phase]


def refuse_maps_of_decisions(loss: str) -> None:
    """A loss that looks at whole samples has nothing to compare of the decisions in them."""
    if not METHODS[loss].by_step:
        able = ", ".join(name for name, method in METHODS.items() if method.by_step)
        raise OptionError(
            f"The loss {loss} looks at whole samples, and with --every each decision is a sample of its own; "
            f"choose one of {able}."
        )


def has_twin(architecture: str, *, leak_shift: int, reset: Reset) -> bool:
    """Whether a network has an artificial twin: only IF neurons that hear no loop fire as often as it says."""
    return not (parse_architecture(architecture).recurrent or leak_shift or reset is not Reset.SOFT)


def parse_augmentation(text: str) -> Augmentation:
    """``"shift=1,rotation=5"`` to an `Augmentation`; ``"none"`` distorts nothing."""
    kinds = {entry.name: int if entry.type == "int" else float for entry in dataclasses.fields(Augmentation)}
    amounts: dict[str, Any] = {}
    for part in text.split(",") if text != "none" else []:
        name, _, amount = part.partition("=")
        try:
            amounts[name] = kinds[name](amount)
        except (KeyError, ValueError):
            amounts[name] = -1
        if not 0 <= amounts[name] < 1000:  # a NaN fails, too
            raise OptionError(
                f"A distortion is written name=amount, with a name of {', '.join(kinds)}, not {part[:60]!r}."
            )
    return Augmentation(**amounts)


def restored(values: Mapping[str, Any]) -> TrainingConfig:
    """The configuration that `plain` gave, the same run, with `alpha` as it was resolved.

    Raises
    ------
    KeyError, TypeError, ValueError, OptionError
        The values are none of this version.
    """
    hints = get_type_hints(TrainingConfig)
    names = {entry.name for entry in dataclasses.fields(TrainingConfig)}
    if set(values) != names:
        raise KeyError(f"{', '.join(sorted(names ^ set(values)))}")
    return TrainingConfig(**{name: _restored(hints[name], value) for name, value in values.items()})


def _restored(hint: Any, value: Any) -> Any:
    if hint is Augmentation:
        return Augmentation(**value)
    return hint(value) if isinstance(hint, type) and issubclass(hint, Enum) else value


def plain(config: TrainingConfig) -> dict[str, Any]:
    """The configuration as plain values, for a checkpoint."""
    values = {entry.name: _plain(getattr(config, entry.name)) for entry in dataclasses.fields(config)}
    return values | {"alpha": config.teacher_weight}


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Augmentation):
        return dataclasses.asdict(value)
    return dict(value) if isinstance(value, Mapping) else value


def defaults_for(dataset: Dataset) -> TrainingConfig:
    """The defaults of a data set; for one of your own they take the shape, and of events the steps, from the file.

    Where every step has a label there is a decision at every step, from the labels alone: neither an ANN nor a twin
    has steps.
    """
    defaults = DEFAULTS[dataset.name]
    if dataset.name != "npz":
        return defaults
    found = dataclasses.replace(defaults, architecture=f"{math.prod(dataset.shape)}-32-{len(dataset.classes)}")
    if dataset.time_steps is None:
        return found
    found = dataclasses.replace(found, encoding=Encoding.EVENTS, time_steps=dataset.time_steps)
    if not dataset.tracked:
        return found
    return dataclasses.replace(found, every=1, loss="cross-entropy", teacher_epochs=0, twin_epochs=0)


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
        "cifar10": TrainingConfig(
            dataset="cifar10",
            architecture="3x32x32-32c3-64c3s2-96c3s2-128c3s2-10",
            input_bits=6,
            surrogate=Surrogate.ATAN,
            teacher=TeacherKind.RESNET,
            teacher_epochs=30,
            twin_epochs=30,
            epochs=15,
            batch_size=128,
            optimiser=Optimiser.ADAMW,
            learning_rate=4e-3,
            weight_decay=1e-2,
            copies=1000,
            augmentation=Augmentation(crop=4, flip=0.5),
            teacher_augmentation=Augmentation(crop=4, flip=0.5, cutout=8),
            average=0.999,
        ),
        "spoken-digits": TrainingConfig(
            dataset="spoken-digits",
            architecture="1x64x32-24c5s2-32c3s2-48c3s2-48c3s2-10",
            surrogate=Surrogate.ATAN,
            teacher=TeacherKind.VGG,
            teacher_epochs=60,
            twin_epochs=150,
            epochs=90,
            batch_size=32,
            optimiser=Optimiser.ADAMW,
            learning_rate=3e-3,
            weight_decay=1e-2,
            copies=1000,
            augmentation=Augmentation(time_shift=6, time_mask=8, band_mask=5, contrast=0.2, brightness=0.1),
            teacher_augmentation=Augmentation(time_shift=8, time_mask=10, band_mask=6, contrast=0.2, brightness=0.1),
            average=0.998,
        ),
        "spoken-events": TrainingConfig(
            dataset="spoken-events",
            architecture="96-64t4x2-48t4x4-10",
            time_steps=64,
            encoding=Encoding.EVENTS,
            leak_shift=4,
            surrogate=Surrogate.ATAN,
            loss="cross-entropy",
            teacher_epochs=0,
            epochs=100,
            batch_size=32,
            optimiser=Optimiser.ADAMW,
            learning_rate=3e-3,
            weight_decay=1e-2,
            copies=1000,
            augmentation=Augmentation(time_shift=4, time_mask=4, band_mask=2, contrast=0.15, brightness=0.05),
            teacher_augmentation=Augmentation(),
            average=0.998,
        ),
        "watch": TrainingConfig(
            dataset="watch",
            architecture="12-32R-7",
            time_steps=128,
            encoding=Encoding.EVENTS,
            surrogate=Surrogate.ATAN,
            loss="cross-entropy",
            teacher_epochs=0,
            epochs=20,
            batch_size=64,
            optimiser=Optimiser.ADAMW,
            learning_rate=3e-3,
            weight_decay=1e-2,
            copies=1,
            augmentation=Augmentation(),
            teacher_augmentation=Augmentation(),
            average=0.998,
        ),
        "watch-fine": TrainingConfig(
            dataset="watch-fine",
            architecture="72-32t5x3-7",
            time_steps=128,
            encoding=Encoding.EVENTS,
            leak_shift=4,
            surrogate=Surrogate.ATAN,
            alpha=0.8,
            teacher=TeacherKind.RATES,
            teacher_epochs=15,
            teacher_learning_rate=0.03,
            epochs=60,
            batch_size=64,
            optimiser=Optimiser.ADAMW,
            learning_rate=3e-3,
            weight_decay=1e-2,
            copies=100,
            augmentation=Augmentation(gain=0.3, turn=15, tempo=0.1, onset=32),
            teacher_augmentation=Augmentation(gain=0.3, turn=15, tempo=0.1, onset=32),
            average=0.998,
        ),
        "saccade-mnist": TrainingConfig(
            dataset="saccade-mnist",
            architecture="2x34x34-16c5s3-32c3s2-48c3s2-10",
            time_steps=30,
            encoding=Encoding.EVENTS,
            leak_shift=4,
            surrogate=Surrogate.ATAN,
            loss="cross-entropy",
            teacher_epochs=0,
            epochs=42,
            batch_size=64,
            optimiser=Optimiser.ADAMW,
            learning_rate=3e-3,
            weight_decay=1e-2,
            copies=42,
            augmentation=Augmentation(rotation=8, scale=0.1, shear=0.1, elastic=0.4),
            teacher_augmentation=Augmentation(),
            average=0.998,
        ),
        "npz": TrainingConfig(
            dataset="npz",
            architecture="1x28x28-16c5s2-32c3s2-10",
            surrogate=Surrogate.ATAN,
            teacher_epochs=15,
            twin_epochs=20,
            epochs=20,
            batch_size=64,
            optimiser=Optimiser.ADAMW,
            learning_rate=3e-3,
            weight_decay=1e-2,
            copies=1,
            augmentation=Augmentation(),
            teacher_augmentation=Augmentation(),
            average=0.998,
        ),
    }
)
