"""Options for what a network made elsewhere does not say about itself."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar

import click
from click.core import ParameterSource

from snnc.compiler.formats import FORMATS
from snnc.compiler.formats.foreign.assumptions import Assumptions, Decoding, Leak, ResetKind
from snnc.compiler.formats.interface import NO_OPTIONS, ReadOptions
from snnc.compiler.ir import Comparison, Encoding

__all__ = ["OPTION_NAMES", "assumption_options", "is_foreign", "reading_of"]

_Command = TypeVar("_Command", bound=Callable[..., Any])

_DEFAULTS: Final = Assumptions()


def _choice(name: str, kind: Any, default: Any, text: str) -> Callable[[_Command], _Command]:
    choices = click.Choice([member.value for member in kind])
    return click.option(name, type=choices, default=default.value, show_default=True, help=text)


def _number(name: str, low: int, high: int, default: int, text: str) -> Callable[[_Command], _Command]:
    return click.option(
        name, type=click.IntRange(low, high), metavar="N", default=default, show_default=True, help=text
    )


def assumption_options(*, without: Collection[str] = ()) -> Callable[[_Command], _Command]:
    """Add an option for each field of `Assumptions`, under its name, but for those that a command has already."""

    def add(command: _Command) -> _Command:
        for name, option in reversed(tuple(_OPTIONS.items())):
            if name not in without:
                command = option(command)
        return command

    return add


_OPTIONS: Final[Mapping[str, Callable[[Any], Any]]] = MappingProxyType(
    {
        "dt": click.option("--dt", type=float, help="Length of a time step, in the file's unit of time."),
        "reset": _choice("--reset", ResetKind, _DEFAULTS.reset, "What a spike does; late: a step later."),
        "comparison": _choice("--comparison", Comparison, _DEFAULTS.comparison, "Of a membrane that fires."),
        "leak": _choice("--leak", Leak, _DEFAULTS.leak, "How time constants become steps."),
        "encoding": _choice("--encoding", Encoding, _DEFAULTS.encoding, "Of the input."),
        "bits": _number("--bits", 1, 8, _DEFAULTS.bits, "Of a pixel."),
        "time_steps": _number("--time-steps", 1, 2**16, _DEFAULTS.time_steps, "Most time steps of a sample."),
        "decoding": _choice("--decoding", Decoding, _DEFAULTS.decoding, "sum: a leaky readout may be taken for a sum."),
        "fraction_bits": _number("--fraction-bits", 0, 16, _DEFAULTS.fraction_bits, "Of membranes, at most."),
        "weight_bits": _number("--weight-bits", 1, 8, _DEFAULTS.weight_bits, "Of weights."),
        "exact": click.option("--exact", is_flag=True, help="Refuse what could only be approximated."),
    }
)


OPTION_NAMES: Final = tuple(_OPTIONS)
"""As parameters of a command."""


def is_foreign(network: Path | None) -> bool:
    """Whether a file is of a format that leaves these options open."""
    found = None if network is None else FORMATS.get(network.suffix.lower())
    return found is not None and found.examine is not None


def reading_of(network: Path | None, assumed: Mapping[str, Any], own: Mapping[str, Any]) -> ReadOptions:
    """How a command reads a network: by what `assumption_options` parsed, and by its own options of those names.

    Raises
    ------
    click.UsageError
        One of the former was given, and the file says all of that by itself.
    """
    if is_foreign(network):
        return Assumptions.of({**assumed, **own})
    given = click.get_current_context().get_parameter_source
    for name in assumed:
        if given(name) is ParameterSource.COMMANDLINE:
            kinds = " and ".join(suffix for suffix, kind in FORMATS.items() if kind.examine is not None)
            raise click.UsageError(f"--{name.replace('_', '-')} belongs to {kinds} files.")
    return NO_OPTIONS
