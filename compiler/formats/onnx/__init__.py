"""``.onnx`` files: an integer network in standard operators, which onnxruntime runs; and ANNs, to be converted."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from snnc.compiler.formats.foreign.assumptions import as_assumptions
from snnc.compiler.formats.foreign.findings import Imported
from snnc.compiler.formats.interface import Format, ReadOptions
from snnc.compiler.formats.onnx.reader import import_onnx
from snnc.compiler.formats.onnx.writer import write_onnx
from snnc.compiler.ir import Graph

__all__ = ["ONNX"]


def _examine(path: Path, options: ReadOptions) -> Imported:
    return import_onnx(path, as_assumptions(options))


def _read(path: Path, options: ReadOptions) -> Graph:
    return _examine(path, options).accepted()


ONNX: Final = Format(suffix=".onnx", read=_read, write=write_onnx, examine=_examine)
