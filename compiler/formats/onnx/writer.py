"""An integer network as an ONNX model: ``docs/semantics.md`` sections 1 and 2 in standard operators alone.

Time is a `Loop`, so that the number of steps is chosen at run time. Membranes are int32, or int64 where a bound from
the weights asks for it. Weighted sums are Conv and MatMul in float where that bound stays below 2^24, so that every
order of the sum is exact; beyond, MatMul is in int64, and a convolution becomes a sum of several that stay below.
No operator is used whose integer result the standard leaves open: no integer division that does not come out even, no
shift of a negative number.

Inputs: ``input``, uint8, of direct encoding ``(N, C, H, W)``, pixels of `bits` bits (section 3), else spikes
``(T, N, C, H, W)`` of 0 and 1; with direct encoding also ``time_steps``, int64, by default ``T_max``. Outputs:
``logits``, int64 ``(N, classes)``, and ``class``, int64 ``(N,)``. The metadata hold the sealed model's header, by which
the file is read back as the network that it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final, assert_never

import numpy as np
import numpy.typing as npt

from snnc.compiler import __version__
from snnc.compiler.errors import UnsupportedError
from snnc.compiler.extras import needed
from snnc.compiler.formats.interface import refuse_exit
from snnc.compiler.formats.reach import largest_input, membrane_reach, tap_reach, weighted_reach
from snnc.compiler.ir import (
    Convolution,
    Dense,
    Encoding,
    Graph,
    Initial,
    InputSource,
    IntegrateAndFire,
    Pooling,
    Population,
    Projection,
    Readout,
    Reset,
)
from snnc.compiler.ir.model import model_parts

__all__ = ["HEADER_KEY", "write_onnx"]

HEADER_KEY: Final = "snnc.model"
"""Of the metadata: the header of `snnc.compiler.ir.model.model_parts`, JSON. Its arrays are initialisers."""

_OPSET: Final = 17
"""Of 2022: what any runtime of today reads."""
_IR_VERSION: Final = 8
_EXACT_FLOAT: Final = 2**24
_DELAY_LIMIT: Final = 256
"""Steps of spikes that are kept, all of them states of the loop."""

_Array = npt.NDArray[Any]


def write_onnx(graph: Graph) -> bytes:
    """The file.

    Raises
    ------
    MissingError
        The package onnx is not installed.
    UnsupportedError, FitError
        The network has something that no standard operator says.
    """
    refuse_exit(graph, ".onnx")
    with needed():
        import onnx
    return _Writer(onnx, graph).model()


class _Nodes:
    """Nodes of one graph, and names for what they give; names of the outer graph are seen from an inner one."""

    def __init__(self, onnx: Any, prefix: str) -> None:
        self._helper, self._prefix = onnx.helper, prefix
        self.nodes: list[Any] = []

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """The name of what an operator gives."""
        return self.named(f"{self._prefix}{len(self.nodes)}", operator, *inputs, **attributes)

    def named(self, name: str, operator: str, *inputs: str, **attributes: Any) -> str:
        self.nodes.append(self._helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def take(self, values: str, index: str) -> str:
        """One entry along the first axis."""
        return self.add("Gather", values, index, axis=0)


class _Writer:
    def __init__(self, onnx: Any, graph: Graph) -> None:
        self._onnx, self._helper, self._graph = onnx, onnx.helper, graph
        self._types = onnx.TensorProto
        self._outer, self._body = _Nodes(onnx, "o"), _Nodes(onnx, "b")
        self._header, self._arrays = model_parts(graph)
        self._initialisers: dict[str, Any] = {}
        self._constants: dict[tuple[str, bytes, tuple[int, ...]], str] = {}
        self._states: list[tuple[str, str, str]] = []
        """Of the loop: the first value's name outside, the name inside, and the next value's name inside."""
        self._direct = graph.source.encoding is Encoding.DIRECT

    def model(self) -> bytes:
        helper, types, graph = self._helper, self._types, self._graph
        shape: list[Any] = ["N", *graph.input.shape]
        inputs = [helper.make_tensor_value_info("input", types.UINT8, shape if self._direct else ["T", *shape])]
        if self._direct:
            inputs.append(helper.make_tensor_value_info("time_steps", types.INT64, []))
            self._initialise("time_steps", np.array(graph.time_steps, np.int64))
        self._count = self._outer.take(self._outer.add("Shape", "input"), self._index(0 if self._direct else 1))
        logits = self._loop()
        outputs = [
            helper.make_tensor_value_info("logits", types.INT64, ["N", graph.readout.size]),
            helper.make_tensor_value_info("class", types.INT64, ["N"]),
        ]
        flat = self._outer.add("Reshape", logits, self._ints(-1, graph.readout.size))
        self._outer.named("logits", "Cast", flat, to=types.INT64)
        # The lowest index on a tie is the standard's own rule where select_last_index is 0.
        self._outer.named("class", "ArgMax", "logits", axis=1, keepdims=0)
        made = helper.make_graph(
            self._outer.nodes, _identifier(graph.name), inputs, outputs, list(self._initialisers.values())
        )
        model = helper.make_model(
            made,
            opset_imports=[helper.make_opsetid("", _OPSET)],
            ir_version=_IR_VERSION,
            producer_name="snnc",
            producer_version=__version__,
        )
        version = str(self._header["semantics_version"])
        facts = {"snnc.network_version": version, HEADER_KEY: json.dumps(self._header, sort_keys=True)}
        helper.set_model_props(model, facts)
        self._onnx.checker.check_model(model)
        data: bytes = model.SerializeToString(deterministic=True)
        return data

    def _loop(self) -> str:
        """All time steps; the name of the readout's last membranes."""
        graph, body = self._graph, self._body
        self._spikes = {graph.input.name: self._input()}
        steady = {position: self._steady(item) for position, item in self._numbered() if self._is_steady(item)}
        self._late = {name: self._history(name) for name in {p.source for p in graph.projections if p.delay}}
        for population in graph.layers:
            current = [
                steady[position] if position in steady else self._sum(body, item, population, self._heard(item))
                for position, item in self._numbered()
                if item.target == population.name
            ]
            self._step(population, current)
        for name, (past, following, depth) in self._late.items():
            self._remember(name, past, following, depth)
        trips = "time_steps" if self._direct else self._outer.take(self._outer.add("Shape", "input"), self._index(0))
        going = self._initialise("going", np.array(True))
        again = body.add("Identity", "condition")
        make = self._helper.make_tensor_value_info
        untyped = [self._helper.make_empty_tensor_value_info(name) for _, name, _ in self._states]
        step = self._helper.make_graph(
            body.nodes,
            "step",
            [make("t", self._types.INT64, []), make("condition", self._types.BOOL, []), *untyped],
            [
                self._helper.make_empty_tensor_value_info(name)
                for name in (again, *(last for _, _, last in self._states))
            ],
        )
        results = [f"last_{name}" for _, name, _ in self._states]
        first = [name for name, _, _ in self._states]
        self._outer.nodes.append(self._helper.make_node("Loop", [trips, going, *first], results, body=step))
        return f"last_{self._membrane(graph.readout)}"

    def _numbered(self) -> Iterator[tuple[int, Projection]]:
        return enumerate(self._graph.projections)

    def _input(self) -> str:
        """What the input gives in a step, in float."""
        if self._direct:
            return self._outer.add("Cast", "input", to=self._types.FLOAT)
        return self._body.add("Cast", self._body.take("input", "t"), to=self._types.FLOAT)

    def _is_steady(self, projection: Projection) -> bool:
        """Whether its sum is the same in every step."""
        return self._direct and projection.source == self._graph.input.name and not projection.delay

    def _steady(self, projection: Projection) -> str:
        target = self._graph.population(projection.target)
        return self._sum(self._outer, projection, target, self._spikes[projection.source])

    def _heard(self, projection: Projection) -> str:
        if not projection.delay:
            return self._spikes[projection.source]
        past, _, _ = self._late[projection.source]
        return self._body.take(past, self._index(projection.delay - 1))

    def _history(self, source: str) -> tuple[str, str, int]:
        """A state of the last spikes of a population, the newest first: its name, the next one's, and its depth."""
        depth = max(item.delay for item in self._graph.projections if item.source == source)
        if depth > _DELAY_LIMIT:
            raise UnsupportedError(
                f"The spikes of '{source}' are heard {depth} steps later; at most {_DELAY_LIMIT} are written as ONNX."
            )
        shape = self._outer.add(
            *("Concat", self._ints(depth), self._batch(), self._ints(*self._graph.population(source).shape)), axis=0
        )
        zero = self._initialise("nothing", np.zeros((1,), np.float32))
        past, following = f"past_{source}", f"next_past_{source}"
        self._states.append((self._outer.add("Expand", zero, shape), past, following))
        return past, following, depth

    def _remember(self, source: str, past: str, following: str, depth: int) -> None:
        body = self._body
        newest = body.add("Unsqueeze", self._spikes[source], self._ints(0))
        if depth == 1:
            body.named(following, "Identity", newest)
            return
        rest = body.add("Slice", past, self._ints(0), self._ints(depth - 1), self._ints(0))
        body.named(following, "Concat", newest, rest, axis=0)

    def _membrane(self, population: Population) -> str:
        return f"membrane_{population.name}"

    def _step(self, population: Population, currents: list[str]) -> None:
        """Section 2 for one population; its spikes in float under `_spikes`."""
        body, types, neuron = self._body, self._types, population.neuron
        kind = self._kind(population)
        assert not isinstance(neuron, InputSource)
        name = self._membrane(population)
        start = np.zeros(population.channels, np.int64)
        if isinstance(neuron, IntegrateAndFire) and neuron.initial is Initial.HALF:
            start = neuron.threshold.astype(np.int64) >> 1
        shape = self._outer.add("Concat", self._batch(), self._ints(*population.shape), axis=0)
        first = self._outer.add("Expand", self._channels(start, kind), shape)
        following = f"next_{name}"
        self._states.append((first, name, following))
        kept = name
        if neuron.leak_shift is not None:
            kept = self._leaked(name, neuron.leak_shift, kind)
        for current in currents:
            kept = body.add("Add", kept, current)
        bias = self._parameter(f"{population.name}.bias", kind)
        match neuron:
            case Readout():
                body.named(following, "Add", kept, bias)
            case IntegrateAndFire():
                before = body.add("Add", kept, bias)
                threshold = self._parameter(f"{population.name}.threshold", kind)
                fires = body.add("GreaterOrEqual", before, threshold)
                match neuron.reset:
                    case Reset.SOFT:
                        amount = f"{population.name}.subtracted"
                        taken = threshold if neuron.subtracted is None else self._parameter(amount, kind)
                        reached = body.add("Sub", before, taken)
                    case Reset.HARD:
                        reached = self._initialise(f"zero_{kind.__name__}", np.zeros((1,), kind))
                    case _ as unreachable_reset:
                        assert_never(unreachable_reset)
                if neuron.floor is None:
                    body.named(following, "Where", fires, reached, before)
                else:
                    after = body.add("Where", fires, reached, before)
                    body.named(following, "Max", after, self._parameter(f"{population.name}.floor", kind))
                self._spikes[population.name] = body.add("Cast", fires, to=types.FLOAT)
            case _ as unreachable:
                assert_never(unreachable)

    def _leaked(self, membrane: str, shift: int, kind: type[np.signedinteger[Any]]) -> str:
        """``V - (V >> k)``: what is taken is ``(V - V mod 2^k) / 2^k``, which comes out even for every sign of V."""
        body = self._body
        bits = np.iinfo(kind).bits - 2
        step = self._initialise(f"two_to_{min(shift, bits)}_{kind.__name__}", np.array([2 ** min(shift, bits)], kind))
        even = body.add("Sub", membrane, body.add("Mod", membrane, step, fmod=0))
        return body.add("Sub", membrane, body.add("Div", even, step))

    def _sum(self, nodes: _Nodes, projection: Projection, target: Population, source: str) -> str:
        """``(W * s) << f`` in the target's type, ``(N, C, H, W)``; `source` in float."""
        kind = self._kind(target)
        match projection:
            case Dense():
                total = self._dense(nodes, projection, target, source, kind)
            case Convolution():
                total = self._convolution(nodes, projection, source, kind)
            case Pooling():
                windows = self._windows(nodes, source, projection)
                weight = self._parameter(self._name(projection), kind)
                total = nodes.add("Mul", self._cast(nodes, windows, kind), weight)
            case _ as unreachable:
                assert_never(unreachable)
        if projection.shift:
            total = nodes.add("Mul", total, self._channels(np.array([2**projection.shift]), kind))
        return total

    def _dense(self, nodes: _Nodes, item: Dense, target: Population, source: str, kind: Any) -> str:
        values = nodes.add("Flatten", self._pooled(nodes, source, item), axis=1)
        stored = self._stored(self._name(item))
        if weighted_reach(self._graph, item) < _EXACT_FLOAT:
            weight = self._outer.add("Transpose", self._cast(self._outer, stored, np.float32), perm=[1, 0])
            total = self._cast(nodes, nodes.add("MatMul", values, weight), kind)
        else:
            weight = self._outer.add("Transpose", self._cast(self._outer, stored, np.int64), perm=[1, 0])
            wide = nodes.add("MatMul", self._cast(nodes, values, np.int64), weight)
            total = wide if kind is np.int64 else self._cast(nodes, wide, kind)
        return nodes.add("Reshape", total, self._ints(-1, *target.shape))

    def _convolution(self, nodes: _Nodes, item: Convolution, source: str, kind: Any) -> str:
        values = self._pooled(nodes, source, item)
        attributes = {
            "kernel_shape": list(item.kernel),
            "strides": list(item.stride),
            "dilations": list(item.dilation),
            "pads": [*item.padding, *item.padding],
            "group": item.groups,
        }
        masks = self._parts(item)
        total = ""
        for mask in masks:
            weight = self._cast(self._outer, self._stored(self._name(item)), np.float32)
            if mask is not None:
                chosen = self._initialise(f"part_{len(self._initialisers)}", mask.astype(np.float32))
                weight = self._outer.add("Mul", weight, chosen)
            part = self._cast(nodes, nodes.add("Conv", values, weight, **attributes), kind)
            total = nodes.add("Add", total, part) if total else part
        return total

    def _parts(self, item: Convolution) -> list[_Array | None]:
        """Which taps of a kernel go together so that their sums stay exact in float; None for all of them."""
        if weighted_reach(self._graph, item) < _EXACT_FLOAT:
            return [None]
        if tap_reach(self._graph, item) >= _EXACT_FLOAT:
            raise UnsupportedError(
                f"A single product from '{item.source}' to '{item.target}' reaches {tap_reach(self._graph, item)}; "
                f"below {_EXACT_FLOAT} a convolution is written as ONNX. Use fewer input bits, or a smaller pool."
            )
        rows = np.abs(item.weight.astype(np.int64)).reshape(len(item.weight), -1) * largest_input(self._graph, item)
        parts, first = [], 0
        while first < rows.shape[1]:
            reach = np.cumsum(rows[:, first:], axis=1).max(axis=0)
            count = max(1, int(np.searchsorted(reach, _EXACT_FLOAT)))
            mask = np.zeros(rows.shape[1])
            mask[first : first + count] = 1
            parts.append(mask.reshape(1, *item.weight.shape[1:]))
            first += count
        return list(parts)

    def _pooled(self, nodes: _Nodes, source: str, item: Dense | Convolution) -> str:
        """``p``: sums over windows that do not overlap, whole numbers far below 2^24."""
        if item.pool == 1:
            return source
        if largest_input(self._graph, item) >= _EXACT_FLOAT:
            raise UnsupportedError(f"Windows of {item.pool} x {item.pool} pixels are too large to be written as ONNX.")
        channels, height, width = self._graph.population(item.source).shape
        pool = item.pool
        sizes = self._ints(-1, channels, height // pool, pool, width // pool, pool)
        return nodes.add("ReduceSum", nodes.add("Reshape", source, sizes), self._ints(3, 5), keepdims=0)

    def _windows(self, nodes: _Nodes, source: str, item: Pooling) -> str:
        """Sums over the windows of a pooling projection."""
        if item.kernel == item.stride == (1, 1):
            return source
        channels = self._graph.population(item.source).channels
        ones = self._initialise(f"ones_{len(self._initialisers)}", np.ones((channels, 1, *item.kernel), np.float32))
        kernel, strides = list(item.kernel), list(item.stride)
        return nodes.add("Conv", source, ones, kernel_shape=kernel, strides=strides, group=channels)

    def _kind(self, population: Population) -> type[np.signedinteger[Any]]:
        return np.int32 if membrane_reach(self._graph, population) < 2**31 else np.int64

    def _cast(self, nodes: _Nodes, values: str, kind: Any) -> str:
        to = {np.int32: self._types.INT32, np.int64: self._types.INT64, np.float32: self._types.FLOAT}[kind]
        return nodes.add("Cast", values, to=to)

    def _name(self, item: Projection) -> str:
        """Of a projection's weights in the header."""
        position = next(at for at, other in self._numbered() if other is item)
        name: str = self._header["projections"][position]["weight"]
        return name

    def _stored(self, name: str) -> str:
        """The initialiser of an array of the header, in the narrowest type."""
        array = self._arrays[name]
        return self._initialise(name, array.astype(_narrowest(array)))

    def _parameter(self, name: str, kind: Any) -> str:
        """An array of the header, one value per channel, against ``(N, C, H, W)``."""
        return self._outer.add("Reshape", self._cast(self._outer, self._stored(name), kind), self._ints(-1, 1, 1))

    def _channels(self, values: _Array, kind: Any) -> str:
        """One value per channel against ``(N, C, H, W)``."""
        return self._constant(values.astype(kind).reshape(-1, 1, 1))

    def _ints(self, *values: int) -> str:
        return self._constant(np.array(values, np.int64))

    def _index(self, value: int) -> str:
        return self._constant(np.array(value, np.int64))

    def _batch(self) -> str:
        return self._outer.add("Reshape", self._count, self._ints(1))

    def _constant(self, array: _Array) -> str:
        key = str(array.dtype), array.tobytes(), array.shape
        if key not in self._constants:
            self._constants[key] = self._initialise(f"constant_{len(self._constants)}", array)
        return self._constants[key]

    def _initialise(self, name: str, array: _Array) -> str:
        if name not in self._initialisers:
            self._initialisers[name] = self._onnx.numpy_helper.from_array(array, name)
        return name


def _narrowest(array: _Array) -> Any:
    largest = int(np.abs(array).max()) if array.size else 0
    return next(kind for kind in (np.int8, np.int16, np.int32, np.int64) if largest <= np.iinfo(kind).max)


def _identifier(text: str) -> str:
    return "".join(character if character.isalnum() else "_" for character in text)
