"""An ``.onnx`` file read into a graph: our own export as the network that it is, or a plain feed-forward ANN.

An ANN becomes a spiking network of the same architecture, the start of a conversion (QCFS; Bu et al., ICLR 2022): a
clipped ReLU becomes IF neurons of that threshold, soft reset, which begin at half of it, and a spike stands for the
threshold in what follows. The mean over time then comes near to the ANN's activations as the steps grow; nothing of it
is exact. Files are hostile until read: nothing outside the file is opened, and sizes are checked before memory is
taken.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from snnc.compiler.errors import BuildError, CheckpointError, UnsupportedError
from snnc.compiler.extras import needed
from snnc.compiler.formats.foreign.assumptions import Assumption, Assumptions, ResetKind
from snnc.compiler.formats.foreign.build import build
from snnc.compiler.formats.foreign.findings import Imported, Verdict, as_it_is
from snnc.compiler.formats.foreign.nodes import (
    Affine,
    ChannelAffine,
    Convolve,
    Firing,
    Floats,
    MaxPool,
    Network,
    Node,
    Operation,
    Pass,
    Pool,
    Refused,
    Sink,
    Source,
)
from snnc.compiler.formats.onnx.writer import HEADER_KEY
from snnc.compiler.ir import Comparison, Graph, Pair, Shape
from snnc.compiler.ir.model import model_from_parts

__all__ = ["ann_network", "import_onnx"]

_FILE_LIMIT: Final = 2**29
"""Bytes: weights of the most that are read, in double precision."""
_VALUES_LIMIT: Final = 2**26
_NODES_LIMIT: Final = 4096
_NEURONS_LIMIT: Final = 2**22
_PADDING_LIMIT: Final = 2**8
"""Zeros on one side of a map; a kernel grows by what it has on one side alone."""
_NUMBERS: Final = frozenset({"FLOAT", "DOUBLE", "INT8", "INT16", "INT32", "INT64"})
_CAVEAT: Final = (
    "its mean over time comes near to a clipped ReLU as the steps grow; with few steps it is the start of a training."
)


def import_onnx(
    path: Path, assumptions: Assumptions, thresholds: Callable[[Any], Mapping[str, Floats]] | None = None
) -> Imported:
    """The network in the file at `path`, with a finding for each node.

    Parameters
    ----------
    thresholds
        Finds a threshold for each channel of the plain ReLUs of an ``onnx.ModelProto``, by the name of what they give
        (`snnc.compiler.formats.onnx.thresholds`); without it they are refused.

    Raises
    ------
    CheckpointError, BuildError
        It is no sound file, or our own that was changed.
    MissingError
        The package onnx is not installed.
    """
    with needed():
        import onnx
    try:
        size = path.stat().st_size
        if size > _FILE_LIMIT:
            raise CheckpointError(f"It has {size:,} bytes; {_FILE_LIMIT:,} are the most that are read.")
        model = onnx.load_model_from_string(path.read_bytes())
        tensors = _tensors(onnx, model.graph.initializer)
        facts = {item.key: item.value for item in model.metadata_props}
        if HEADER_KEY in facts:
            return as_it_is(_own(facts[HEADER_KEY], tensors))

        def read(found: Mapping[str, Floats]) -> Imported:
            return build(ann_network(onnx, model, tensors, path.stem, found), assumptions)

        # Before a network is run its sizes are checked, and that nothing else is missing.
        imported = read({})
        refused = {finding.kind for finding in imported.findings if finding.verdict is Verdict.REFUSED}
        return imported if thresholds is None or refused != {"Relu"} else read(thresholds(model))
    except FileNotFoundError:
        raise CheckpointError(f"'{path}' does not exist.") from None
    except (BuildError, CheckpointError, UnsupportedError) as error:
        raise type(error)(f"'{path}': {error}") from None
    except OSError as error:
        raise CheckpointError(f"'{path}' cannot be read: {error.strerror or error}.") from None
    except Exception as error:
        # Protobuf's own errors belong to no public tree of exceptions.
        if type(error).__name__ not in ("DecodeError", "ParseError"):
            raise
        raise CheckpointError(f"'{path}' cannot be read as ONNX: {' '.join(str(error).split())[:120]}.") from None


def _own(text: str, tensors: Mapping[str, Floats]) -> Graph:
    """What `snnc.compiler.formats.onnx.writer` wrote."""
    try:
        header = json.loads(text)
        arrays = {name: np.rint(array).astype(np.int64) for name, array in tensors.items()}
        first = header["populations"][0]
        arrays[first["bias"]] = np.zeros(first["shape"][0], np.int64)
        named = {plain["weight"] for plain in header["projections"]}
        for plain in header["populations"]:
            named |= {plain["bias"], *map(plain["neuron"].get, ("threshold", "floor", "subtracted"))}
        parts = {name: arrays[name] for name in named if name is not None}
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError):
        raise BuildError("The network of snnc in its metadata does not fit its weights; export it again.") from None
    return model_from_parts(header, parts)


def _tensors(onnx: Any, stored: Sequence[Any]) -> dict[str, Floats]:
    """Every initialiser by its name, in float64."""
    found: dict[str, Floats] = {}
    count = 0
    for tensor in stored:
        count += _announced(tensor)
        if count > _VALUES_LIMIT:
            raise CheckpointError(f"It announces more than {_VALUES_LIMIT:,} values, the most that are read.")
        found[tensor.name] = _values(onnx, tensor)
    return found


def _announced(tensor: Any) -> int:
    dims = list(tensor.dims)
    if any(size < 0 for size in dims) or len(dims) > 8:
        raise CheckpointError(f"The tensor '{tensor.name[:80]}' has the shape {dims[:8]}.")
    return math.prod(dims)


def _values(onnx: Any, tensor: Any) -> Floats:
    """A tensor of the file, in float64."""
    where = f"The tensor '{tensor.name[:80]}'"
    if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
        raise CheckpointError(f"{where} lies in another file; only what is in this one is read: save it in one file.")
    kinds = onnx.TensorProto.DataType
    kind = kinds.Name(tensor.data_type) if tensor.data_type in kinds.values() else str(tensor.data_type)
    if kind not in (*_NUMBERS, "BOOL"):
        raise CheckpointError(f"{where} is of the type {kind}; floats and integers are read.")
    try:
        with np.errstate(invalid="ignore"):  # a NaN that signals is refused below
            values = np.asarray(onnx.numpy_helper.to_array(tensor)).astype(np.float64)
    except (ValueError, TypeError) as error:
        said = " ".join(str(error).split())[:100]
        raise CheckpointError(
            f"{where} does not hold the {_announced(tensor):,} values of its shape {list(tensor.dims)}: {said}."
        ) from None
    if not np.isfinite(values).all():
        raise CheckpointError(f"{where} has values that are NaN or infinite; train again from a good checkpoint.")
    return values


@dataclass(slots=True)
class _Reader:
    """Says nodes in the words of `snnc.compiler.formats.foreign.nodes`."""

    onnx: Any
    tensors: dict[str, Floats]
    thresholds: Mapping[str, Floats]
    nodes: list[Node] = field(default_factory=list)
    edges: list[tuple[str, str]] = field(default_factory=list)
    origin: dict[str, str] = field(default_factory=dict)
    """The node that gives a value, by the value's name."""
    spikes: dict[str, tuple[str, Floats]] = field(default_factory=dict)
    """By a node that gives activations, the one whose spikes stand for them, and what a spike stands for."""

    def add(self, name: str, kind: str, operation: Operation, heard: Sequence[str]) -> str:
        taken = {node.name for node in self.nodes}
        unique, count = name, 2
        while unique in taken:
            unique, count = f"{name}_{count}", count + 1
        self.nodes.append(Node(name=unique, kind=kind, operation=operation))
        self.edges += [(source, unique) for source in heard]
        return unique

    def constant(self, node: Any, position: int) -> Floats | None:
        """An input that is a constant; None where it is not given."""
        if len(node.input) <= position or not node.input[position]:
            return None
        value = self.tensors.get(node.input[position])
        if value is None:
            raise UnsupportedError(
                f"{node.op_type} '{_called(node)}' takes '{node.input[position][:60]}', which is no constant; export "
                "with constant weights."
            )
        return value

    def needed(self, node: Any, position: int, dimensions: int) -> Floats:
        value = self.constant(node, position)
        if value is None or value.ndim != dimensions or not value.size:
            shape = "nothing" if value is None else f"the shape {list(value.shape)[:8]}"
            raise CheckpointError(
                f"{node.op_type} '{_called(node)}' has {shape} as input {position}; {dimensions} dimensions are needed."
            )
        return value

    def attributes(self, node: Any) -> dict[str, Any]:
        read = {"INT": "i", "FLOAT": "f", "STRING": "s", "INTS": "ints", "FLOATS": "floats", "TENSOR": "t"}
        kinds = self.onnx.AttributeProto.AttributeType
        found = {}
        for attribute in node.attribute:
            kind = kinds.Name(attribute.type) if attribute.type in kinds.values() else ""
            if kind not in read:
                raise UnsupportedError(f"{node.op_type} '{_called(node)}' has an attribute of the type '{kind}'.")
            value = getattr(attribute, read[kind])
            found[attribute.name] = list(value) if kind in ("INTS", "FLOATS") else value
        return found


def ann_network(
    onnx: Any, model: Any, tensors: Mapping[str, Floats], title: str, thresholds: Mapping[str, Floats]
) -> Network:
    """A model in the words of `snnc.compiler.formats.foreign.nodes`; `thresholds` are those of plain ReLUs.

    Raises
    ------
    CheckpointError
        It contradicts itself.
    UnsupportedError
        Weights are not constant.
    """
    graph = model.graph
    if len(graph.node) > _NODES_LIMIT:
        raise CheckpointError(f"It has {len(graph.node):,} nodes; {_NODES_LIMIT} are the most that are read.")
    reader = _Reader(onnx, dict(tensors), thresholds)
    inputs = [item for item in graph.input if item.name not in tensors]
    if len(inputs) != 1 or len(graph.output) != 1:
        raise CheckpointError(f"It has {len(inputs)} inputs and {len(graph.output)} outputs; one of each is read.")
    first = reader.add(inputs[0].name[:80] or "input", "Input", Source(shape=_input_shape(inputs[0])), [])
    reader.origin[inputs[0].name] = first
    for node in graph.node:
        _read(reader, node)
    answer = reader.origin.get(graph.output[0].name)
    if answer is None:
        raise CheckpointError(f"No node gives its output '{graph.output[0].name[:80]}'.")
    reader.add(graph.output[0].name[:80] or "output", "Output", Sink(), [answer])
    assumed = (
        Assumption(text="Spikes stand for activations: a network of the same architecture, to be trained on."),
        Assumption(text="What is subtracted before a padded convolution is subtracted from its padding, too."),
        Assumption(text="Inputs are pixels p/255, or spikes; the network was trained on such.", option="encoding"),
    )
    return Network(title=title, nodes=tuple(reader.nodes), edges=tuple(reader.edges), assumed=assumed)


def _input_shape(item: Any) -> Shape:
    """``(C, H, W)`` of an input with a batch dimension."""
    sizes = [dimension.dim_value for dimension in item.type.tensor_type.shape.dim][1:]
    if not 1 <= len(sizes) <= 3 or any(not 1 <= size <= _NEURONS_LIMIT for size in sizes):
        raise CheckpointError(
            f"Its input has the shape {['N', *sizes][:8]}; a batch and one to three fixed sizes are read."
        )
    shape: Shape = (sizes[0], sizes[1] if len(sizes) == 3 else 1, sizes[-1] if len(sizes) > 1 else 1)
    if math.prod(shape) > _NEURONS_LIMIT:
        raise CheckpointError(f"Its input has {math.prod(shape):,} values; {_NEURONS_LIMIT:,} are the most.")
    return shape


def _read(reader: _Reader, node: Any) -> None:
    kind = node.op_type
    if not node.output:
        raise CheckpointError(f"{kind} '{_called(node)}' gives nothing.")
    attributes = reader.attributes(node)
    if kind == "Constant" and "value" in attributes:
        if _announced(attributes["value"]) > _VALUES_LIMIT:
            raise CheckpointError(f"Constant '{_called(node)}' announces more than {_VALUES_LIMIT:,} values.")
        reader.tensors[node.output[0]] = _values(reader.onnx, attributes["value"])
        return
    heard = [reader.origin[name] for name in node.input if name in reader.origin]
    if not heard:
        raise CheckpointError(f"{kind} '{_called(node)}' hears nothing that comes from the input.")
    meaning = _MEANINGS.get(kind)
    if meaning is None:
        known = ", ".join(sorted(_MEANINGS))
        operation: Operation = Refused(text=f"it is of a type that is not read; known are {known}.", shaped=False)
    else:
        operation = meaning(reader, node, attributes)
    if not isinstance(operation, Refused) and kind != "Add" and len(heard) != 1:
        raise CheckpointError(f"{kind} '{_called(node)}' hears {len(heard)} nodes; one is read.")
    worth = operation.threshold if isinstance(operation, Firing) else None
    if isinstance(operation, MaxPool) and heard[0] in reader.spikes:
        # The largest of spikes that are worth the same is the largest of what they are worth.
        heard[0], worth = reader.spikes[heard[0]]
    name = reader.add(_called(node), kind, operation, list(dict.fromkeys(heard)))
    if worth is not None:
        fires, name = name, reader.add(f"{name}_value", "Scale", ChannelAffine(scale=worth), [name])
        reader.spikes[name] = fires, worth
    reader.origin[node.output[0]] = name


def _called(node: Any) -> str:
    return (node.name or (node.output[0] if node.output else "") or node.op_type)[:80]


def _pair(values: Any, default: Pair, node: Any, what: str) -> Pair:
    if values is None:
        return default
    if not isinstance(values, list) or len(values) != 2 or any(not 0 <= value <= 2**16 for value in values):
        raise CheckpointError(f"'{what}' of {node.op_type} '{_called(node)}' is {values!r:.60}; two sizes are read.")
    return values[0], values[1]


def _pads(attributes: Mapping[str, Any], node: Any) -> list[int] | None:
    """Zeros above, left, below and right; None for as many as keep the size."""
    automatic = attributes.get("auto_pad", b"NOTSET")
    if automatic in (b"SAME_UPPER", b"SAME_LOWER"):
        return None
    pads = attributes.get("pads", [0, 0, 0, 0])
    if not isinstance(pads, list) or len(pads) != 4 or any(not 0 <= value <= _PADDING_LIMIT for value in pads):
        raise CheckpointError(
            f"'pads' of {node.op_type} '{_called(node)}' is {pads!r:.60}; four sizes of at most {_PADDING_LIMIT} are "
            "read."
        )
    return pads


def _conv(reader: _Reader, node: Any, attributes: Mapping[str, Any]) -> Operation:
    weight, padding = reader.needed(node, 1, 4), _pads(attributes, node)
    dilation = _pair(attributes.get("dilations"), (1, 1), node, "dilations")
    if padding is not None:
        before, after = padding[:2], padding[2:]
        if before != after and dilation != (1, 1):
            return Refused(text=f"it is padded by {padding} and dilated; as much on both sides is built.", shaped=False)
        # Where fewer zeros are wanted on a side, the kernel begins, or ends, with rows or columns of zeros.
        most = np.maximum(before, after)
        sides = np.array(weight.shape[2:]) + 2 * most - before - after
        if math.prod(weight.shape[:2]) * int(sides.prod()) > _VALUES_LIMIT:
            raise CheckpointError(
                f"Conv '{_called(node)}' needs more than {_VALUES_LIMIT:,} weights with its zeros on one side alone."
            )
        weight = np.pad(weight, [(0, 0), (0, 0), *zip(most - before, most - after, strict=True)])
    groups = attributes.get("group", 1)
    if type(groups) is not int or not 1 <= groups <= _NEURONS_LIMIT:
        raise CheckpointError(f"Conv '{_called(node)}' has {groups!r:.40} groups.")
    return Convolve(
        weight=weight,
        bias=None if reader.constant(node, 2) is None else reader.needed(node, 2, 1),
        stride=_pair(attributes.get("strides"), (1, 1), node, "strides"),
        padding=None if padding is None else (int(most[0]), int(most[1])),
        dilation=dilation,
        groups=groups,
        offset_everywhere=True,
    )


def _gemm(reader: _Reader, node: Any, attributes: Mapping[str, Any]) -> Operation:
    weight = reader.needed(node, 1, 2)
    if attributes.get("transA", 0):
        return Refused(text="its input is transposed.", shaped=False)
    weight = weight if attributes.get("transB", 0) else weight.T
    bias = reader.constant(node, 2)
    if bias is not None:
        bias = np.broadcast_to(bias.reshape(-1), (len(weight),)) if bias.size in (1, len(weight)) else bias.reshape(-1)
        bias = attributes.get("beta", 1.0) * bias
    return Affine(weight=attributes.get("alpha", 1.0) * weight, bias=bias)


def _matmul(reader: _Reader, node: Any, attributes: Mapping[str, Any]) -> Operation:
    return Affine(weight=reader.needed(node, 1, 2).T)


def _constant_operand(reader: _Reader, node: Any) -> tuple[Floats, bool] | Refused:
    """The constant of an operation of two, and whether it stands first."""
    if len(node.input) != 2:
        raise CheckpointError(f"{node.op_type} '{_called(node)}' has {len(node.input)} inputs; it takes two.")
    constants = [reader.tensors.get(name) for name in node.input]
    value = next((item for item in constants if item is not None), None)
    if value is None:
        return Refused(text="it combines two signals; a constant is read.")
    # The last two of four dimensions, or of three, are height and width.
    sides = value.shape[-2:] if value.ndim > 2 else ()
    if any(side != 1 for side in (*sides, *value.shape[:-3])):
        return Refused(text=f"its constant has the shape {list(value.shape)[:8]}; one value for each channel is read.")
    return value.reshape(-1), constants[0] is not None


def _add(reader: _Reader, node: Any, attributes: Mapping[str, Any]) -> Operation:
    if all(name not in reader.tensors for name in node.input):
        return Pass()
    found = _constant_operand(reader, node)
    return found if isinstance(found, Refused) else ChannelAffine(scale=np.ones(1), offset=found[0])


def _subtract(reader: _Reader, node: Any, attributes: Mapping[str, Any]) -> Operation:
    found = _constant_operand(reader, node)
    if isinstance(found, Refused):
        return found
    values, first = found
    return ChannelAffine(scale=-np.ones(1), offset=values) if first else ChannelAffine(scale=np.ones(1), offset=-values)


def _multiply(reader: _Reader, node: Any, attributes: Mapping[str, Any]) -> Operation:
    found = _constant_operand(reader, node)
    return found if isinstance(found, Refused) else ChannelAffine(scale=found[0])


def _divide(reader: _Reader, node: Any, attributes: Mapping[str, Any]) -> Operation:
    found = _constant_operand(reader, node)
    if isinstance(found, Refused):
        return found
    values, first = found
    if first or not np.abs(values).min(initial=np.inf) > 1e-30:
        return Refused(text="it divides by its input, or by 0; a constant that is not 0 is read.")
    return ChannelAffine(scale=1 / values)


def _norm(reader: _Reader, node: Any, attributes: Mapping[str, Any]) -> Operation:
    scale, offset, mean, variance = (reader.needed(node, position, 1) for position in range(1, 5))
    deviation = variance + float(attributes.get("epsilon", 1e-5))
    if not (deviation > 0).all() or len({item.size for item in (scale, offset, mean, variance)}) > 1:
        raise CheckpointError(
            f"{node.op_type} '{_called(node)}' has a variance below 0, or parameters of several sizes."
        )
    factor = scale / np.sqrt(deviation)
    return ChannelAffine(scale=factor, offset=offset - mean * factor)


def _relu(reader: _Reader, node: Any, attributes: Mapping[str, Any]) -> Operation:
    threshold = reader.thresholds.get(node.output[0])
    if threshold is None:
        return Refused(
            text="its largest value is not stated, which becomes the threshold.",
            remedy="Export with a clipped one (ReLU6, Clip from 0), or have it found on training images: 'snnc distill "
            "--start-from'.",
        )
    return _fires(threshold, f"its thresholds come from training images; {_CAVEAT}")


def _clip(reader: _Reader, node: Any, attributes: Mapping[str, Any]) -> Operation:
    low = attributes.get("min", reader.constant(node, 1))
    high = attributes.get("max", reader.constant(node, 2))
    least, most = (None if value is None else np.asarray(value, np.float64).reshape(-1) for value in (low, high))
    if least is None or most is None or least.size != 1 or most.size != 1 or least[0] != 0 or not 0 < most[0] < 1e30:
        return Refused(text="it clips elsewhere than from 0 to a positive number.", remedy="Use ReLU6, or Clip from 0.")
    return _fires(most, _CAVEAT)


def _fires(threshold: Floats, caveat: str) -> Firing:
    """IF neurons that are as active as a ReLU clipped at `threshold`."""
    zero, one = np.zeros(1), np.ones(1)
    return Firing(
        beta=one,
        gain=one,
        threshold=threshold,
        drive=zero,
        reset=ResetKind.SOFT,
        comparison=Comparison.AT_LEAST,
        v_reset=zero,
        initial=threshold / 2,
        caveat=caveat,
    )


def _average(reader: _Reader, node: Any, attributes: Mapping[str, Any]) -> Operation:
    kernel = _pair(attributes.get("kernel_shape"), (1, 1), node, "kernel_shape")
    padding = _pads(attributes, node)
    if attributes.get("ceil_mode", 0) or padding is None or padding[:2] != padding[2:]:
        return Refused(text="its windows are rounded up, or padded unevenly.", shaped=False)
    stride = _pair(attributes.get("strides"), (1, 1), node, "strides")
    return Pool(kernel=kernel, stride=stride, padding=(padding[0], padding[1]), average=True)


def _whole(reader: _Reader, node: Any, attributes: Mapping[str, Any]) -> Operation:
    return Pool(kernel=None, average=True)


def _largest(reader: _Reader, node: Any, attributes: Mapping[str, Any]) -> Operation:
    pool = _average(reader, node, attributes)
    if not isinstance(pool, Pool):
        return pool
    assert pool.kernel is not None
    return MaxPool(kernel=pool.kernel, stride=pool.stride, padding=pool.padding)


def _same(reader: _Reader, node: Any, attributes: Mapping[str, Any]) -> Operation:
    return Pass()


_MEANINGS: Final[Mapping[str, Callable[[_Reader, Any, Mapping[str, Any]], Operation]]] = MappingProxyType(
    {
        "Add": _add,
        "AveragePool": _average,
        "BatchNormalization": _norm,
        "Clip": _clip,
        "Conv": _conv,
        "Div": _divide,
        "Dropout": _same,
        "Flatten": _same,
        "Gemm": _gemm,
        "GlobalAveragePool": _whole,
        "Identity": _same,
        "MatMul": _matmul,
        "MaxPool": _largest,
        "Mul": _multiply,
        "Relu": _relu,
        "Reshape": _same,
        "Sub": _subtract,
    }
)
