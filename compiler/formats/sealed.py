"""The sealed model of a build, ``model.npz``, as a format: an integer network, read back and written."""

from __future__ import annotations

from pathlib import Path

from snnc.compiler.formats.interface import Format, ReadOptions
from snnc.compiler.ir import Graph
from snnc.compiler.ir.model import load_model, model_to_bytes

__all__ = ["SEALED"]


def _read(path: Path, options: ReadOptions) -> Graph:
    return load_model(path)


SEALED = Format(suffix=".npz", read=_read, write=model_to_bytes)
