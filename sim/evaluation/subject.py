"""The network under evaluation, in its two meanings: the integers that hardware runs, and the floats they came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from snnc.compiler.formats import Source, find_format, import_network
from snnc.compiler.formats.interface import NO_OPTIONS, ReadOptions
from snnc.compiler.ir import Graph, Level
from snnc.compiler.passes.normalise import normalised
from snnc.compiler.pipeline import integer_network

__all__ = ["Subject", "open_subject"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Subject:
    """A trained network.

    Attributes
    ----------
    integer
        At `Level.INTEGER`.
    floating
        The same at `Level.NORMALISED`; None where the file holds integers alone.
    recorded
        Accuracies that training wrote into the file, by their names of ``docs/checkpoint.md``.
    """

    integer: Graph
    floating: Graph | None
    recorded: Mapping[str, float]


def open_subject(source: Source, *, time_steps: int | None = None, reading: ReadOptions = NO_OPTIONS) -> Subject:
    """Read a trained network.

    Parameters
    ----------
    time_steps
        Most steps of a sample; by default those that it was trained for.
    reading
        What a format asks for that the file does not say.

    Raises
    ------
    CheckpointError, BuildError, UnsupportedError
        The file does not hold a network that can be evaluated.
    OptionError
        `time_steps` is out of range.
    """
    integer = integer_network(source, time_steps=time_steps, reading=reading)
    imported = import_network(source, reading)
    return Subject(
        integer=integer,
        floating=normalised(imported) if imported.level < Level.INTEGER else None,
        recorded=find_format(source).recorded(source) if isinstance(source, Path) else {},
    )
