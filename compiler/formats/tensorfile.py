"""Reads what `torch.save` wrote, without torch and without trust.

Importing torch takes longer than compiling a network. The file is a zip archive of uncompressed records: one pickle
(``data.pkl``) that describes the value, and one record of raw numbers per tensor storage (``data/0``, ``data/1``, ..).
Every size that the pickle claims is held against the archive's directory before any memory is taken, and tensors are
read-only views into their storage, so that a hostile file can cost little more memory than its own length: tensors
that repeat numbers, as ``expand`` makes them, have `REPEATED_LIMIT` numbers in all.
"""

from __future__ import annotations

import math
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import CheckpointError
from snnc.compiler.formats.plainpickle import Name, UnknownNameError, UnknownOpcodeError, load_plain

__all__ = ["FILE_LIMIT", "read_tensors"]

FILE_LIMIT: Final = 2**30
"""Bytes of the largest file that is opened."""

PICKLE_LIMIT: Final = 2**20
"""Bytes of the largest ``data.pkl``: a student's takes a few thousand."""

REPEATED_LIMIT: Final = 2**24
"""Numbers of all the tensors of a file that show more numbers than their storage holds."""

_DIMENSIONS_LIMIT: Final = 8

_STORAGES: Final[Mapping[str, str]] = {
    "torch FloatStorage": "f4",
    "torch DoubleStorage": "f8",
    "torch HalfStorage": "f2",
    "torch BFloat16Storage": "u2",  # the upper half of a float32, which it becomes
    "torch LongStorage": "i8",
    "torch IntStorage": "i4",
    "torch ShortStorage": "i2",
    "torch CharStorage": "i1",
    "torch ByteStorage": "u1",
    "torch BoolStorage": "?",
}

_BFLOAT16: Final = "torch BFloat16Storage"
_CALLS: Final = frozenset(
    {"torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter", "torch Size", "collections OrderedDict"}
)
_NAMES: Final = frozenset({*_STORAGES, *_CALLS})

_ORDERS: Final = {b"little": "<", b"big": ">"}


@dataclass(frozen=True, slots=True)
class _Storage:
    numbers: npt.NDArray[Any]


def read_tensors(path: Path) -> object:
    """The value that was saved at `path`: plain Python values with read-only NumPy arrays in the place of tensors.

    Raises
    ------
    CheckpointError
        The file is missing, truncated, not from `torch.save`, or holds anything but plain values and tensors.
    """
    again = "save it with torch.save as plain tensors and values (docs/checkpoint.md)"
    try:
        with path.open("rb") as file:
            return _read(file)
    except FileNotFoundError:
        raise CheckpointError(f"There is no file '{path}'.") from None
    except (UnknownNameError, UnknownOpcodeError) as error:
        raise CheckpointError(
            f"'{path}' holds {error}, which no student file has; nothing of it was run. Do not trust it: {again}."
        ) from None
    except CheckpointError as error:
        raise CheckpointError(f"'{path}' {error}") from None
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError, struct.error) as error:
        reason = str(error) or type(error).__name__
        raise CheckpointError(f"'{path}' is truncated or damaged ({reason[:120]}); copy it again or {again}.") from None
    except OSError as error:
        raise CheckpointError(f"'{path}' cannot be read: {error.strerror or error}.") from None


def _read(file: BinaryIO) -> object:
    size = file.seek(0, 2)
    if size > FILE_LIMIT:
        raise CheckpointError(f"has {size} bytes; at most {FILE_LIMIT} are read.")
    file.seek(0)
    if file.read(4) != b"PK\x03\x04":
        raise CheckpointError(
            "is not a file of torch.save (it does not begin as a zip archive); give a student.pt of 'snnc distill'."
        )
    with zipfile.ZipFile(file) as archive:
        return _Archive(archive, size).value()


class _Archive:
    def __init__(self, archive: zipfile.ZipFile, size: int) -> None:
        self._archive = archive
        self._size = size
        self._records = _records(archive)
        self._storages: dict[str, tuple[str, _Storage]] = {}
        self._repeated = 0
        order = self._records.get("byteorder")
        # Written since torch 2.1; before, every file was in the order of its machine, in practice little.
        self._order = "<" if order is None else _ORDERS.get(self._bytes(order, 16), "")
        if not self._order:
            raise ValueError("unknown byte order")

    def value(self) -> object:
        record = self._records.get("data.pkl")
        if record is None:
            raise CheckpointError("is a zip archive, but not one of torch.save: it has no 'data.pkl'.")
        text = self._bytes(record, PICKLE_LIMIT)
        return load_plain(text, names=_NAMES, call=self._call, persistent=self._storage)

    def _bytes(self, record: zipfile.ZipInfo, limit: int) -> bytes:
        plain = record.compress_type == zipfile.ZIP_STORED and not record.flag_bits & 0x1
        if not plain or record.file_size != record.compress_size:
            raise CheckpointError(f"has a compressed or encrypted record '{record.filename}'; torch.save writes none.")
        limit = min(limit, self._size)
        if record.file_size > limit:
            raise CheckpointError(f"claims {record.file_size} bytes for '{record.filename}'; at most {limit} are read.")
        return self._archive.read(record)

    def _storage(self, identity: object) -> _Storage:
        match identity:
            case ("storage", Name(text=kind), str() as key, str(), int() as numel) if kind in _STORAGES and numel >= 0:
                pass
            case _:
                raise ValueError("a tensor's storage is not described as torch.save does")
        if key in self._storages:
            known, storage = self._storages[key]
            if known != kind or len(storage.numbers) != numel:
                raise ValueError(f"storage '{key}' is described in two ways")
            return storage
        record = self._records.get(f"data/{key}")
        if record is None:
            raise ValueError(f"storage '{key}' is missing")
        dtype = np.dtype(_STORAGES[kind]).newbyteorder(self._order)  # type: ignore[arg-type]
        claimed = numel * dtype.itemsize
        if record.file_size != claimed:
            raise ValueError(f"storage '{key}' has {record.file_size} bytes, not the {claimed} that it claims")
        numbers = np.frombuffer(self._bytes(record, FILE_LIMIT), dtype)
        numbers = numbers.astype(dtype.newbyteorder("="), copy=False)
        if kind == _BFLOAT16:
            numbers = (numbers.astype(np.uint32) << 16).view(np.float32)
        storage = _Storage(numbers)
        storage.numbers.setflags(write=False)
        self._storages[key] = (kind, storage)
        return storage

    def _call(self, name: str, arguments: tuple[object, ...]) -> object:
        match name, arguments:
            case ("collections OrderedDict", ()):
                return {}
            case (
                "torch._utils _rebuild_tensor_v2",
                (_Storage() as storage, int() as offset, tuple() as shape, tuple() as stride, *_),
            ):
                tensor = _view(storage.numbers, offset, shape, stride)
                if tensor.size > len(storage.numbers):
                    self._repeated += tensor.size
                    if self._repeated > REPEATED_LIMIT:
                        raise ValueError(f"its tensors repeat numbers beyond {REPEATED_LIMIT:,} in all")
                return tensor
            case ("torch._utils _rebuild_parameter", (np.ndarray() as tensor, bool(), dict())):
                return tensor
            case ("torch Size", (tuple() as sizes,)) if all(type(size) is int for size in sizes):
                return sizes
            case _:
                raise ValueError(f"a call of {name.replace(' ', '.')} with the wrong arguments")


def _records(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The records by their name below the archive's one top folder."""
    records: dict[str, zipfile.ZipInfo] = {}
    for record in archive.infolist():
        name = record.filename.partition("/")[2]
        if name in records:
            raise ValueError(f"two records are called '{name[:40]}'")
        records[name] = record
    return records


def _view(
    numbers: npt.NDArray[Any], offset: int, shape: tuple[object, ...], stride: tuple[object, ...]
) -> npt.NDArray[Any]:
    """A read-only tensor of `shape` in its storage, all checks made in Python's unbounded integers."""
    sizes = [size for size in shape if type(size) is int and size >= 0]
    steps = [step for step in stride if type(step) is int and step >= 0]
    if not len(sizes) == len(shape) == len(stride) == len(steps) <= _DIMENSIONS_LIMIT or offset < 0:
        raise ValueError("a tensor has an impossible shape or stride")
    if math.prod(max(1, size) for size in sizes) > FILE_LIMIT:
        raise ValueError(f"a tensor claims the shape {tuple(sizes)}")
    if 0 in sizes:
        return np.empty(sizes, numbers.dtype)
    last = offset + sum((size - 1) * step for size, step in zip(sizes, steps, strict=True))
    if last >= len(numbers):
        raise ValueError(f"a tensor of shape {tuple(sizes)} reaches beyond its {len(numbers)} numbers")
    strides = [step * numbers.dtype.itemsize for step in steps]
    return np.lib.stride_tricks.as_strided(numbers[offset:], sizes, strides, writeable=False)
