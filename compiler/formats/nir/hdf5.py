"""The tree of a ``.nir`` file, read as from a stranger: nothing is followed out of it, no memory is taken unseen.

Groups become dicts and datasets arrays, texts or lists of pairs of texts. Sizes are checked before a dataset is read.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import CheckpointError
from snnc.compiler.extras import needed

__all__ = ["OWN", "Tree", "read_tree"]

NODES_LIMIT: Final = 4096
"""Groups of the whole file."""
VALUES_LIMIT: Final = 2**26
"""Numbers of all datasets together, as the student checkpoint's weights."""
TEXT_LIMIT: Final = 2**20
"""Characters of all texts together."""
DEPTH_LIMIT: Final = 24
_EDGES_LIMIT: Final = 2**16
_NAME_LIMIT: Final = 200
_DATASETS_LIMIT: Final = 16 * NODES_LIMIT
OWN: Final = "metadata"
_OWN_KEYS: Final = ("snnc.model", "snnc.floors")
_FILTERS: Final = frozenset({"gzip", "lzf", None})

Tree: TypeAlias = Mapping[str, Any]
"""What a group holds, by name: `Tree`, float64 or int64 arrays, str, or a tuple of pairs of str.

The outermost one also has `OWN` where snnc wrote the file: what its metadata say.
"""


def read_tree(path: Path) -> Tree:
    """The group ``node`` of the file, with all below it but metadata.

    Raises
    ------
    MissingError
        h5py is not installed.
    CheckpointError
        It is no such file, or holds what none needs.
    """
    with needed():
        import h5py
    with _sentences(path):
        with h5py.File(path, "r", locking=False) as file:
            reader = _Reader(h5py)
            if reader.kind(file, "node") is not h5py.Group:
                raise CheckpointError(f"'{path}' holds no NIR graph: the group 'node' is missing.")
            tree = reader.group(file["node"], "node", 0)
            own = reader.own(file["node"])
            return {**tree, OWN: own} if own else tree


@contextlib.contextmanager
def _sentences(path: Path) -> Iterator[None]:
    """What HDF5 says of a damaged file, in one sentence."""
    try:
        yield
    except CheckpointError as error:
        raise CheckpointError(f"'{path}': {error}") from None
    except FileNotFoundError:
        raise CheckpointError(f"'{path}' does not exist.") from None
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError, OverflowError, SystemError) as error:
        text = " ".join(str(error).split())[:120]
        raise CheckpointError(f"'{path}' cannot be read as HDF5, the form of a .nir file: {text}.") from None


@dataclass(slots=True)
class _Reader:
    h5py: Any
    groups: int = 0
    datasets: int = 0
    values: int = 0
    characters: int = 0

    def kind(self, group: Any, name: str) -> Any:
        """`h5py.Group` or `h5py.Dataset`; None where there is nothing of that name."""
        link = group.get(name, getlink=True)
        if link is None:
            return None
        if not isinstance(link, self.h5py.HardLink):
            raise CheckpointError(f"'{name[:_NAME_LIMIT]}' is a link to another place or file; such are not followed.")
        return group.get(name, getclass=True)

    def own(self, group: Any) -> Mapping[str, str]:
        """The texts in the metadata of a group that snnc wrote; of others it is not looked at."""
        if self.kind(group, OWN) is not self.h5py.Group:
            return {}
        found, metadata = {}, group[OWN]
        for name in _OWN_KEYS:
            if self.kind(metadata, name) is not self.h5py.Dataset:
                return {}
            dataset = metadata[name]
            if dataset.shape != () or self.h5py.check_string_dtype(dataset.dtype) is None or dataset.external:
                raise CheckpointError(f"'{name}' in the metadata is no text.")
            self._check_lengths(dataset, f"'{name}' in the metadata", 1, TEXT_LIMIT)
            text = dataset[()]
            if not isinstance(text, bytes) or len(text) > TEXT_LIMIT:
                raise CheckpointError(f"'{name}' in the metadata is too long, or no text of this form.")
            found[name] = text.decode("utf-8", "strict")
        return found

    def group(self, group: Any, where: str, depth: int) -> Tree:
        self.groups += 1
        if self.groups > 2 * NODES_LIMIT:
            raise CheckpointError(f"It has more than {NODES_LIMIT} nodes, the most that are read.")
        if depth > DEPTH_LIMIT:
            raise CheckpointError(f"Its groups are nested more than {DEPTH_LIMIT} deep.")
        if len(group) > NODES_LIMIT:
            raise CheckpointError(f"'{where[-80:]}' has {len(group):,} entries; {NODES_LIMIT} are the most.")
        found: dict[str, Any] = {}
        for name in group:
            if len(name) > _NAME_LIMIT:
                raise CheckpointError(f"A name in '{where[-80:]}' has {len(name):,} characters.")
            if name == OWN:
                continue
            kind, below = self.kind(group, name), f"{where}/{name}"
            if kind is self.h5py.Group:
                found[name] = self.group(group[name], below, depth + 1)
            elif kind is self.h5py.Dataset:
                found[name] = self.dataset(group[name], below)
            else:
                raise CheckpointError(f"'{below[-80:]}' is neither a group nor a dataset.")
        return found

    def dataset(self, dataset: Any, where: str) -> Any:
        place = f"'{where[-80:]}'"
        self.datasets += 1
        if self.datasets > _DATASETS_LIMIT:
            raise CheckpointError(f"It has more than {_DATASETS_LIMIT} datasets.")
        if dataset.is_virtual or dataset.external:
            raise CheckpointError(f"{place} lies in another file; only what is in this one is read.")
        if dataset.shape is None:
            raise CheckpointError(f"{place} is empty.")
        if dataset.compression not in _FILTERS:
            raise CheckpointError(f"{place} is compressed in a way that .nir files are not.")
        count = math.prod(dataset.shape)
        text = self.h5py.check_string_dtype(dataset.dtype)
        if text is not None:
            return self._texts(dataset, place, count)
        if dataset.dtype.kind not in "fiub" or dataset.dtype.itemsize > 8:
            raise CheckpointError(f"{place} holds values of the type {dataset.dtype}; numbers and texts are read.")
        self.values += count
        if self.values > VALUES_LIMIT:
            raise CheckpointError(
                f"{place} announces {count:,} values of the shape {list(dataset.shape)[:8]}; {VALUES_LIMIT:,} in all "
                "are the most that are read."
            )
        if dataset.chunks is not None and math.prod(dataset.chunks) > VALUES_LIMIT:
            raise CheckpointError(f"{place} lies in chunks of {math.prod(dataset.chunks):,} values.")
        return self._numbers(dataset, place)

    def _numbers(self, dataset: Any, place: str) -> npt.NDArray[np.float64] | npt.NDArray[np.int64]:
        values = np.asarray(dataset[()])
        if values.dtype.kind == "f":
            values = values.astype(np.float64)
            if not np.isfinite(values).all():
                raise CheckpointError(
                    f"{place} has values that are NaN or infinite; train again from a good checkpoint."
                )
            return values
        if values.dtype == np.uint64 and values.size and values.max() > 2**62:
            raise CheckpointError(f"{place} has a value of {values.max()}.")
        return values.astype(np.int64)

    def _texts(self, dataset: Any, place: str, count: int) -> str | tuple[tuple[str, str], ...]:
        fixed = self.h5py.check_string_dtype(dataset.dtype).length
        if count > 2 * _EDGES_LIMIT or (fixed or 0) > TEXT_LIMIT or count * (fixed or 1) > 2 * TEXT_LIMIT:
            raise CheckpointError(f"{place} announces {count:,} texts; {2 * _EDGES_LIMIT:,} are the most.")
        if dataset.shape != () and (len(dataset.shape) != 2 or dataset.shape[1] != 2):
            raise CheckpointError(f"{place} is a list of texts of the shape {list(dataset.shape)[:8]}, expected pairs.")
        if fixed is None:
            self._check_lengths(dataset, place, count, DEPTH_LIMIT * _NAME_LIMIT)
        if dataset.shape == ():
            return self._text(dataset[()], place)
        return tuple((self._text(a, place), self._text(b, place)) for a, b in dataset[()])

    def _check_lengths(self, dataset: Any, place: str, count: int, limit: int) -> None:
        """Refuse texts that claim to be long: HDF5 takes the memory before it looks whether they are there.

        A text of no fixed length is stored as its length (4 bytes), an address and an index.
        """
        offset, (address, _) = dataset.id.get_offset(), dataset.file.id.get_create_plist().get_sizes()
        if offset is None:
            raise CheckpointError(f"{place} holds texts in pieces, or none; one piece is read.")
        size = 4 + address + 4
        with Path(dataset.file.filename).open("rb") as file:
            file.seek(offset)
            stored = file.read(count * size)
        lengths = [int.from_bytes(stored[at : at + 4], "little") for at in range(0, len(stored), size)]
        if len(stored) < count * size or max(lengths, default=0) > limit:
            raise CheckpointError(
                f"{place} announces a text of {max(lengths, default=0):,} characters; {limit:,} are the most."
            )

    def _text(self, value: Any, place: str) -> str:
        text = value.decode("utf-8", "strict") if isinstance(value, bytes) else str(value)
        self.characters += len(text)
        if len(text) > DEPTH_LIMIT * _NAME_LIMIT or self.characters > 4 * TEXT_LIMIT:
            raise CheckpointError(f"{place} holds texts that are too long.")
        return text
