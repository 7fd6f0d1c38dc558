"""What was found so far: a file that only grows, a line for each result.

A line is written whole or, where the process is killed in the middle of it, left without its end; such a line is taken
away when the file is opened again. So a run that is killed loses what it had not finished, and nothing else.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from snnc.compiler.build.locks import locked
from snnc.compiler.errors import BuildError

__all__ = ["RESULTS", "Results", "open_results"]

RESULTS: Final = "results.jsonl"

_HEAD: Final = {"format": "snnc-exploration", "version": 1}


class Results:
    """Results by the keys of what they are of (`snnc.compiler.explore.grid.Keys`)."""

    def __init__(self, file: int, known: dict[str, Mapping[str, Any]]) -> None:
        self._file = file
        self._known = known

    def __contains__(self, key: str) -> bool:
        return key in self._known

    def __getitem__(self, key: str) -> Mapping[str, Any]:
        return self._known[key]

    def add(self, key: str, found: Mapping[str, Any]) -> None:
        """Keep a result, on the disk when this returns."""
        _append(self._file, {"key": key, "found": found})
        self._known[key] = found


@contextlib.contextmanager
def open_results(folder: Path) -> Iterator[Results]:
    """The results in a folder, for this process alone; the folder is made where there is none.

    Raises
    ------
    BuildError
        It cannot be written, another process works in it, or its file holds something else.
    """
    path = folder / RESULTS
    with contextlib.ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            held.enter_context(locked(folder))
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except BlockingIOError:
            raise BuildError(
                f"Another 'snnc explore' is at work in '{folder}'; wait until it ends, or give another folder with -o."
            ) from None
        except OSError as error:
            raise BuildError(
                f"'{folder}' cannot be written: {error.strerror or error}; give another one with -o."
            ) from None
        held.callback(os.close, file)
        yield Results(file, _read(file, path))


def _read(file: int, path: Path) -> dict[str, Mapping[str, Any]]:
    """What the lines hold; a last line without its end goes."""
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    os.ftruncate(file, whole)
    if not whole:
        _append(file, _HEAD)
        return {}
    try:
        head, *lines = [json.loads(line) for line in data[:whole].splitlines()]
        if head != _HEAD:
            raise ValueError(head)
        return {line["key"]: line["found"] for line in lines}
    except (ValueError, KeyError, TypeError):
        raise BuildError(
            f"'{path}' holds no results of this version of snnc explore; remove it, or give another folder with -o."
        ) from None


def _append(file: int, line: Mapping[str, Any]) -> None:
    data = json.dumps(line).encode() + b"\n"
    while data:
        data = data[os.write(file, data) :]
    os.fsync(file)
