"""What a format of network files is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from snnc.compiler.errors import UnsupportedError
from snnc.compiler.ir import Graph

if TYPE_CHECKING:
    from snnc.compiler.formats.foreign.findings import Imported

__all__ = ["NO_OPTIONS", "Decides", "Format", "ReadOptions", "refuse_exit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """What a reader is told about a file that does not say everything.

    Our own formats do; others have a record of their own (`snnc.compiler.formats.foreign.assumptions`).
    """


NO_OPTIONS: Final = ReadOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decides:
    """Decisions in a stream that a network was trained for: one after every so many steps.

    Attributes
    ----------
    every
        Steps from one decision to the next, at least 1.
    late
        Steps that a decision is behind what it is about.
    """

    every: int
    late: int


def _once(path: Path) -> Decides | None:
    return None


def _nothing(path: Path) -> Mapping[str, float]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One kind of network file.

    Attributes
    ----------
    suffix
        End of its files' names, in lower case, with the dot.
    read
        The network in a file, at whatever level the format holds; None where files are written only.
    write
        The bytes of a file that holds an integer network; None where it is not written so.
    examine
        As `read`, with a finding for each node; None for our own formats, which leave nothing open. A format that has
        it takes `Assumptions`.
    recorded
        What was measured when the file was made, by the names of ``docs/checkpoint.md``; fractions, 0 to 1.
    decides
        When the network in a file was trained to decide; None where that is once a sample, in the end.
    """

    suffix: str
    read: Callable[[Path, ReadOptions], Graph] | None = None
    write: Callable[[Graph], bytes] | None = None
    examine: Callable[[Path, ReadOptions], Imported] | None = None
    recorded: Callable[[Path], Mapping[str, float]] = _nothing
    decides: Callable[[Path], Decides | None] = _once


def refuse_exit(graph: Graph, suffix: str) -> None:
    """Refuse to write a network whose samples may end early, or never, into a file that runs all steps.

    Raises
    ------
    UnsupportedError
        The network has an exit, or is for streams.
    """
    if graph.stream:
        raise UnsupportedError(
            f"'{graph.name}' is for streams without an end, which a {suffix} file does not say: it takes samples of "
            f"{graph.time_steps} steps. Export the student that it was compiled from."
        )
    if graph.exit is not None:
        raise UnsupportedError(
            f"'{graph.name}' has an early exit, which a {suffix} file does not say: all samples would take "
            f"{graph.time_steps} steps. Export the network without the exit."
        )
