"""The sealed model: an integer network in one file, with a hash over everything that it computes.

``model.npz`` is an uncompressed zip archive of plain arrays: ``header`` (JSON) holds the structure and the hash, the
others are the parameters, each in the narrowest integer type that holds it. The same network gives the same bytes.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias, assert_never

import numpy as np
import numpy.typing as npt

from snnc.compiler.contract import LATER_NETWORK_VERSION, NETWORK_VERSION
from snnc.compiler.errors import BuildError, CheckpointError, UnsupportedError
from snnc.compiler.ir import (
    Convolution,
    Dense,
    Encoding,
    Exit,
    Graph,
    Initial,
    InputSource,
    IntegrateAndFire,
    Level,
    Neuron,
    Pair,
    Pooling,
    Population,
    Projection,
    Readout,
    Reset,
    frozen,
    verify,
)

__all__ = ["MODEL_VERSION", "load_model", "model_from_parts", "model_hash", "model_parts", "model_to_bytes"]

MODEL_VERSION: Final = 1

_AMOUNT: Final = "amount"
"""A soft reset that subtracts another amount than the threshold."""
_LEAKY: Final = "leaky readout"
_HEADER: Final = "header"
_HEADER_LIMIT: Final = 2**20
_Arrays: TypeAlias = dict[str, npt.NDArray[np.int64]]

_DAMAGE: Final = (
    *(zipfile.BadZipFile, struct.error, EOFError, NotImplementedError, RuntimeError),  # what zipfile raises
    *(KeyError, TypeError, ValueError, AttributeError),
)


@functools.lru_cache(maxsize=4)  # graphs never change, and the passes ask again and again
def model_hash(graph: Graph) -> str:
    """SHA-256 of the network's version of the contract, the structure and every parameter, in hexadecimal."""
    structure, arrays = _to_plain(graph)
    return _hash(structure, arrays)


def model_to_bytes(graph: Graph) -> bytes:
    """The file ``model.npz`` of a `Level.INTEGER` graph."""
    plain, arrays = model_parts(graph)
    header = json.dumps(plain, sort_keys=True).encode()
    stored: dict[str, npt.NDArray[Any]] = {_HEADER: np.frombuffer(header, np.uint8)}
    stored |= {name: array.astype(_narrowest(array)) for name, array in arrays.items()}
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **stored)
    return file.getvalue()


def model_parts(graph: Graph) -> tuple[dict[str, Any], dict[str, npt.NDArray[np.int64]]]:
    """What a sealed model consists of: the header, plain values with the hash, and the arrays that it names.

    Other formats carry the header beside the arrays in their own form, and give both to `model_from_parts`.
    """
    structure, arrays = _to_plain(graph)
    return {**structure, "hash": _hash(structure, arrays)}, arrays


def model_from_parts(header: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[np.int64]]) -> Graph:
    """The network of `model_parts`.

    Raises
    ------
    BuildError
        It is of another version, damaged, or not what its hash was made of.
    """
    try:
        _check_parts(header, dict(arrays), "It", "export it again")
        graph = _from_plain(header, dict(arrays))
        verify(graph)
    except (CheckpointError, UnsupportedError) as error:
        raise BuildError(f"It is no sound model: {error}") from None
    except _DAMAGE:
        raise BuildError("It is damaged; export it again.") from None
    return graph


def load_model(path: Path) -> Graph:
    """The network in ``model.npz``, checked against its hash.

    Raises
    ------
    BuildError
        The file is missing, damaged, of another version, or its hash is not that of its contents.
    """
    again = "compile the network again"
    try:
        with zipfile.ZipFile(path) as archive:
            header = json.loads(_read_array(archive, _HEADER, _HEADER_LIMIT).tobytes())
            names = [record.filename.removesuffix(".npy") for record in archive.infolist()]
            arrays: _Arrays = {
                name: _read_array(archive, name, None).astype(np.int64) for name in names if name != _HEADER
            }
        _check_parts(header, arrays, f"'{path}'", again)
        graph = _from_plain(header, arrays)
        verify(graph)
    except FileNotFoundError:
        raise BuildError(f"There is no model '{path}'; {again}.") from None
    except (CheckpointError, UnsupportedError) as error:
        raise BuildError(f"'{path}' is no sound model: {error}") from None
    except _DAMAGE:
        raise BuildError(f"'{path}' is damaged; {again}.") from None
    except OSError as error:
        raise BuildError(f"'{path}' cannot be read: {error.strerror or error}.") from None
    return graph


def _check_parts(header: Mapping[str, Any], arrays: _Arrays, what: str, again: str) -> None:
    later = any(map(_is_later, header["populations"])) or header.keys() & {"exit", "stream"}
    wanted = LATER_NETWORK_VERSION if later else NETWORK_VERSION
    for key, version in (("model_version", MODEL_VERSION), ("semantics_version", wanted)):
        if header[key] != version:
            raise BuildError(f"{what} has {key} {header[key]}, this program reads {version}; {again}.")
    if _hash({key: value for key, value in header.items() if key != "hash"}, arrays) != header["hash"]:
        raise BuildError(f"{what} was changed: its contents do not have the hash that it states; {again}.")


def _hash(structure: Mapping[str, Any], arrays: _Arrays) -> str:
    digest = hashlib.sha256(json.dumps(structure, sort_keys=True, separators=(",", ":")).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name], dtype="<i8")
        digest.update(f"\n{name} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _read_array(archive: zipfile.ZipFile, name: str, limit: int | None) -> npt.NDArray[Any]:
    """One array, its size checked against the archive's directory before any memory is taken."""
    record = archive.getinfo(f"{name}.npy")
    if record.compress_type != zipfile.ZIP_STORED or (limit is not None and record.file_size > limit):
        raise ValueError(name)
    data = io.BytesIO(archive.read(record))
    version = np.lib.format.read_magic(data)
    if version != (1, 0):
        raise ValueError(name)
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(data)
    contents = data.read()
    count = 1
    for size in shape:
        count *= size
    if fortran or dtype.kind not in "iu" or min(shape, default=0) < 0 or len(contents) != count * dtype.itemsize:
        raise ValueError(name)
    return np.frombuffer(contents, dtype).reshape(shape)


def _narrowest(array: npt.NDArray[np.int64]) -> npt.DTypeLike:
    for dtype in (np.int8, np.int16, np.int32):
        if array.size == 0 or (array.min() >= np.iinfo(dtype).min and array.max() <= np.iinfo(dtype).max):
            return dtype
    return np.int64


def _to_plain(graph: Graph) -> tuple[dict[str, Any], _Arrays]:
    if graph.level is not Level.INTEGER:
        raise ValueError(f"Only an integer network can be sealed, not one at level {graph.level.name}")
    arrays: _Arrays = {}

    def keep(name: str, array: npt.NDArray[Any]) -> str:
        arrays[name] = array
        return name

    populations: list[dict[str, Any]] = [
        {
            "name": population.name,
            "shape": list(population.shape),
            "neuron": _neuron_to_plain(population, keep),
            "bias": keep(f"{population.name}.bias", population.bias),
        }
        for population in graph.populations
    ]
    projections: list[dict[str, Any]] = []
    for projection in graph.projections:
        base = f"{projection.source}.{projection.target}"
        others = sum(f"{other.source}.{other.target}" == base for other in graph.projections[: len(projections)])
        # The first keeps the name that it has always had, and with it the hash.
        name = f"{base}.{others}.weight" if others else f"{base}.weight"
        projections.append(_projection_to_plain(projection, keep(name, projection.weight)))
    later = any(map(_is_later, populations)) or graph.stream or graph.exit is not None
    structure = {
        "format": "snnc-model",
        "model_version": MODEL_VERSION,
        "semantics_version": LATER_NETWORK_VERSION if later else NETWORK_VERSION,
        "name": graph.name,
        "time_steps": graph.time_steps,
        "classes": list(graph.classes),
        "populations": populations,
        "projections": projections,
    }
    if graph.exit is not None:  # without what is later, the hash is that of version 1
        structure["exit"] = {"margin": graph.exit.margin, "steps": list(graph.exit.steps)}
    if graph.stream:
        structure["stream"] = True
    return structure, arrays


def _is_later(population: Mapping[str, Any]) -> bool:
    """Whether version 1 had no such neurons."""
    neuron = population["neuron"]
    return bool(neuron.get("reset") == _AMOUNT or neuron["kind"] == _LEAKY)


def _neuron_to_plain(population: Population, keep: Any) -> dict[str, Any]:
    match population.neuron:
        case InputSource(encoding=encoding, bits=bits):
            return {"kind": "input", "encoding": encoding.value, "bits": bits}
        case IntegrateAndFire() as neuron:
            plain = {
                "kind": "if",
                "threshold": keep(f"{population.name}.threshold", neuron.threshold),
                "reset": neuron.reset.value,
                "initial": neuron.initial.value,
                "leak_shift": neuron.leak_shift,
            }
            if neuron.subtracted is not None:
                # A word of its own: a release that does not know it must not take the threshold for it.
                plain |= {"reset": _AMOUNT, "subtracted": keep(f"{population.name}.subtracted", neuron.subtracted)}
            if neuron.floor is not None:
                plain["floor"] = keep(f"{population.name}.floor", neuron.floor)
            return plain
        case Readout(leak_shift=shift):
            # A word of its own: a release that does not know it must not sum instead.
            return {"kind": "readout"} if shift is None else {"kind": _LEAKY, "leak_shift": shift}


def _projection_to_plain(projection: Projection, weight: str) -> dict[str, Any]:
    """`pool` is left out where it is 1: the hashes of dense chains are older than it."""
    plain: dict[str, Any] = {
        "source": projection.source,
        "target": projection.target,
        "weight": weight,
        "shift": projection.shift,
        "delay": projection.delay,
    }
    match projection:
        case Dense():
            plain |= {"kind": "dense", "bits": projection.bits}
        case Convolution():
            plain |= {
                "kind": "convolution",
                "bits": projection.bits,
                "stride": list(projection.stride),
                "padding": list(projection.padding),
                "dilation": list(projection.dilation),
                "groups": projection.groups,
            }
        case Pooling():
            return plain | {
                "kind": "pooling",
                "kernel": list(projection.kernel),
                "stride": list(projection.stride),
            }
        case _ as unreachable:
            assert_never(unreachable)
    return plain if projection.pool == 1 else plain | {"pool": projection.pool}


def _from_plain(plain: Mapping[str, Any], arrays: _Arrays) -> Graph:
    return Graph(
        name=plain["name"],
        level=Level.INTEGER,
        populations=tuple(
            Population(
                name=population["name"],
                shape=tuple(population["shape"]),
                neuron=_neuron_from_plain(population["neuron"], arrays),
                bias=frozen(arrays[population["bias"]]),
            )
            for population in plain["populations"]
        ),
        projections=tuple(_projection_from_plain(projection, arrays) for projection in plain["projections"]),
        time_steps=plain["time_steps"],
        classes=tuple(plain["classes"]),
        exit=_exit_from_plain(plain["exit"]) if "exit" in plain else None,
        stream=_stream_from_plain(plain["stream"]) if "stream" in plain else False,
    )


def _exit_from_plain(plain: Mapping[str, Any]) -> Exit:
    margin, steps = plain["margin"], plain["steps"]
    if plain.keys() != {"margin", "steps"} or not all(type(value) is int for value in (margin, *steps)):
        raise ValueError("exit")
    return Exit(margin=margin, steps=tuple(steps))


def _stream_from_plain(plain: Any) -> bool:
    if plain is not True:
        raise ValueError("stream")
    return True


def _projection_from_plain(plain: Mapping[str, Any], arrays: _Arrays) -> Projection:
    common: dict[str, Any] = {
        "source": plain["source"],
        "target": plain["target"],
        "weight": frozen(arrays[plain["weight"]]),
        "shift": plain["shift"],
        "delay": plain["delay"],
    }
    match plain["kind"]:
        case "dense":
            return Dense(**common, bits=plain["bits"], pool=plain.get("pool", 1))
        case "convolution":
            return Convolution(
                **common,
                bits=plain["bits"],
                stride=_pair(plain["stride"]),
                padding=_pair(plain["padding"]),
                dilation=_pair(plain["dilation"]),
                groups=plain["groups"],
                pool=plain.get("pool", 1),
            )
        case "pooling":
            return Pooling(**common, kernel=_pair(plain["kernel"]), stride=_pair(plain["stride"]))
        case _:
            raise ValueError(plain["kind"])


def _pair(plain: Any) -> Pair:
    vertical, horizontal = plain
    return vertical, horizontal


def _neuron_from_plain(plain: Mapping[str, Any], arrays: _Arrays) -> Neuron:
    match plain["kind"]:
        case "input":
            return InputSource(encoding=Encoding(plain["encoding"]), bits=plain["bits"])
        case "if":
            amount = plain["reset"] == _AMOUNT
            return IntegrateAndFire(
                threshold=frozen(arrays[plain["threshold"]]),
                reset=Reset.SOFT if amount else Reset(plain["reset"]),
                initial=Initial(plain["initial"]),
                leak_shift=plain["leak_shift"],
                floor=frozen(arrays[plain["floor"]]) if "floor" in plain else None,
                subtracted=frozen(arrays[plain["subtracted"]]) if amount else None,
            )
        case "readout":
            return Readout()
        case "leaky readout":
            if type(plain["leak_shift"]) is not int:
                raise ValueError("leak_shift")
            return Readout(leak_shift=plain["leak_shift"])
        case _:
            raise ValueError(plain["kind"])
