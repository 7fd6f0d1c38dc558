"""Writes a waveform for GTKWave or Surfer: signals in scopes, as a VCD or an FST file.

The unit of the file's time is a cycle: what a viewer shows as 37 ns is the cycle 37. There is no clock, which would say
the same twice.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, unique
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias, assert_never

import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import OptionError, ToolError
from snnc.compiler.extras import require
from snnc.compiler.tools import check_room

__all__ = ["FORMATS", "Kind", "Wave", "check_waveform", "write_waveform"]

FORMATS: Final = (".vcd", ".fst")
"""By the suffix of a file's name. FST is compressed, and takes a package that an extra brings."""

IntArray: TypeAlias = npt.NDArray[np.int64]

_TIMESCALE: Final = "1 ns"


@unique
class Kind(Enum):
    """What a viewer shows a signal as."""

    BITS = "bits"
    """A wire, or a vector of them; not negative."""
    INTEGER = "integer"
    """A signed number."""
    TEXT = "text"
    """A word from `Wave.texts`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Wave:
    """One signal.

    Attributes
    ----------
    scope
        Names of the scopes around it, outermost first.
    name
        Its own.
    kind
        How its values are to be read.
    bits
        Its width; of no meaning for a text.
    times, values
        Cycles, rising, and what the signal is from each of them on; before the first it is unknown.
    texts
        What each value stands for, where it is a text.
    """

    scope: tuple[str, ...]
    name: str
    kind: Kind
    bits: int
    times: IntArray
    values: IntArray
    texts: tuple[str, ...] = ()


def check_waveform(path: Path) -> None:
    """Refuse, before any work, a waveform that could not be written.

    Raises
    ------
    OptionError
        The suffix names no format, or the folder is not there.
    MissingError
        The format needs an extra.
    """
    if path.suffix not in FORMATS:
        raise OptionError(f"'{path}' is no name of a waveform: it must end in {' or '.join(FORMATS)}.")
    if path.is_dir() or not path.parent.is_dir():
        why = "it is a folder" if path.is_dir() else f"there is no folder '{path.parent}'"
        raise OptionError(f"The waveform '{path}' cannot be written: {why}; name another file.")
    if path.suffix == ".fst":
        require("pylibfst")


def write_waveform(path: Path, waves: Sequence[Wave], *, end: int) -> None:
    """Write all `waves` into a file that shows them up to the cycle `end`; it appears whole or not at all.

    Raises
    ------
    ToolError
        It cannot be written.
    """
    times = np.concatenate([np.zeros(0, np.int64), *(wave.times for wave in waves)])
    which = np.repeat(np.arange(len(waves)), [len(wave.times) for wave in waves])
    values = np.concatenate([np.zeros(0, np.int64), *(wave.values for wave in waves)])
    order = np.argsort(times, kind="stable")
    try:
        with _beside(path) as part, _opened(path.suffix, part, waves) as file:
            changes = zip(times[order].tolist(), which[order].tolist(), values[order].tolist(), strict=True)
            for time, wave, value in changes:
                file.change(wave, time, value)
            file.finish(end)
            check_room("What writes the waveform", [part.parent])  # GTKWave's library does not say that a disk is full
    except OSError as error:
        raise ToolError(f"The waveform '{path}' cannot be written: {error.strerror or error}.") from None


class _File(Protocol):
    def change(self, wave: int, time: int, value: int) -> None: ...

    def finish(self, end: int) -> None: ...


@contextlib.contextmanager
def _opened(suffix: str, path: Path, waves: Sequence[Wave]) -> Iterator[_File]:
    if suffix == ".fst":
        yield _Fst(path, waves)
        return
    with path.open("w", encoding="ascii") as stream:
        yield _Vcd(stream, waves)


class _Vcd:
    """By pyvcd."""

    def __init__(self, stream: Any, waves: Sequence[Wave]) -> None:
        from vcd import VCDWriter

        self._waves = waves
        # No date: the same run gives the same bytes.
        self._writer = VCDWriter(stream, timescale=_TIMESCALE, comment="written by snnc; 1 ns is one cycle")
        self._variables = []
        for wave in waves:
            size: int | None = wave.bits
            match wave.kind:
                case Kind.BITS:
                    kind, init = "wire", "x"
                case Kind.INTEGER:
                    kind, init = "integer", "x"
                case Kind.TEXT:
                    kind, size, init = "string", None, ""
                case _:
                    assert_never(wave.kind)
            self._variables.append(self._writer.register_var(wave.scope, wave.name, kind, size=size, init=init))

    def change(self, wave: int, time: int, value: int) -> None:
        texts = self._waves[wave].texts
        self._writer.change(self._variables[wave], time, texts[value] if texts else value)

    def finish(self, end: int) -> None:
        self._writer.close(end)


class _Fst:
    """By GTKWave's own library."""

    def __init__(self, path: Path, waves: Sequence[Wave]) -> None:
        from pylibfst import ffi, lib

        self._library, self._none = lib, ffi.NULL
        self._waves = waves
        self._time = -1
        self._context = lib.fstWriterCreate(os.fsencode(path), 1)
        if self._context == self._none:
            raise OSError(f"GTKWave's library cannot create '{path}'")
        lib.fstWriterSetTimescaleFromString(self._context, _TIMESCALE.replace(" ", "").encode())
        lib.fstWriterSetVersion(self._context, b"snnc; 1 ns is one cycle")
        self._handles = []
        inside: tuple[str, ...] = ()
        for wave in waves:
            inside = self._enter(inside, wave.scope)
            kind = {
                Kind.BITS: lib.FST_VT_VCD_WIRE,
                Kind.INTEGER: lib.FST_VT_VCD_INTEGER,
                Kind.TEXT: lib.FST_VT_GEN_STRING,
            }[wave.kind]
            size = 0 if wave.kind is Kind.TEXT else wave.bits
            self._handles.append(
                lib.fstWriterCreateVar(self._context, kind, lib.FST_VD_IMPLICIT, size, wave.name.encode(), 0)
            )

    def _enter(self, inside: tuple[str, ...], scope: tuple[str, ...]) -> tuple[str, ...]:
        shared = sum(1 for depth in range(1, len(scope) + 1) if inside[:depth] == scope[:depth])
        for _ in inside[shared:]:
            self._library.fstWriterSetUpscope(self._context)
        for name in scope[shared:]:
            self._library.fstWriterSetScope(self._context, self._library.FST_ST_VCD_MODULE, name.encode(), self._none)
        return scope

    def change(self, wave: int, time: int, value: int) -> None:
        if time != self._time:
            self._library.fstWriterEmitTimeChange(self._context, time)
            self._time = time
        kind = self._waves[wave]
        if kind.kind is Kind.TEXT:
            text = kind.texts[value].encode()
            self._library.fstWriterEmitVariableLengthValueChange(self._context, self._handles[wave], text, len(text))
        else:
            bits = f"{value & (1 << kind.bits) - 1:0{kind.bits}b}".encode()
            self._library.fstWriterEmitValueChange(self._context, self._handles[wave], bits)

    def finish(self, end: int) -> None:
        self._library.fstWriterEmitTimeChange(self._context, end)
        self._library.fstWriterClose(self._context)


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A file in a folder of its own beside `path`, which takes its place at the end."""
    with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as name:
        part = Path(name) / path.name
        yield part
        part.replace(path)
