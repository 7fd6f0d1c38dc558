"""Formats of network files: one file each, listed in `FORMATS`; every one gives a graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeAlias

from snnc.compiler.errors import UnsupportedError
from snnc.compiler.formats.c99 import C99
from snnc.compiler.formats.interface import NO_OPTIONS, Format, ReadOptions
from snnc.compiler.formats.nir import NIR
from snnc.compiler.formats.onnx import ONNX
from snnc.compiler.formats.random_network import RandomNetwork, random_graph
from snnc.compiler.formats.sealed import SEALED
from snnc.compiler.formats.student import STUDENT
from snnc.compiler.ir import Graph

__all__ = [
    "FORMATS",
    "Format",
    "RandomNetwork",
    "ReadOptions",
    "Source",
    "find_format",
    "find_writer",
    "import_network",
    "read_network",
]

Source: TypeAlias = Path | RandomNetwork | Graph
"""Where a network comes from: a file, a description, or one that is there already."""

FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {format.suffix: format for format in (STUDENT, SEALED, NIR, ONNX, C99)}
)
"""By the end of a file's name."""


def find_format(path: Path) -> Format:
    """The format of a network file.

    Raises
    ------
    UnsupportedError
        There is none for such files.
    """
    found = FORMATS.get(path.suffix.lower())
    if found is None or found.read is None:
        known = ", ".join(suffix for suffix, kind in FORMATS.items() if kind.read is not None)
        raise UnsupportedError(f"'{path}' is of no known format; snnc compiles {known} files.")
    return found


def find_writer(path: Path) -> Callable[[Graph], bytes]:
    """What writes a network into a file of that name.

    Raises
    ------
    UnsupportedError
        Nothing does.
    """
    found = FORMATS.get(path.suffix.lower())
    if found is None or found.write is None:
        known = ", ".join(suffix for suffix, kind in FORMATS.items() if kind.write is not None)
        raise UnsupportedError(f"'{path}' is of no format that is written; snnc exports {known} files.")
    return found.write


def read_network(path: Path, options: ReadOptions = NO_OPTIONS) -> Graph:
    """The network in a file, at whatever level its format holds."""
    read = find_format(path).read
    assert read is not None  # find_format
    return read(path, options)


def import_network(source: Source, options: ReadOptions = NO_OPTIONS) -> Graph:
    """The graph of a network file, a random one, or a graph itself.

    Raises
    ------
    UnsupportedError
        No format for such files.
    CheckpointError, BuildError
        The file does not hold a network.
    """
    match source:
        case RandomNetwork():
            return random_graph(source)
        case Graph():
            return source
        case _:
            return read_network(source, options)
