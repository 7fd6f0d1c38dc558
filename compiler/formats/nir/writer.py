"""An integer network as a ``.nir`` file, for other simulators, and read back as the network that it is.

Nodes hold the integers, over a time step of length 1: ``tau = r = 2^k`` leaves ``1 - 2^-k`` of a membrane, and weights
carry their projection's shift. What NIR has no word for (the encoding, ``>=``, the kind of reset, half a threshold to
begin with, a floor, a leak that rounds down) is in the metadata of the outermost graph, with the sealed model's header
and its hash.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any, Final, assert_never

import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import BuildError, UnsupportedError
from snnc.compiler.extras import needed
from snnc.compiler.ir import (
    Array,
    Convolution,
    Dense,
    Encoding,
    Graph,
    InputSource,
    IntegrateAndFire,
    Pooling,
    Population,
    Projection,
    Readout,
    Reset,
    as_convolution,
)
from snnc.compiler.ir.model import model_from_parts, model_parts

__all__ = ["FLOORS_KEY", "HEADER_KEY", "graph_of", "write_nir"]

HEADER_KEY: Final = "snnc.model"
"""In the metadata: the header of `snnc.compiler.ir.model.model_parts`, JSON. Its arrays are those of the nodes."""
FLOORS_KEY: Final = "snnc.floors"
"""In the metadata: floors and amounts that are subtracted, by the array's name, JSON."""

_OUTPUT: Final = "output"
_EXACT_FLOAT: Final = 2**24

_Integers = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float32] | npt.NDArray[np.float64]


def write_nir(graph: Graph) -> bytes:
    """The file.

    Raises
    ------
    MissingError
        The package nir is not installed.
    UnsupportedError
        The network has something that NIR has no node for.
    """
    with needed():
        import nir
    header, arrays = model_parts(graph)
    nodes: dict[str, Any] = {graph.input.name: nir.Input({"input": np.array(graph.input.shape)})}
    edges: list[tuple[str, str]] = []
    for population in graph.layers:
        nodes[population.name] = _neuron(nir, population, _shape(graph, population))
        into = [item for item in graph.projections if item.target == population.name]
        for position, item in enumerate(into):
            bias = population.bias if not position else np.zeros_like(population.bias)
            chain = _chain(nir, graph, item, bias)
            names = [f"{_synapses(population.name, position)}{suffix}" for suffix in chain]
            if set(names) & nodes.keys():
                raise UnsupportedError(
                    f"'{names[-1]}' would name two nodes of the file; rename the layer of that name."
                )
            nodes |= zip(names, chain.values(), strict=True)
            edges += zip((item.source, *names), (*names, population.name), strict=True)
    if _OUTPUT in nodes:
        raise UnsupportedError(f"'{_OUTPUT}' would name two nodes of the file; rename the layer of that name.")
    nodes[_OUTPUT] = nir.Output({"output": np.array(_shape(graph, graph.readout))})
    edges.append((graph.readout.name, _OUTPUT))
    floors = {name: array.tolist() for name, array in arrays.items() if name.endswith((".floor", ".subtracted"))}
    facts = {HEADER_KEY: json.dumps(header, sort_keys=True), FLOORS_KEY: json.dumps(floors, sort_keys=True)}
    file = io.BytesIO()
    nir.write(file, nir.NIRGraph(nodes=nodes, edges=edges, metadata=_meaning(graph) | facts, type_check=False))
    return file.getvalue()


def graph_of(metadata: Mapping[str, str], nodes: Mapping[str, Any]) -> Graph:
    """The network that `write_nir` wrote: `metadata` and `nodes` of the outermost graph, as `read_tree` gives them.

    Raises
    ------
    BuildError
        It was changed, is damaged, or of another version.
    """
    try:
        header = json.loads(metadata[HEADER_KEY])
        arrays = {name: np.array(values, np.int64) for name, values in json.loads(metadata[FLOORS_KEY]).items()}
        counts: dict[str, int] = {}
        for plain in header["projections"]:
            target = plain["target"]
            position = counts.setdefault(target, 0)
            counts[target] += 1
            node = nodes[_synapses(target, position)]
            weight = _whole(node["weight"]) >> plain["shift"]
            arrays[plain["weight"]] = weight[:, 0, 0, 0] if plain["kind"] == "pooling" else weight
            if not position:
                arrays[f"{target}.bias"] = _whole(node["bias"])
        for plain in header["populations"]:
            name, neuron = plain["name"], plain["neuron"]
            channels = plain["shape"][0]
            if neuron["kind"] == "input":
                arrays[plain["bias"]] = np.zeros(channels, np.int64)
            elif neuron["kind"] == "if":
                arrays[neuron["threshold"]] = _whole(nodes[name]["v_threshold"]).reshape(channels, -1)[:, 0].copy()
            if neuron["kind"] != "input" and len(plain["shape"]) == 3:
                # A dense node's bias is one per neuron; the contract's is one per channel.
                arrays[f"{name}.bias"] = arrays[f"{name}.bias"].reshape(channels, -1)[:, 0].copy()
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError):
        raise BuildError("The network of snnc in its metadata does not fit its nodes; export it again.") from None
    return model_from_parts(header, arrays)


def _synapses(target: str, position: int) -> str:
    """The node that holds the weights of a population's projection, by its place among them."""
    return f"{target}__{position}"


def _chain(nir: Any, graph: Graph, item: Projection, bias: Array) -> dict[str, Any]:
    """The nodes of a projection in the order of their data, by what is added to its name: the weights last."""
    source, target = graph.population(item.source), graph.population(item.target)
    chain: dict[str, Any] = {}
    given, shape = _shape(graph, source), source.shape
    if item.delay:
        chain["_delay"] = nir.Delay(np.full(given, float(item.delay)))
    if not isinstance(item, Pooling) and item.pool > 1:
        window = np.array([item.pool, item.pool])
        chain["_pool"] = nir.SumPool2d(kernel_size=window, stride=window, padding=np.array([0, 0]))
        shape = shape[0], shape[1] // item.pool, shape[2] // item.pool
    match item:
        case Dense():
            if len(given) > 1:
                chain["_flat"] = nir.Flatten({"input": np.array(shape)}, 0, -1)
            rows = np.repeat(bias, target.size // target.channels)
            chain[""] = nir.Affine(weight=_floats(_shifted(item)), bias=_floats(rows))
        case Convolution():
            chain[""] = _convolution(nir, item, bias, shape)
        case Pooling():
            chain[""] = _convolution(nir, as_convolution(item), bias, shape)
        case _ as unreachable:
            assert_never(unreachable)
    return chain


def _convolution(nir: Any, item: Convolution, bias: Array, shape: tuple[int, int, int]) -> Any:
    return nir.Conv2d(
        input_shape=shape[1:],
        weight=_floats(_shifted(item)),
        stride=item.stride,
        padding=item.padding,
        dilation=item.dilation,
        groups=item.groups,
        bias=_floats(bias),
    )


def _shape(graph: Graph, population: Population) -> tuple[int, ...]:
    """A layer among dense ones alone is a vector."""
    around = [item for item in graph.projections if population.name in (item.source, item.target)]
    flat = population.shape[1:] == (1, 1) and all(isinstance(item, Dense) for item in around)
    return population.shape[:1] if flat and population is not graph.input else population.shape


def _neuron(nir: Any, population: Population, shape: tuple[int, ...]) -> Any:
    ones = np.ones(shape)

    def spread(values: Array) -> _Floats:
        return _floats(np.broadcast_to(values.reshape(-1, *[1] * (len(shape) - 1)), shape))

    match population.neuron:
        case Readout(leak_shift=None):
            return nir.I(r=ones)
        case Readout(leak_shift=int(shift)):
            return nir.LI(tau=ones * 2.0**shift, r=ones * 2.0**shift, v_leak=0 * ones)
        case IntegrateAndFire(leak_shift=None) as neuron:
            return nir.IF(r=ones, v_threshold=spread(neuron.threshold), v_reset=0 * ones)
        case IntegrateAndFire(leak_shift=int(shift)) as neuron:
            tau = ones * 2.0**shift
            threshold = spread(neuron.threshold)
            return nir.LIF(tau=tau, r=tau, v_leak=0 * ones, v_threshold=threshold, v_reset=0 * ones)
        case InputSource() | IntegrateAndFire() | Readout():
            raise AssertionError(population.name)
        case _ as unreachable:
            assert_never(unreachable)


def _shifted(item: Dense | Convolution) -> _Integers:
    return item.weight.astype(np.int64) << item.shift


def _floats(values: npt.NDArray[Any]) -> _Floats:
    """Single precision where it holds every one of the integers."""
    if np.abs(values).max(initial=0) < _EXACT_FLOAT:
        return values.astype(np.float32)
    return values.astype(np.float64)


def _whole(values: Any) -> _Integers:
    whole: _Integers = np.rint(values).astype(np.int64)
    if not np.array_equal(whole, values):
        raise ValueError("not whole")
    return whole


def _meaning(graph: Graph) -> dict[str, str]:
    """What NIR has no word for, for people: docs/semantics.md says it in full."""
    source = graph.source
    facts = {
        "snnc.dt": "1",
        "snnc.comparison": ">=",
        "snnc.time_steps": str(graph.time_steps),
        "snnc.encoding": source.encoding.value,
        "snnc.decoding": "the largest membrane of the last step, the lowest index on a tie",
    }
    if source.encoding is not Encoding.EVENTS:
        facts["snnc.bits"] = str(source.bits)
    for population in graph.layers:
        if isinstance(population.neuron, IntegrateAndFire):
            what = "an amount of its own" if population.neuron.subtracted is not None else "the threshold"
            reset = f"subtract {what}" if population.neuron.reset is Reset.SOFT else "set to 0"
            facts[f"snnc.reset.{population.name}"] = reset
            facts[f"snnc.initial.{population.name}"] = population.neuron.initial.value
    return facts
