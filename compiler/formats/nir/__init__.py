"""``.nir`` files: networks in the Neuromorphic Intermediate Representation (Pedersen et al., Nat. Commun. 15, 2024).

What reads and writes them is imported when there is such a file.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from snnc.compiler.formats.foreign.assumptions import as_assumptions
from snnc.compiler.formats.interface import Format, ReadOptions
from snnc.compiler.ir import Graph

if TYPE_CHECKING:
    from snnc.compiler.formats.foreign.findings import Imported

__all__ = ["NIR"]


def _read(path: Path, options: ReadOptions) -> Graph:
    from snnc.compiler.formats.nir.reader import read_nir

    return read_nir(path, as_assumptions(options))


def _examine(path: Path, options: ReadOptions) -> Imported:
    from snnc.compiler.formats.nir.reader import import_nir

    return import_nir(path, as_assumptions(options))


def _write(graph: Graph) -> bytes:
    from snnc.compiler.formats.nir.writer import write_nir

    return write_nir(graph)


NIR: Final = Format(suffix=".nir", read=_read, write=_write, examine=_examine)
