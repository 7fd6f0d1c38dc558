"""The student checkpoint (``docs/checkpoint.md``): `snnc distill` writes it, this reads it into a graph."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from snnc.compiler import __version__
from snnc.compiler.contract import SEMANTICS_VERSION
from snnc.compiler.errors import CheckpointError, UnsupportedError
from snnc.compiler.formats.fields import Fields, capital, show
from snnc.compiler.formats.interface import Decides, Format, ReadOptions
from snnc.compiler.formats.recorded_activity import read_activity
from snnc.compiler.formats.recorded_rival import read_rival
from snnc.compiler.formats.student_v1 import upgrade
from snnc.compiler.formats.tensorfile import read_tensors
from snnc.compiler.ir import (
    BatchNorm,
    Comparison,
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
    Pooling,
    Population,
    Projection,
    Readout,
    Reset,
    Shape,
    frozen,
)
from snnc.compiler.ir.exits import LARGEST_MARGIN

__all__ = [
    "EXIT_VERSION",
    "FORMAT",
    "NEURON_VERSION",
    "READOUT_VERSION",
    "STUDENT",
    "VERSION",
    "check_contract",
    "read_student",
    "student_graph",
]

FORMAT: Final = "snnc-student"
VERSION: Final = 6
EXIT_VERSION: Final = 4
"""The first that may have an exit."""
NEURON_VERSION: Final = 5
"""The first whose neurons may have a floor, subtract an amount of their own, and fire above their threshold alone."""

READOUT_VERSION: Final = 6
"""The first whose readout may leak, and then have fraction bits."""

INPUT_NAME: Final = "input"

LAYERS_LIMIT: Final = 4096
NEURONS_LIMIT: Final = 2**22
"""Of one population."""
WEIGHTS_LIMIT: Final = 2**26
"""Of all projections together."""
PROJECTIONS_LIMIT: Final = 64
"""Into one population."""
_WINDOW_LIMIT: Final = 2**10
_DELAY_LIMIT: Final = 2**16
_LEAK_LIMIT: Final = 16

_CONTRACT: Final = re.compile(r"([0-9]{1,3})\.([0-9]{1,3})")

_EXIT_KEYS: Final = frozenset({"margin", "steps", "weight_bits"})
_LAYER_KEYS: Final = frozenset({"name", "shape", "fraction_bits", "neuron", "projections"})
_NEURON_KEYS: Final = {
    "if": frozenset({"kind", "reset", "initial", "leak_shift"}),
    "readout": frozenset({"kind"}),
}
_LATER_KEYS: Final = {"if": (NEURON_VERSION, "comparison"), "readout": (READOUT_VERSION, "leak_shift")}
"""From which version on a neuron may have another key."""
_WINDOW_KEYS: Final = frozenset({"kernel", "stride"})
_SUM_KEYS: Final = frozenset({"kind", "source", "delay"})
_WEIGHT_KEYS: Final = _SUM_KEYS | {"weight_bits", "pool"}
_PROJECTION_KEYS: Final = {
    "dense": _WEIGHT_KEYS,
    "convolution": _WEIGHT_KEYS | _WINDOW_KEYS | {"padding", "dilation", "groups"},
    "pooling": _SUM_KEYS | _WINDOW_KEYS,
}
_RECORDED: Final = ("float_validation", "float_test", "integer_validation", "integer_test", "teacher_validation")

_NORM: Final = ("gain", "offset", "mean", "variance")

_FloatArray: TypeAlias = npt.NDArray[np.float64]


def read_student(path: Path) -> Graph:
    """The network in the checkpoint at `path`, `Level.IMPORTED`."""
    value = read_tensors(path)
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise CheckpointError(f"'{path}' is no student checkpoint: its format is not '{FORMAT}' (docs/checkpoint.md).")
    try:
        return student_graph(value)
    except (CheckpointError, UnsupportedError) as error:
        raise type(error)(f"'{path}': {error}") from None


def _read(path: Path, options: ReadOptions) -> Graph:
    return read_student(path)


def recorded_metrics(path: Path) -> Mapping[str, float]:
    """Accuracies that training wrote into the file."""
    value = read_tensors(path)
    metrics = value.get("metrics") if isinstance(value, dict) else None
    # Nothing relies on them, and the reader of networks does not look at them: anything can stand there.
    found = {name: metrics.get(name) for name in _RECORDED} if isinstance(metrics, dict) else {}
    return MappingProxyType(
        {name: number for name, number in found.items() if isinstance(number, float) and 0 <= number <= 1}
    )


def trained_decisions(path: Path) -> Decides | None:
    """The decisions that training asked for; None where the file says of none, or nothing that can be."""
    value = read_tensors(path)
    config = value.get("config") if isinstance(value, dict) else None
    every, late = (config.get(key) if isinstance(config, dict) else None for key in ("every", "label_delay"))
    # As with metrics, nothing else relies on it.
    if type(every) is not int or type(late) is not int or every < 1 or late < 0:
        return None
    return Decides(every=every, late=late)


STUDENT: Final = Format(suffix=".pt", read=_read, recorded=recorded_metrics, decides=trained_decisions)


def student_graph(checkpoint: Mapping[Any, Any]) -> Graph:
    """The network in a loaded checkpoint.

    Raises
    ------
    CheckpointError
        A field is missing or wrong.
    UnsupportedError
        A layer, neuron or version that this compiler does not know.
    """
    root = Fields(checkpoint, "the checkpoint")
    version = root.integer("version", 1)
    if version > VERSION:
        raise UnsupportedError(f"The checkpoint has version {version}; this compiler reads versions 1 to {VERSION}.")
    if version == 1:
        root = Fields(upgrade(root), "the checkpoint")
    elif version >= 3:  # version 2 is the same without a contract, which was 1
        check_contract(root)
    source, name = _input(root.below("input")), root.text("name")
    time_steps = root.integer("time_steps", 1)
    layers = [Fields(layer, f"layer {position}") for position, layer in enumerate(root.sequence("layers"))]
    if not 1 <= len(layers) <= LAYERS_LIMIT:
        raise CheckpointError(f"The checkpoint has {len(layers) or 'no'} layers; 1 to {LAYERS_LIMIT} are read.")
    layers = [layer.called(f"layer '{layer.text('name')}'") for layer in layers]
    shapes = {INPUT_NAME: source.shape}
    for layer in layers:
        layer_name = layer.text("name")
        if layer_name in shapes:
            raise CheckpointError(f"Two layers have the same name '{layer_name}'; rename one.")
        shapes[layer_name] = layer.shape("shape", NEURONS_LIMIT)
    state = _State(root.mapping("state"), version)
    populations, projections = [source], list[Projection]()
    for position, layer in enumerate(layers):
        population, into = _layer(layer, shapes, state, last=position == len(layers) - 1)
        populations.append(population)
        projections += into
    state.finish()
    return Graph(
        name=name,
        level=Level.IMPORTED,
        populations=tuple(populations),
        projections=tuple(projections),
        time_steps=time_steps,
        classes=_classes(root, populations[-1].size),
        activity=read_activity(root),
        rival=read_rival(root, time_steps),
        exit=_exit(root, time_steps) if version >= EXIT_VERSION else None,
    )


def check_contract(root: Fields) -> None:
    """Refuse a student of a later version of ``docs/semantics.md``; what an earlier one trained is read as its heir.

    Raises
    ------
    CheckpointError
        The field ``contract`` is no version.
    UnsupportedError
        It is a later one than this compiler's.
    """
    if root.value("contract", optional=True) is None:
        return
    contract = root.text("contract")
    found = _CONTRACT.fullmatch(contract)
    if found is None:
        raise CheckpointError(f"'contract' of the checkpoint must be a version such as 2.0, not {show(contract)}.")
    if tuple(map(int, found.groups())) > tuple(map(int, SEMANTICS_VERSION.split("."))):
        raise UnsupportedError(
            f"The student was trained under version {contract} of the integer contract; this compiler ({__version__}) "
            f"keeps {SEMANTICS_VERSION}: use a later one."
        )


def _input(fields: Fields) -> Population:
    encoding = fields.member("encoding", Encoding)
    shape = fields.shape("shape", NEURONS_LIMIT)
    bits = fields.integer("bits", 1, 8)
    if encoding is Encoding.EVENTS and bits != 1:
        raise CheckpointError(f"The input is made of events, which have 1 bit, not {bits}.")
    neuron = InputSource(encoding=encoding, bits=bits)
    return Population(name=INPUT_NAME, shape=shape, neuron=neuron, bias=frozen(np.zeros(shape[0])))


def _layer(
    fields: Fields, shapes: Mapping[str, Shape], state: _State, *, last: bool
) -> tuple[Population, list[Projection]]:
    name = fields.text("name")
    fields.allow(_LAYER_KEYS)
    shape = shapes[name]
    channels = shape[0]
    shift = fields.integer("fraction_bits", 0, 16)
    tensors = state.below(name)
    descriptions = fields.sequence("projections")
    if not 1 <= len(descriptions) <= PROJECTIONS_LIMIT:
        raise CheckpointError(
            f"Layer '{name}' has {len(descriptions) or 'no'} projections; 1 to {PROJECTIONS_LIMIT} are read."
        )
    # Weights first: whatever else there is per channel is no larger.
    projections = [
        _projection(Fields(description, f"projection {position} of layer '{name}'"), name, position, shapes, state)
        for position, description in enumerate(descriptions)
    ]
    neuron = _neuron(fields.below("neuron"), name, tensors, channels, last=last)
    readout = isinstance(neuron, Readout)
    if isinstance(neuron, Readout) and neuron.leak_shift is None and shift:
        raise UnsupportedError(
            f"Layer '{name}' is a readout with {shift} fraction bits; one that does not leak has none."
        )
    weighted = [projection for projection in projections if not isinstance(projection, Pooling)]
    if shift and not weighted:
        raise UnsupportedError(f"Layer '{name}' has {shift} fraction bits, but only pooling; it can have none.")
    norm = _norm(tensors, name, channels)
    if readout and norm is not None:
        raise UnsupportedError(f"Layer '{name}' is a readout with a batch norm; fold it into its weights.")
    bias = tensors.optional("bias", (channels,))
    population = Population(
        name=name,
        shape=shape,
        neuron=neuron,
        bias=frozen(np.zeros(channels) if bias is None else bias),
        norm=norm,
    )
    trained = {projection.bits is not None for projection in weighted}
    if len(trained) > 1:
        raise UnsupportedError(
            f"Some projections into layer '{name}' have weight_bits and some have none; quantise all of them, or none."
        )
    step = tensors.positive("step", (1,) if readout else (channels,)) if trained == {True} else None
    return population, [
        projection if isinstance(projection, Pooling) else dataclasses.replace(projection, step=step, shift=shift)
        for projection in projections
    ]


def _projection(fields: Fields, target: str, position: int, shapes: Mapping[str, Shape], state: _State) -> Projection:
    kind = fields.text("kind")
    if kind not in _PROJECTION_KEYS:
        raise UnsupportedError(
            f"{capital(fields.where)} is of the kind {show(kind)}; built are {', '.join(_PROJECTION_KEYS)}."
        )
    fields.allow(_PROJECTION_KEYS[kind])
    source = fields.text("source")
    if source not in shapes:
        raise CheckpointError(f"{capital(fields.where)} names the unknown source '{source}'.")
    (channels, height, width), reached = shapes[source], shapes[target]
    common: dict[str, Any] = {
        "source": source,
        "target": target,
        "delay": fields.integer("delay", 0, _DELAY_LIMIT),
    }
    if kind == "pooling":
        weight = state.weight(target, position, (channels,))
        kernel, stride = fields.pair("kernel", 1, _WINDOW_LIMIT), fields.pair("stride", 1, _WINDOW_LIMIT)
        return Pooling(**common, weight=weight, kernel=kernel, stride=stride)
    pool = fields.integer("pool", 1, _WINDOW_LIMIT)
    if height % pool or width % pool:
        raise CheckpointError(
            f"{capital(fields.where)} pools {pool} x {pool} windows of '{source}', which do not divide its {height} x "
            f"{width} neurons; choose a pool that divides both."
        )
    common |= {"bits": fields.optional_integer("weight_bits", 1, 8), "pool": pool}
    if kind == "dense":
        inputs = channels * (height // pool) * (width // pool)
        return Dense(**common, weight=state.weight(target, position, (math.prod(reached), inputs)))
    groups = fields.integer("groups", 1, NEURONS_LIMIT)
    if channels % groups or reached[0] % groups:
        raise CheckpointError(
            f"{capital(fields.where)} has {groups} groups, which do not divide {channels} channels into {reached[0]}; "
            "choose a number that divides both."
        )
    shape = (reached[0], channels // groups, *fields.pair("kernel", 1, _WINDOW_LIMIT))
    return Convolution(
        **common,
        weight=state.weight(target, position, shape),
        stride=fields.pair("stride", 1, _WINDOW_LIMIT),
        padding=fields.pair("padding", 0, _WINDOW_LIMIT),
        dilation=fields.pair("dilation", 1, _WINDOW_LIMIT),
        groups=groups,
    )


def _neuron(fields: Fields, name: str, tensors: _Tensors, channels: int, *, last: bool) -> Neuron:
    fields = fields.called(f"the neuron of layer '{name}'")
    kind = fields.text("kind")
    if kind not in _NEURON_KEYS:
        raise UnsupportedError(f"The neurons of layer '{name}' are '{kind}'; built are {', '.join(_NEURON_KEYS)}.")
    if (kind == "readout") != last:
        raise CheckpointError(f"Layer '{name}' is {'' if last else 'not '}the last one, but its neurons are '{kind}'.")
    since, key = _LATER_KEYS[kind]
    later = tensors.state.version >= since
    fields.allow(_NEURON_KEYS[kind] | ({key} if later else frozenset()))
    if kind == "readout":
        leaks = later and fields.value("leak_shift", optional=True) is not None
        return Readout(leak_shift=fields.integer("leak_shift", 0, _LEAK_LIMIT) if leaks else None)
    neuron = IntegrateAndFire(
        threshold=tensors.positive("threshold", (channels,)),
        reset=fields.member("reset", Reset),
        initial=fields.member("initial", Initial),
        leak_shift=fields.optional_integer("leak_shift", 0, _LEAK_LIMIT),
    )
    if not later:
        return neuron
    compared = fields.value("comparison", optional=True) is not None
    subtracted = tensors.optional("subtracted", (channels,))
    if subtracted is not None:
        subtracted = tensors.positive("subtracted", (channels,))
        if neuron.reset is not Reset.SOFT:
            raise CheckpointError(
                f"Layer '{name}' has amounts to subtract, but a {neuron.reset.value} reset; use soft."
            )
    return dataclasses.replace(
        neuron,
        comparison=fields.member("comparison", Comparison) if compared else Comparison.AT_LEAST,
        floor=tensors.optional("floor", (channels,)),
        subtracted=subtracted,
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


def _exit(root: Fields, time_steps: int) -> Exit | None:
    if root.value("exit", optional=True) is None:
        return None
    fields = root.below("exit")
    fields.allow(_EXIT_KEYS)
    steps = fields.sequence("steps")
    if not steps or not all(type(step) is int and 1 <= step < time_steps for step in steps):
        raise CheckpointError(
            f"'steps' of {fields.where} must be numbers of steps from 1 to {time_steps - 1}, after which it is asked."
        )
    bits = fields.integer("weight_bits", 1, 8) if "weight_bits" in fields.fields else None
    return Exit(margin=fields.integer("margin", 1, LARGEST_MARGIN), steps=tuple(steps), weight_bits=bits)


def _classes(root: Fields, outputs: int) -> tuple[str, ...]:
    if root.value("classes", optional=True) is None:
        return ()
    classes = root.sequence("classes")
    if len(classes) != outputs or not all(isinstance(name, str) for name in classes):
        raise CheckpointError(f"The checkpoint must name each of its {outputs} classes, or none.")
    return tuple(classes)


@dataclass(slots=True)
class _State:
    """The checkpoint's tensors; remembers which were asked for, so that none is silently ignored."""

    tensors: Mapping[Any, Any]
    version: int
    used: set[str] = field(default_factory=set)
    weights: int = 0

    def below(self, layer: str) -> _Tensors:
        return _Tensors(self, layer)

    def _claim(self, weights: int) -> None:
        """Count weights, before any memory is taken for them."""
        self.weights += weights
        if self.weights > WEIGHTS_LIMIT:
            raise CheckpointError(
                f"The checkpoint has more than {WEIGHTS_LIMIT:,} weights, the most that are read; use smaller layers."
            )

    def weight(self, layer: str, position: int, shape: tuple[int, ...]) -> _FloatArray:
        """The weights of a layer's projection."""
        self._claim(math.prod(shape))
        return self.below(layer).required(f"{position}.weight", shape)

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
            raise CheckpointError(f"'{key}' must be a tensor, not {show(value)}.")
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
