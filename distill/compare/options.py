"""The options of ``snnc distill``, as a comparison passes them on.

An option that the command gains is one that a comparison has, too.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from snnc.compiler.errors import OptionError
from snnc.distill.class_weights import weights_file
from snnc.distill.losses import METHODS
from snnc.distill.options import OPTIONS

__all__ = [
    "DATA",
    "LOSS_OPTION",
    "TEACHER_FROM",
    "TEACHER_ONLY",
    "check_arguments",
    "method_arguments",
    "read_config",
    "shareable",
    "shared_arguments",
    "shared_files",
    "teacher_settings",
    "variable",
]

DATA: Final = "root"
"""Where the data lies may differ between machines; it is no part of what is compared."""

TEACHER_ONLY: Final = "--teacher-only"
"""Flag of ``snnc distill``: train the teacher, write it to the output, and stop."""
TEACHER_FROM: Final = "--teacher-from"
"""Option of ``snnc distill``: a teacher that was written so, or a student."""
LOSS_OPTION: Final = "--loss-option"
"""Option of ``snnc distill``, repeated: ``NAME=VALUE`` of a setting that one method has."""

_PER_RUN: Final = frozenset(
    {"--architecture", "--loss", LOSS_OPTION, "--seed", "--output", "--resume", "--assistant", TEACHER_ONLY}
)

_FIXED: Final = frozenset({DATA, "dataset", "device", "threads", "chip"})
"""Names of options that all runs share, and of which there is one."""

_CLASS_WEIGHTS: Final = "class_weights"
"""Name of the option whose text may be that of a file."""

_METHOD_SETTINGS: Final = ("temperature", "alpha")


def shareable(taken: Iterable[click.Parameter]) -> list[click.Option]:
    """The options that all runs share; names that are `taken` by the comparison itself are left out."""
    names = {parameter.name for parameter in taken}
    return [parameter for parameter in OPTIONS if parameter.name not in names and not _PER_RUN & set(parameter.opts)]


def shared_arguments(values: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Words of the command line of ``snnc distill``, by the name of the option, for every option with a value."""
    arguments: dict[str, tuple[str, ...]] = {}
    for option in shareable(()):
        assert option.name is not None
        value = values.get(option.name)
        if value is None or value == () or (option.is_flag and value == option.default):
            continue
        if option.is_flag:
            arguments[option.name] = ((option.opts if value else option.secondary_opts)[-1],)
        else:
            repeated = value if option.multiple else (value,)
            arguments[option.name] = tuple(word for one in repeated for word in _words(option, one))
    # Runs side by side: each has its share of the cores.
    return {"threads": ("--threads", "1"), **arguments}


def shared_files(values: Mapping[str, Any], axes: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """SHA-256 of every file that an option names: the same path may come to hold something else.

    Parameters
    ----------
    axes
        Options that are varied, with their values; a file among these is called by its option and its own name.
    """
    files = {}
    for option in shareable(()):
        if option.name == DATA:
            continue
        path = _file_of(option, values.get(option.name or ""))
        if path is not None:
            files[option.opts[-1]] = _digest(path, option)
        for value in axes.get(option.opts[-1].removeprefix("--"), ()):
            if (varied := _file_of(option, value)) is not None:
                files[f"{option.opts[-1]} {value}"] = _digest(varied, option)
    return files


def _file_of(option: click.Option, value: Any) -> Path | None:
    """The file that a value of an option names, if it names one."""
    if isinstance(value, str) and option.name == _CLASS_WEIGHTS:
        return weights_file(value)
    return value if isinstance(value, Path) else None


def _digest(path: Path, option: click.Option) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise OptionError(f"'{path}' of {option.opts[-1]} cannot be read: {error.strerror}.") from None


def variable() -> frozenset[str]:
    """Names of the options that a comparison may vary: all that runs share, but flags and places of files."""
    return frozenset(
        option.opts[-1].removeprefix("--")
        for option in shareable(())
        if not (option.is_flag or option.multiple or isinstance(option.type, click.Path) or option.name in _FIXED)
    )


def method_arguments(loss: str, settings: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """The words that set a method; settings that would change the budget are refused."""
    own = METHODS[loss].options
    words = ["--loss", loss]
    for name, value in settings:
        if name in own:  # first: a method may call an option of its own "teacher"
            words += [LOSS_OPTION, f"{name}={value}"]
        elif name in _METHOD_SETTINGS or _is_about_teacher(name):
            words += [f"--{name}", value]
        else:
            allowed = ", ".join((*_METHOD_SETTINGS, *own, "teacher", "teacher-..."))
            raise OptionError(
                f"The method {loss!r} cannot be given {name!r} of its own, only {allowed}: what all methods share is "
                "an option of the comparison, so that their budgets are equal."
            )
    return tuple(words)


def teacher_settings(loss: str, settings: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Those settings of a method that are about its teacher."""
    return tuple((name, value) for name, value in settings if name not in METHODS[loss].options and "teacher" in name)


def check_arguments(arguments: Iterable[str], *, of: str) -> None:
    """Refuse words that ``snnc distill`` would refuse, before anything is started."""
    try:
        click.Command("distill", params=list(OPTIONS)).make_context("snnc distill", list(arguments))
    except click.ClickException as error:
        raise OptionError(f"{of}: {error.format_message()}") from None


def read_config(path: Path, parameters: Iterable[click.Parameter]) -> dict[str, Any]:
    """Options from a TOML file, spelt as on the command line without the dashes; by the names of the parameters."""
    try:
        contents = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise OptionError(f"The configuration '{path}' cannot be read: {reason}.") from None
    names = {
        spelling.removeprefix("--"): parameter
        for parameter in parameters
        for spelling in parameter.opts
        if spelling.startswith("--")
    }
    values = {}
    for key, value in contents.items():
        parameter = names.get(key.replace("_", "-"))
        if parameter is None or parameter.name is None:
            raise OptionError(f"The configuration '{path}' sets {key!r}, which is no option; see snnc compare --help.")
        values[parameter.name] = [value] if parameter.multiple and not isinstance(value, list) else value
    return values


def _words(option: click.Option, value: Any) -> tuple[str, ...]:
    return option.opts[-1], *map(str, value if option.nargs != 1 else (value,))


def _is_about_teacher(name: str) -> bool:
    option = f"--{name}"
    return option.startswith("--teacher") and option != TEACHER_ONLY and option in _spellings()


def _spellings() -> set[str]:
    return {spelling for parameter in OPTIONS for spelling in parameter.opts}
