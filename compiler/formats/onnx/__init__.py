"""``.onnx`` files: an integer network in standard operators, which onnxruntime runs; and ANNs, to be converted.

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

__all__ = ["ONNX"]


def _read(path: Path, options: ReadOptions) -> Graph:
    return _examine(path, options).accepted()


def _examine(path: Path, options: ReadOptions) -> Imported:
    from snnc.compiler.formats.onnx.reader import import_onnx

    return import_onnx(path, as_assumptions(options))


def _write(graph: Graph) -> bytes:
    from snnc.compiler.formats.onnx.writer import write_onnx

    return write_onnx(graph)


ONNX: Final = Format(suffix=".onnx", read=_read, write=_write, examine=_examine)
