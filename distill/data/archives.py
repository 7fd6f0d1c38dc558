"""Arrays out of ``.npz`` files from anywhere: every size is checked before memory is taken, nothing is unpickled.

`numpy.load` believes an array's header and takes the memory that it claims, and raises whatever the standard library
does.  Here the header is held against the zip directory and against a limit first, and every fault is a `DataError`
that names the file and the array.
"""

from __future__ import annotations

import io
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import DataError

__all__ = ["Archive", "open_archive"]

_BYTES_LIMIT: Final = 2 * 2**30
"""Of one array: the largest that anybody should have, 60,000 samples of 34x34 events, takes 1.4e9."""

_HEADER_LIMIT: Final = 1024
"""Bytes of the text that describes an array; NumPy writes about 120."""

_DIMENSIONS_LIMIT: Final = 8
_CHUNK: Final = 1 << 20

_LARGEST: Final = 2**63 - 1

_DEFLATE_RATIO: Final = 1032
"""The most that deflate can compress (258 bytes into two bits)."""

_KINDS: Final = {"u": "unsigned integers", "i": "integers", "f": "floats", "U": "text", "O": "Python objects"}


class Archive:
    """An open ``.npz`` file."""

    def __init__(self, archive: zipfile.ZipFile, path: Path) -> None:
        self.path = path
        self._length = path.stat().st_size
        self._archive = archive
        self._records: dict[str, zipfile.ZipInfo] = {}
        for record in archive.infolist():
            if record.filename in self._records:
                raise DataError(f"{path} holds {record.filename!r} twice; write it again with numpy.savez.")
            self._records[record.filename] = record

    def __contains__(self, name: str) -> bool:
        return f"{name}.npy" in self._records

    def pixels(self, name: str, dimensions: tuple[int, ...] = (1,)) -> npt.NDArray[np.uint8]:
        """An array of unsigned bytes with one of the given numbers of dimensions."""
        return self._read(name, dimensions, "u", 1)

    def integers(self, name: str, dimensions: tuple[int, ...] = (1,)) -> npt.NDArray[np.integer]:
        """An array of integers of any width, with one of the given numbers of dimensions."""
        return self._read(name, dimensions, "ui", 8)

    def signal(self, name: str) -> npt.NDArray[np.int16]:
        """Samples of several channels, ``(time, channel)``, of 16 bits."""
        return self._read(name, (2,), "i", 2).astype(np.int16, copy=False)

    def texts(self, name: str, *, longest: int) -> tuple[str, ...]:
        """A one-dimensional array of text of at most ``longest`` characters each, all of them printable."""
        stored = self._read(name, (1,), "U", 4 * longest)
        points = stored.view(np.uint32)
        # Text with code points beyond Unicode is not an error that NumPy or Python report cleanly.
        texts = tuple(map(str, stored.tolist())) if points.max(initial=0) <= 0x10FFFF else ("\0",)
        if not all(text and text.isprintable() for text in texts):
            raise DataError(f"{self.path}: {name} holds an empty name, or one that cannot be printed; rename it.")
        return texts

    def rows(self, name: str) -> int:
        """Length of a one-dimensional array of integers, of which nothing else is read."""
        with self._opened(name, (1,), "ui", 8, limit=None) as (_, shape, _, _):
            return shape[0]

    def columns(self, names: Sequence[str], piece: int) -> Iterator[tuple[npt.NDArray[np.int64], ...]]:
        """One-dimensional arrays of integers of the same length, side by side, ``piece`` rows at a time."""
        with ExitStack() as held:
            files = [(name, *held.enter_context(self._opened(name, (1,), "ui", 8, limit=None))) for name in names]
            count = files[-1][2][0]
            for name, _, shape, _, _ in files:
                if shape[0] != count:
                    raise DataError(
                        f"{self.path}: {name} holds {shape[0]:,} rows, but {names[-1]} {count:,}; they must be equal."
                    )
            for start in range(0, count, piece):
                rows = min(piece, count - start)
                found = []
                for name, file, _, _, dtype in files:
                    flat = np.empty(rows * dtype.itemsize, dtype=np.uint8)
                    _fill(file, flat.data, f"{self.path}: {name}")
                    values = flat.view(dtype)
                    if values.dtype.kind == "u" and int(values.max()) > _LARGEST:
                        raise DataError(f"{self.path}: {name} holds {values.max()}, more than 2^63 - 1.")
                    found.append(values.astype(np.int64))
                yield tuple(found)

    def _read(self, name: str, dimensions: tuple[int, ...], kinds: str, width: int) -> npt.NDArray[Any]:
        where = f"{self.path}: {name}"
        with self._opened(name, dimensions, kinds, width, limit=_BYTES_LIMIT) as (file, shape, fortran, dtype):
            flat = np.empty(math.prod(shape) * dtype.itemsize, dtype=np.uint8)
            _fill(file, flat.data, where)
        return np.ascontiguousarray(flat.view(dtype).reshape(shape, order="F" if fortran else "C"))

    @contextmanager
    def _opened(
        self, name: str, dimensions: tuple[int, ...], kinds: str, width: int, *, limit: int | None
    ) -> Iterator[tuple[BinaryIO, tuple[int, ...], bool, np.dtype[Any]]]:
        """The file at its data, whose size is right; its shape, whether it is in Fortran order, and its type."""
        where = f"{self.path}: {name}"
        try:
            record = self._records[f"{name}.npy"]
        except KeyError:
            raise DataError(f"{self.path} holds no array called {name}; it must have one.") from None
        if record.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataError(f"{where} is compressed in another way than numpy.savez does; write the file again.")
        with self._archive.open(record) as opened:
            file = cast(BinaryIO, opened)
            shape, fortran, dtype = _header(file, where)
            if dtype.kind not in kinds or not 0 < dtype.itemsize <= width or not dtype.isnative:
                wanted = " or ".join(_KINDS[kind] for kind in kinds)
                raise DataError(
                    f"{where} holds {dtype.str!r} ({_KINDS.get(dtype.kind, 'something else')}), but {wanted} of at "
                    f"most {width} bytes are expected; convert it."
                )
            if len(shape) not in dimensions or not all(length > 0 for length in shape):
                *most, last = map(str, dimensions)
                allowed = f"{', '.join(most)} or {last}" if most else last
                raise DataError(f"{where} has the shape {shape}, but {allowed} dimensions, none empty, are expected.")
            size = math.prod(shape) * dtype.itemsize
            if limit is not None and size > limit:
                raise DataError(f"{where} would take {size:,} bytes, but {limit:,} are allowed; store less.")
            if file.tell() + size != record.file_size:
                raise DataError(
                    f"{where} claims {size:,} bytes of data, but {record.file_size - file.tell():,} are stored; "
                    "write the file again."
                )
            if size > _DEFLATE_RATIO * self._length:  # the directory may lie as well
                raise DataError(f"{where} claims {size:,} bytes, more than a file of {self._length:,} can hold.")
            yield file, shape, fortran, dtype


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open an ``.npz`` file; whatever is wrong with it while it is read is a `DataError`."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield Archive(archive, path)
    except (
        *(OSError, EOFError, ValueError, zlib.error, struct.error),
        *(zipfile.BadZipFile, NotImplementedError, RuntimeError),  # not a zip file, unknown compression, encrypted
    ) as error:
        raise DataError(f"{path} cannot be read ({error}); write or fetch the file again.") from error


def _header(file: BinaryIO, where: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and type of an array in the version 1.0 of the format, the only one that plain arrays need."""
    start = file.read(10)
    if start[:8] != b"\x93NUMPY\x01\x00" or len(start) < 10:
        raise DataError(f"{where} is not an array that numpy.savez writes; write the file again.")
    (length,) = struct.unpack("<H", start[8:])
    if length > _HEADER_LIMIT:
        raise DataError(f"{where} has a header of {length} bytes, but {_HEADER_LIMIT} are allowed; it is no array.")
    text = file.read(length)
    try:
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(io.BytesIO(start[8:] + text))
    except (ValueError, TypeError, SyntaxError, tokenize.TokenError, RecursionError, MemoryError) as error:
        raise DataError(f"{where} has a header that cannot be understood; write the file again.") from error
    if len(shape) > _DIMENSIONS_LIMIT:
        raise DataError(f"{where} has {len(shape)} dimensions; write the file again.")
    return shape, fortran, dtype


def _fill(file: BinaryIO, memory: memoryview, where: str) -> None:
    done = 0
    while done < len(memory):
        chunk = file.read(min(_CHUNK, len(memory) - done))
        if not chunk:
            raise DataError(f"{where} ends after {done:,} of {len(memory):,} bytes of data; fetch the file again.")
        memory[done : done + len(chunk)] = chunk
        done += len(chunk)
