"""What is compared: methods, students and seeds, the runs that this makes, and the command line of each."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote

from snnc.compiler.errors import OptionError
from snnc.distill.compare.options import (
    TEACHER_FROM,
    TEACHER_ONLY,
    check_arguments,
    method_arguments,
    teacher_settings,
    variable,
)
from snnc.distill.losses import METHODS
from snnc.distill.losses.interface import LossSettings, Need, resolve

__all__ = [
    "BASELINE",
    "STUDENT",
    "Candidate",
    "Comparison",
    "Run",
    "Setting",
    "Task",
    "parse_axis",
    "parse_method",
    "parse_seeds",
    "parse_shard",
    "spell",
    "tasks_of",
]

BASELINE: Final = "cross-entropy"
"""No distillation: labels alone, everything else equal."""

STUDENT: Final = "student.pt"
_TEACHER: Final = "teacher.pt"
_SEEDS_LIMIT: Final = 1000
_VALUES_LIMIT: Final = 100

Setting = tuple[tuple[str, str], ...]
"""Options of a run that are varied, with their values, in the order of the axes."""

_CHANGES_TEACHER: Final = frozenset({"images", "labelled", "label-noise", "batch-size", "average"})
"""What a teacher that is trained for a comparison depends on, beside the options that are called after it."""

_WITHOUT_TEACHER: Final = frozenset({Need.MEMBRANES, Need.NOISE})
"""What a method may need that no teacher gives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A method as it takes part: a loss and settings of its own. What is not set is as all methods share it."""

    loss: str
    settings: tuple[tuple[str, str], ...] = ()

    @property
    def label(self) -> str:
        """As on the command line: ``twkd:alpha=0.5,temperature=4``."""
        settings = ",".join(f"{name}={value}" for name, value in self.settings)
        return f"{self.loss}:{settings}" if settings else self.loss


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One student to be trained."""

    architecture: str
    method: Candidate
    seed: int
    setting: Setting = ()

    @property
    def name(self) -> str:
        return " ".join(filter(None, (self.architecture, spell(self.setting), self.method.label, f"seed {self.seed}")))

    def folder(self, output: Path) -> Path:
        parts = (self.architecture, *((spell(self.setting),) if self.setting else ()), self.method.label)
        return output.joinpath("runs", *map(_segment, parts), f"seed-{self.seed}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Everything that is compared, and what all of it shares.

    Attributes
    ----------
    shared
        Words of the command line of ``snnc distill``, by the name of the option.
    methods
        The baseline is the first.
    files
        SHA-256 of every file that those name, by option.
    axes
        Options that are varied, with their values: every combination of them is compared.
    data
        SHA-256 of the images and labels.
    title
        What people call the data; of a file of one's own, its name.
    versions
        Of snnc and torch that it was begun with.
    train_images, validation_images, test_images
        Sizes of the data set's parts.
    """

    shared: Mapping[str, tuple[str, ...]]
    files: Mapping[str, str]
    methods: tuple[Candidate, ...]
    architectures: tuple[str, ...]
    seeds: tuple[int, ...]
    train_images: int
    validation_images: int
    test_images: int
    data: str = ""
    title: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    axes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def settings(self) -> tuple[Setting, ...]:
        """Every combination of the values of the axes; a single empty one without any."""
        named = ([(name, value) for value in values] for name, values in self.axes.items())
        return tuple(itertools.product(*named))

    @property
    def runs(self) -> tuple[Run, ...]:
        """All runs; seeds turn slowest, so that a comparison that is not finished has whole pairs.

        Where there are no labels at all, what cannot learn without them is left out, the baseline first of all.
        """
        return tuple(
            Run(architecture=architecture, method=method, seed=seed, setting=setting)
            for seed in self.seeds
            for architecture in self.architectures
            for setting in self.settings
            for method in self.methods
            if not self._is_unlabelled(setting) or _needs_no_label(method)
        )

    def _is_unlabelled(self, setting: Setting) -> bool:
        return float(dict(setting).get("labelled") or self.shared.get("labelled", ("", "1"))[-1]) == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A process that makes a file.

    Attributes
    ----------
    output
        It is done when this is there.
    arguments
        Of ``snnc``, but for the output.
    after
        What must be done before.
    """

    name: str
    output: Path
    arguments: tuple[str, ...] = field(repr=False)
    after: Task | None = field(default=None, repr=False)


def _needs_no_label(method: Candidate) -> bool:
    own = METHODS[method.loss]
    given = dict(method.settings)
    options = resolve(own, {name: value for name, value in given.items() if name in own.options})
    alpha = float(given.get("alpha", 1.0))
    return own.labels_optional(LossSettings(temperature=1.0, alpha=alpha, options=options))


def parse_method(text: str) -> Candidate:
    """``"twkd"`` or ``"twkd:temperature=4,alpha=0.5"``."""
    loss, colon, settings = text.partition(":")
    if loss not in METHODS:
        raise OptionError(f"There is no method called {loss!r}; choose one of {', '.join(METHODS)}.")
    pairs = {}
    for setting in settings.split(",") if colon else ():
        name, equals, value = setting.strip().partition("=")
        if not (name and equals and value) or name in pairs:
            raise OptionError(f"--method '{text}' is not METHOD or METHOD:name=value,... with each name once.")
        pairs[name.replace("_", "-")] = value
    if loss == BASELINE and pairs:
        raise OptionError(f"{BASELINE!r} is the baseline and takes no settings; it is always part of a comparison.")
    method = Candidate(loss=loss, settings=tuple(sorted(pairs.items())))
    check_arguments(method_arguments(loss, method.settings), of=f"--method '{text}'")
    own = METHODS[loss]
    resolve(own, {name: value for name, value in method.settings if name in own.options})
    return method


def parse_axis(text: str) -> tuple[str, tuple[str, ...]]:
    """``"labelled=0.01,0.1,1"``: an option of ``snnc distill`` and the values that it takes in turn.

    Raises
    ------
    OptionError
        It is none of the options that runs share, or a value is not allowed, or given twice.
    """
    name, equals, given = text.partition("=")
    name, values = name.strip().replace("_", "-"), tuple(value.strip() for value in given.split(","))
    if not equals or not all(values) or len(set(values)) != len(values) or len(values) > _VALUES_LIMIT:
        raise OptionError(f"--vary '{text}' is not NAME=value,value,... with each value once.")
    if name not in variable():
        raise OptionError(f"--vary cannot vary {name!r}, only {', '.join(sorted(variable()))}.")
    for value in values:
        check_arguments((f"--{name}", value), of=f"--vary '{text}'")
    return name, values


def spell(setting: Setting) -> str:
    """As a person writes it: ``labelled=0.1,time-steps=2``."""
    return ",".join(f"{name}={value}" for name, value in setting)


def parse_seeds(text: str) -> tuple[int, ...]:
    """``"3"`` seeds from 0, or those of ``"5-9"`` or ``"1,4,7"``.

    Raises
    ------
    OptionError
        It is none of these, or fewer than two: an interval needs two.
    """
    if not re.fullmatch(r"[0-9]{1,9}(-[0-9]{1,9})?(,[0-9]{1,9}(-[0-9]{1,9})?)*", text):
        raise OptionError(f"--seeds '{text}' is not a number of seeds, a range such as 5-9 or a list such as 1,4,7.")
    if text.isdigit():
        text = f"0-{int(text) - 1}" if int(text) else ""
    seeds: list[int] = []
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        seeds.extend(range(int(first), min(int(last or first), int(first) + _SEEDS_LIMIT) + 1))
    if not 2 <= len(seeds) <= _SEEDS_LIMIT or len(set(seeds)) != len(seeds):
        raise OptionError(
            f"--seeds gives {len(seeds)} seeds, but must give 2 to {_SEEDS_LIMIT} different ones: an interval is made "
            "from the differences between seeds."
        )
    return tuple(seeds)


def parse_shard(text: str) -> tuple[int, int]:
    """``"0/4"`` to ``"3/4"``: which part, of how many."""
    found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
    if not found or int(found[1]) >= int(found[2]):
        raise OptionError(f"--shard '{text}' is not INDEX/COUNT with INDEX from 0 to COUNT - 1, such as 0/4 to 3/4.")
    return int(found[1]), int(found[2])


def tasks_of(runs: Sequence[Run], comparison: Comparison, output: Path, *, data: Sequence[str] = ()) -> dict[Run, Task]:
    """The process of every run; those that learn from a teacher wait for one that they share.

    Parameters
    ----------
    data
        Words that say where the data lies on this machine.
    """
    shared = (*(word for words in comparison.shared.values() for word in words), *data)
    tasks = {}
    for run in runs:
        teacher = _teacher_task(run, shared, output)
        tasks[run] = Task(
            name=run.name,
            output=run.folder(output) / STUDENT,
            arguments=(
                "distill",
                *shared,
                *_words(run.setting),
                *("--architecture", run.architecture, "--seed", str(run.seed)),
                *method_arguments(run.method.loss, run.method.settings),
                *((TEACHER_FROM, str(teacher.output)) if teacher is not None else ()),
            ),
            after=teacher,
        )
    return tasks


def _teacher_task(run: Run, shared: tuple[str, ...], output: Path) -> Task | None:
    """The training of the teacher of a run: one for all runs with the same seed and the same options of the teacher.

    None if the method listens to nobody, or to a teacher that was given, or to the student's own earlier phases.
    """
    settings = teacher_settings(run.method.loss, run.method.settings)
    varied = tuple(
        (name, value) for name, value in run.setting if name in _CHANGES_TEACHER or name.startswith("teacher")
    )
    settings = (*varied, *settings)
    words = (*shared, *_words(settings))
    untaught = "--teacher-epochs" in words and int(_last_after(words, "--teacher-epochs")) == 0
    if untaught or TEACHER_FROM in words or not METHODS[run.method.loss].needs - _WITHOUT_TEACHER:
        return None
    label = ",".join(f"{name}={value}" for name, value in settings) or "shared"
    return Task(
        name=f"teacher {label} seed {run.seed}",
        output=output / "teachers" / _segment(label) / f"seed-{run.seed}" / _TEACHER,
        arguments=("distill", TEACHER_ONLY, *words, "--seed", str(run.seed)),
    )


def _words(settings: Setting) -> tuple[str, ...]:
    return tuple(word for name, value in settings for word in (f"--{name}", value))


def _last_after(words: Sequence[str], option: str) -> str:
    """The value of an option that may be given twice: the last one counts."""
    return words[len(words) - words[::-1].index(option)]


def _segment(text: str) -> str:
    """A name of a folder; colons would be hosts to scp and rsync."""
    return quote(text.replace(":", ","), safe="=,+ ")
