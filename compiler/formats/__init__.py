"""Input formats: one file each, listed in `FORMATS`; every one gives a graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from snnc.compiler.errors import UnsupportedError
from snnc.compiler.formats.random_network import RandomNetwork, random_graph
from snnc.compiler.formats.student import read_student
from snnc.compiler.ir import Graph

__all__ = ["FORMATS", "RandomNetwork", "import_network"]

FORMATS: Final[Mapping[str, Callable[[Path], Graph]]] = MappingProxyType({".pt": read_student})
"""Reader of a network file by the end of its name."""


def import_network(source: Path | RandomNetwork) -> Graph:
    """The graph of a network file, or a random one.

    Raises
    ------
    UnsupportedError
        No reader for such files.
    CheckpointError
        The file does not hold a network.
    """
    if isinstance(source, RandomNetwork):
        return random_graph(source)
    reader = FORMATS.get(source.suffix.lower())
    if reader is None:
        raise UnsupportedError(f"'{source}' is of no known format; snnc compiles {', '.join(FORMATS)} files.")
    return reader(source)
