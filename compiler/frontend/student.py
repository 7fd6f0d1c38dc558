"""The student checkpoint (``docs/checkpoint.md``): `snnc distill` writes it, this reads it into a graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import CheckpointError, UnsupportedError
from snnc.compiler.frontend.tensorfile import read_tensors
from snnc.compiler.ir import (
    BatchNorm,
    Dense,
    Encoding,
    Graph,
    Initial,
    InputSource,
    IntegrateAndFire,
    Level,
    Neuron,
    Population,
    Readout,
    Reset,
    frozen,
)

__all__ = ["FORMAT", "VERSION", "read_student", "student_graph"]

FORMAT: Final = "snnc-student"
VERSION: Final = 1

INPUT_NAME: Final = "input"

_LAYER_KEYS: Final = frozenset(
    {"name", "kind", "in_features", "out_features", "weight_bits", "fraction_bits", "neuron"}
)
_NEURON_KEYS: Final = {"if": frozenset({"kind", "reset", "initial"}), "readout": frozenset({"kind"})}
_NORM: Final = ("gain", "offset", "mean", "variance")

_FloatArray: TypeAlias = npt.NDArray[np.float64]
_Member = TypeVar("_Member", bound=Enum)


def read_student(path: Path) -> Graph:
    """The network in the checkpoint at `path`, `Level.IMPORTED`."""
    value = read_tensors(path)
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise CheckpointError(f"'{path}' is no student checkpoint: its format is not '{FORMAT}' (docs/checkpoint.md).")
    try:
        return student_graph(value)
    except (CheckpointError, UnsupportedError) as error:
        raise type(error)(f"'{path}': {error}") from None


def student_graph(checkpoint: Mapping[Any, Any]) -> Graph:
    """The network in a loaded checkpoint.

    Raises
    ------
    CheckpointError
        A field is missing or wrong.
    UnsupportedError
        A layer, neuron or version that this compiler does not know.
    """
    root = _Reader(checkpoint, "the checkpoint")
    version = root.integer("version", 1)
    if version != VERSION:
        raise UnsupportedError(f"The checkpoint has version {version}; this compiler reads version {VERSION}.")
    source, name = _input(root.reader("input")), root.text("name")
    layers = [_Reader(layer, f"layer {position}") for position, layer in enumerate(root.sequence("layers"))]
    if not layers:
        raise CheckpointError("The checkpoint has no layers.")
    names = [source.name, *(layer.text("name") for layer in layers)]
    for position, layer_name in enumerate(names):
        if layer_name in names[:position]:
            raise CheckpointError(f"Two layers have the same name '{layer_name}'; rename one.")
    state = _State(root.mapping("state"))
    populations, projections = [source], []
    for position, layer in enumerate(layers):
        population, projection = _layer(layer, populations[-1], state, last=position == len(layers) - 1)
        populations.append(population)
        projections.append(projection)
    state.finish()
    return Graph(
        name=name,
        level=Level.IMPORTED,
        populations=tuple(populations),
        projections=tuple(projections),
        time_steps=root.integer("time_steps", 1),
        classes=_classes(root, populations[-1].size),
    )


def _input(reader: _Reader) -> Population:
    encoding = reader.member("encoding", Encoding)
    shape = reader.sequence("shape")
    if len(shape) != 3 or not all(type(size) is int and 1 <= size <= 2**16 for size in shape):
        raise CheckpointError("The input's shape must be three positive integers (C, H, W).")
    bits = reader.integer("bits", 1, 8)
    if encoding is Encoding.EVENTS and bits != 1:
        raise CheckpointError(f"The input is made of events, which have 1 bit, not {bits}.")
    neuron = InputSource(encoding=encoding, bits=bits)
    channels, height, width = shape
    return Population(name=INPUT_NAME, shape=(channels, height, width), neuron=neuron, bias=frozen(np.zeros(channels)))


def _layer(reader: _Reader, source: Population, state: _State, *, last: bool) -> tuple[Population, Dense]:
    name = reader.text("name")
    reader = reader.called(f"layer '{name}'")
    kind = reader.text("kind")
    if kind != "dense":
        raise UnsupportedError(f"Layer '{name}' is of the kind '{kind}'; built is 'dense'. Use fully connected layers.")
    reader.allow(_LAYER_KEYS)
    inputs, outputs = reader.integer("in_features", 1, 2**16), reader.integer("out_features", 1, 2**16)
    if inputs != source.size:
        raise CheckpointError(f"Layer '{name}' takes {inputs} inputs, but '{source.name}' has {source.size} outputs.")
    bits = reader.optional_integer("weight_bits", 2, 8)
    shift = reader.integer("fraction_bits", 0, 16)
    tensors = state.below(name)
    neuron = _neuron(reader.reader("neuron"), name, tensors, outputs, last=last)
    readout = isinstance(neuron, Readout)
    if readout and shift:
        raise UnsupportedError(f"Layer '{name}' is a readout with {shift} fraction bits; a readout has none.")
    norm = _norm(tensors, name, outputs)
    if readout and norm is not None:
        raise UnsupportedError(f"Layer '{name}' is a readout with a batch norm; fold it into its weights.")
    bias = tensors.optional("bias", (outputs,))
    population = Population(
        name=name,
        shape=(outputs, 1, 1),
        neuron=neuron,
        bias=frozen(np.zeros(outputs) if bias is None else bias),
        norm=norm,
    )
    step = None if bits is None else tensors.positive("step", (1,) if readout else (outputs,))
    weight = tensors.required("weight", (outputs, inputs))
    return population, Dense(source=source.name, target=name, weight=weight, step=step, bits=bits, shift=shift)


def _neuron(reader: _Reader, name: str, tensors: _Tensors, outputs: int, *, last: bool) -> Neuron:
    reader = reader.called(f"the neuron of layer '{name}'")
    kind = reader.text("kind")
    if kind not in _NEURON_KEYS:
        raise UnsupportedError(f"The neurons of layer '{name}' are '{kind}'; built are {', '.join(_NEURON_KEYS)}.")
    if (kind == "readout") != last:
        raise CheckpointError(f"Layer '{name}' is {'' if last else 'not '}the last one, but its neurons are '{kind}'.")
    reader.allow(_NEURON_KEYS[kind])
    if kind == "readout":
        return Readout()
    return IntegrateAndFire(
        threshold=tensors.positive("threshold", (outputs,)),
        reset=reader.member("reset", Reset),
        initial=reader.member("initial", Initial),
    )


def _norm(tensors: _Tensors, name: str, outputs: int) -> BatchNorm | None:
    present = [key for key in _NORM if tensors.optional(f"norm.{key}", (outputs,)) is not None]
    if not present:
        return None
    if len(present) < len(_NORM):
        missing = ", ".join(key for key in _NORM if key not in present)
        raise CheckpointError(f"The batch norm of layer '{name}' lacks {missing}.")
    gain, offset, mean, variance = (tensors.required(f"norm.{key}", (outputs,)) for key in _NORM)
    epsilon = float(tensors.required("norm.epsilon", (1,))[0])
    if variance.min() < 0 or epsilon < 0 or variance.min() + epsilon <= 0:
        raise CheckpointError(f"The batch norm of layer '{name}' has a variance that is not positive.")
    return BatchNorm(gain=gain, offset=offset, mean=mean, variance=variance, epsilon=epsilon)


def _classes(root: _Reader, outputs: int) -> tuple[str, ...]:
    if root.value("classes", optional=True) is None:
        return ()
    classes = root.sequence("classes")
    if len(classes) != outputs or not all(isinstance(name, str) for name in classes):
        raise CheckpointError(f"The checkpoint must name each of its {outputs} classes, or none.")
    return tuple(classes)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Typed access to a dict from a file; errors name the field and where it stands."""

    fields: Mapping[Any, Any]
    where: str

    def __post_init__(self) -> None:
        if not isinstance(self.fields, dict):
            raise CheckpointError(f"{_capital(self.where)} must be a dict, not {_show(self.fields)}.")

    def called(self, where: str) -> _Reader:
        return _Reader(self.fields, where)

    def value(self, key: str, *, optional: bool = False) -> Any:
        if key not in self.fields and not optional:
            raise CheckpointError(f"{_capital(self.where)} lacks '{key}'.")
        return self.fields.get(key)

    def allow(self, keys: frozenset[str]) -> None:
        unknown = sorted(str(key)[:40] for key in self.fields if key not in keys)
        if unknown:
            known = ", ".join(sorted(keys))
            raise UnsupportedError(f"{_capital(self.where)} has the unknown setting '{unknown[0]}'; known are {known}.")

    def reader(self, key: str) -> _Reader:
        return _Reader(self.value(key), f"'{key}' of {self.where}")

    def mapping(self, key: str) -> Mapping[Any, Any]:
        return self.reader(key).fields

    def sequence(self, key: str) -> list[Any] | tuple[Any, ...]:
        value = self.value(key)
        if not isinstance(value, list | tuple):
            raise self._wrong(key, "a list", value)
        return value

    def text(self, key: str) -> str:
        value = self.value(key)
        if not isinstance(value, str) or not value or len(value) > 200:
            raise self._wrong(key, "a short text", value)
        return value

    def integer(self, key: str, low: int, high: int = 2**31) -> int:
        value = self.value(key)
        if type(value) is not int or not low <= value <= high:
            raise self._wrong(key, f"an integer from {low} to {high}", value)
        return value

    def optional_integer(self, key: str, low: int, high: int) -> int | None:
        return None if self.value(key) is None else self.integer(key, low, high)

    def member(self, key: str, kind: type[_Member]) -> _Member:
        value, known = self.value(key), [member.value for member in kind]
        if not isinstance(value, str) or value not in known:
            raise UnsupportedError(f"'{key}' of {self.where} is {_show(value)}; built are {', '.join(known)}.")
        return kind(value)

    def _wrong(self, key: str, wanted: str, value: object) -> CheckpointError:
        return CheckpointError(f"'{key}' of {self.where} must be {wanted}, not {_show(value)}.")


@dataclass(frozen=True, slots=True)
class _State:
    """The checkpoint's tensors; remembers which were asked for, so that none is silently ignored."""

    tensors: Mapping[Any, Any]
    used: set[str] = field(default_factory=set)

    def below(self, layer: str) -> _Tensors:
        return _Tensors(self, layer)

    def finish(self) -> None:
        unknown = sorted(str(key)[:80] for key in self.tensors if key not in self.used)
        if unknown:
            raise CheckpointError(f"The tensor '{unknown[0]}' belongs to no layer, or is no parameter of its layer.")


@dataclass(frozen=True, slots=True)
class _Tensors:
    """One layer's tensors, as read-only float64, checked for shape, NaN and infinity."""

    state: _State
    layer: str

    def optional(self, name: str, shape: tuple[int, ...]) -> _FloatArray | None:
        key = f"{self.layer}.{name}"
        if key not in self.state.tensors:
            return None
        self.state.used.add(key)
        value = self.state.tensors[key]
        if not isinstance(value, np.ndarray):
            raise CheckpointError(f"'{key}' must be a tensor, not {_show(value)}.")
        if value.dtype not in (np.float32, np.float64):
            raise CheckpointError(f"Tensor '{key}' is {value.dtype}; float32 or float64 is needed.")
        if value.shape != shape:
            raise CheckpointError(f"Tensor '{key}' has the shape {list(value.shape)}, expected {list(shape)}.")
        if not np.isfinite(value).all():
            count = int(np.size(value) - np.isfinite(value).sum())
            raise CheckpointError(
                f"Tensor '{key}' has {count} values that are NaN or infinite; train again from a good checkpoint."
            )
        return frozen(value.astype(np.float64))

    def required(self, name: str, shape: tuple[int, ...]) -> _FloatArray:
        value = self.optional(name, shape)
        if value is None:
            raise CheckpointError(f"The tensor '{self.layer}.{name}' is missing.")
        return value

    def positive(self, name: str, shape: tuple[int, ...]) -> _FloatArray:
        value = self.required(name, shape)
        if value.min() <= 0:
            key = f"{self.layer}.{name}"
            raise CheckpointError(f"Tensor '{key}' goes down to {value.min():.6g}; every value must be positive.")
        return value


def _show(value: object) -> str:
    """A value from a file, short: a container from a hostile one may be exponentially long."""
    return repr(value)[:60] if isinstance(value, str | int | float | bool | None) else f"a {type(value).__name__}"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
