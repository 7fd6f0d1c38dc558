"""``.onnx`` files: an integer network in standard operators, which onnxruntime runs."""

from __future__ import annotations

from typing import Final

from snnc.compiler.formats.interface import Format
from snnc.compiler.formats.onnx.writer import write_onnx

__all__ = ["ONNX"]

ONNX: Final = Format(suffix=".onnx", write=write_onnx)
