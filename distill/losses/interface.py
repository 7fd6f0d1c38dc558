"""What a distillation loss receives, and how a method declares what it needs and which options it has.

A loss is a pure function of `LossInputs` and `LossSettings`; a `Method` adds to it the list of its needs, from which
the training loop knows what to compute (a teacher is trained only for a method that listens to one).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

import torch
from torch import Tensor, nn

from snnc.compiler.errors import OptionError

__all__ = [
    "AdapterFactory",
    "AdapterShapes",
    "Choice",
    "FeaturePair",
    "LossFunction",
    "LossInputs",
    "LossSettings",
    "MapShape",
    "Method",
    "Need",
    "Option",
    "Value",
    "parse_options",
    "resolve",
]

Value = float | str
"""Of an option: a number, or one of the words of a `Choice`."""

MapShape = tuple[int, int, int]
"""``(C, H, W)``; a dense population of ``N`` neurons is ``(N, 1, 1)``."""


class Need(Enum):
    """Something beyond the student's logits, spikes and labels that a method looks at, and when it is computed.

    TEACHER_LOGITS
        ``teacher_logits``, for every batch of every phase: once per copy of the images, a pass of the teacher.
    TEACHER_STEP_LOGITS
        ``teacher_step_logits``, likewise; the teacher has to be an SNN.
    TEACHER_FEATURES
        ``features``, for every batch: a pass of the teacher with its features, and the method's adapter, which is
        trained with the student and thrown away at export.
    SALIENCY
        ``teacher_map``, for every batch: a pass of the teacher with its features; a convolutional teacher and a
        student with a population of at least ``ckdsnn_samd.SMALLEST_MAP`` positions.
    MEMBRANES
        ``membranes`` and ``float_membranes``, in the quantised phases only: a second pass, of the student's float copy
        as it was when they began. Before them both tuples are empty.
    NOISE
        ``generator``, seeded anew for every epoch; a method's adapter gets it, too.
    MORE_STEPS
        ``longer_step_logits``, for every batch of the phases that have time: the pass takes ``factor`` times as many
        steps, an option that the method must have. Of pixels alone, which stay the same at every step.
    MIXED_STEPS
        ``mixed_logits``, for every batch of the phases that have time: as many passes as the method's option
        ``samples`` says, in which each population has its own number of steps.
    WEAK_CLASSIFIER
        ``weak_logits``, for every batch: what the method's adapter reads out of the rates of the hidden populations; it
        is trained with the student and thrown away at export.
    TWIN
        ``twin_logits`` and ``twin_rates``, for every batch of the phases after the twin's: a pass of the student's
        artificial twin, frozen. In its own phase a twin learns from the labels.
    HYBRIDS
        ``hybrid_logits``, likewise: as many passes of the rest of the twin as there are hidden populations. Needs TWIN.
    """

    TEACHER_LOGITS = "teacher logits"
    TEACHER_STEP_LOGITS = "teacher step logits"
    TEACHER_FEATURES = "teacher features"
    SALIENCY = "saliency"
    MEMBRANES = "membranes"
    NOISE = "noise"
    MORE_STEPS = "more steps"
    MIXED_STEPS = "mixed steps"
    WEAK_CLASSIFIER = "weak classifier"
    TWIN = "twin"
    HYBRIDS = "hybrids"


@dataclass(frozen=True, slots=True, kw_only=True)
class LossSettings:
    """The knobs that methods share, and the options of one; a method's docstring says what they mean to it.

    Attributes
    ----------
    temperature
        Softening ``tau >= 1`` of the logits that are compared.
    alpha
        Weight of the teacher in ``[0, 1]``; the labels have the rest.
    options
        Every option of the method, as `resolve` returns them.
    """

    temperature: float
    alpha: float
    options: Mapping[str, Value] = field(default_factory=lambda: MappingProxyType({}))

    def number(self, name: str) -> float:
        """The value of an `Option`."""
        value = self.options[name]
        assert not isinstance(value, str), name
        return value

    def word(self, name: str) -> str:
        """The value of a `Choice`."""
        value = self.options[name]
        assert isinstance(value, str), name
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class FeaturePair:
    """One stage of the teacher and the student's rates, adapted to it.

    Attributes
    ----------
    student
        ``[B, C', H', W']``, what the method's adapter made of a map of rates.
    teacher
        ``[B, C', H', W']``, after batch norm and before the ReLU, without gradient.
    margin
        ``[C']``, ``E[x | x < 0]`` of the teacher's channels.
    """

    student: Tensor
    teacher: Tensor
    margin: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class LossInputs:
    """One batch: ``B`` samples, ``K`` classes, ``T`` steps. What is not declared as a `Need` is None or empty.

    Of a stream each decision is a sample, and the steps since the decision before are its ``T``; spikes and membranes
    are then those of all steps, ``[T of the stream, B of the batch, ...]``.

    Attributes
    ----------
    step_logits
        The student's readout current at every step, in real units, ``[T, B, K]``.
    labels
        Class indices, ``[B]``; `snnc.distill.data.dataset.UNLABELLED` where one is not known.
    class_weights
        Of a cross-entropy with labels, ``[K]``; None where all are 1.
    teacher_logits
        ``[B, K]``, without gradient.
    teacher_step_logits
        ``[T', B, K]``, without gradient; ``T'`` may differ from ``T``.
    spikes
        Of every hidden population of the student, in order, ``[T, B, N]`` or ``[T, B, C, H, W]``; always given.
    membranes, float_membranes
        Of the student's hidden populations and of those of its frozen float copy (without gradient), ``[T, B, ...]``,
        before the reset, in units of the threshold; empty outside the quantised phases.
    features
        One `FeaturePair` per stage of the teacher, the deepest last.
    teacher_map
        The teacher's class activation map, ``[B, H', W']``, without gradient.
    generator
        Of the noise.
    progress
        Share of the phase's training that is done, ``[0, 1)``.
    longer_step_logits
        Of all steps of a longer run, ``[factor * T, B, K]``, of which ``step_logits`` are the first; None in a phase
        without time.
    mixed_logits
        One ``[B, K]`` for each mixed pass, the means over its steps; empty in a phase without time.
    weak_logits
        ``[B, K]``.
    twin_logits, twin_rates
        ``[B, K]``, and of every hidden population ``[B, ...]``, without gradient; None and empty before there is one.
    hybrid_logits
        One ``[B, K]`` for each hidden population, in order: the student's rates up to that one, and the twin behind it.
    """

    step_logits: Tensor
    labels: Tensor
    class_weights: Tensor | None = None
    teacher_logits: Tensor | None = None
    teacher_step_logits: Tensor | None = None
    spikes: tuple[Tensor, ...] = ()
    membranes: tuple[Tensor, ...] = ()
    float_membranes: tuple[Tensor, ...] = ()
    features: tuple[FeaturePair, ...] = ()
    teacher_map: Tensor | None = None
    generator: torch.Generator | None = None
    progress: float = 0.0
    longer_step_logits: Tensor | None = None
    mixed_logits: tuple[Tensor, ...] = ()
    weak_logits: Tensor | None = None
    twin_logits: Tensor | None = None
    twin_rates: tuple[Tensor, ...] = ()
    hybrid_logits: tuple[Tensor, ...] = ()


LossFunction = Callable[[LossInputs, LossSettings], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterShapes:
    """What an adapter stands between.

    Attributes
    ----------
    student
        Of the hidden populations.
    teacher
        Of the stages whose features are compared; empty where none are.
    classes
        ``K``.
    """

    student: tuple[MapShape, ...]
    teacher: tuple[MapShape, ...]
    classes: int


AdapterFactory = Callable[[AdapterShapes, LossSettings], nn.Module]
"""Makes a module from a tuple of rates ``[B, C, H, W]`` (and with `Need.NOISE` a generator): to one of
``[B, C', H', W']``, as many as the teacher has stages, or of a weak classifier to logits ``[B, K]``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A number that a method can be given.

    Attributes
    ----------
    whole
        Only whole numbers are allowed.
    """

    default: float
    low: float
    high: float
    meaning: str
    whole: bool = False

    @property
    def allowed(self) -> str:
        return f"{'a whole number, ' if self.whole else ''}{self.low:g} to {self.high:g}"

    def read(self, given: Value) -> float | None:
        """The value that is meant, or None if it is not allowed."""
        try:
            value = float(given)
        except ValueError:
            return None
        if not self.low <= value <= self.high or (self.whole and not value.is_integer()):  # a NaN fails, too
            return None
        return int(value) if self.whole else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """An option that is one of a few words; the first is the default."""

    choices: tuple[str, ...]
    meaning: str

    @property
    def default(self) -> str:
        return self.choices[0]

    @property
    def allowed(self) -> str:
        return f"one of {', '.join(self.choices)}"

    def read(self, given: Value) -> str | None:
        """The word that is meant, or None if it is not one of the choices."""
        return given if isinstance(given, str) and given in self.choices else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A way to train a student: a scalar loss, what it needs and how it can be set.

    Attributes
    ----------
    options
        Of this method alone, by name.
    adapter
        Makes the student's features comparable, or reads them out; None unless `Need.TEACHER_FEATURES` or
        `Need.WEAK_CLASSIFIER` is declared.
    ignores
        Names of the shared settings that have no part in the loss.
    labels_optional
        Whether, with these settings, what the teacher says is enough to train the readout, so that samples without a
        label may take part; by default it is not.
    """

    loss: LossFunction
    needs: frozenset[Need]
    summary: str
    options: Mapping[str, Option | Choice] = field(default_factory=lambda: MappingProxyType({}))
    adapter: AdapterFactory | None = None
    ignores: frozenset[str] = frozenset()
    labels_optional: Callable[[LossSettings], bool] = lambda settings: False

    @property
    def by_step(self) -> bool:
        """Whether it compares logits alone, which every decision of a stream has: all else is of whole samples."""
        own = {Need.TEACHER_FEATURES, Need.SALIENCY, Need.WEAK_CLASSIFIER, Need.TWIN}
        whole = own | {Need.MORE_STEPS, Need.MIXED_STEPS}
        return not self.needs & whole


def parse_options(assignments: Iterable[str]) -> dict[str, str]:
    """Split what a command line gives as ``name=value``; `resolve` judges the values."""
    options: dict[str, str] = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not (name and equals and value):
            raise OptionError(f"An option of a loss is written name=value, not {assignment!r}.")
        if name in options:
            raise OptionError(f"The loss's option {name!r} is given twice, as {options[name]!r} and as {value!r}.")
        options[name] = value
    return options


def resolve(method: Method, given: Mapping[str, Value]) -> Mapping[str, Value]:
    """Every option of the method: what is given, checked, and the defaults of the rest.

    Raises
    ------
    OptionError
        An option is unknown, or its value is not allowed.
    """
    for name in given:
        if name not in method.options:
            known = ", ".join(method.options)
            raise OptionError(
                f"This loss has no option {name!r}; it has {known}."
                if known
                else f"This loss has no options of its own, so {name!r} cannot be set."
            )
    resolved: dict[str, Value] = {}
    for name, option in method.options.items():
        value = option.read(given[name]) if name in given else option.default
        if value is None:
            raise OptionError(f"The loss's option {name!r} must be {option.allowed}, not {given[name]}.")
        resolved[name] = value
    return MappingProxyType(resolved)
