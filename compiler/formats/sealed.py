"""The sealed model of a build, ``model.npz``, as a format: an integer network, read back and written."""

from __future__ import annotations

from pathlib import Path

from snnc.compiler.errors import BuildError
from snnc.compiler.formats.interface import Format, ReadOptions
from snnc.compiler.ir import Graph
from snnc.compiler.ir.model import load_model, model_to_bytes

__all__ = ["SEALED"]


def _read(path: Path, options: ReadOptions) -> Graph:
    return load_model(path)


def _write(graph: Graph, path: Path) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(model_to_bytes(graph))
        part.replace(path)
    except OSError as error:
        raise BuildError(f"'{path}' cannot be written: {error.strerror or error}.") from None


SEALED = Format(suffix=".npz", read=_read, write=_write)
