"""A module, run once, as nodes and edges: which layer heard which, by following the tensors between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any, Final, TypeAlias

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from snnc.compiler.errors import CheckpointError, OptionError, UnsupportedError
from snnc.compiler.formats.foreign.nodes import (
    ChannelAffine,
    Integrator,
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
from snnc.compiler.ir import Shape
from snnc.distill.importers.layers import array, layer, pair

__all__ = ["Neurons", "traced"]

Neurons: TypeAlias = Callable[[nn.Module], Operation | None]
"""What a library's own modules do; None for those that are none of its neurons."""

INPUT: Final = "input"
OUTPUT: Final = "output"

_SAME: Final = frozenset(
    {
        *("flatten", "view", "reshape", "squeeze", "unsqueeze", "contiguous", "clone", "detach", "to", "float"),
        *("double", "__getitem__", "unbind", "stack", "dropout", "alpha_dropout", "requires_grad_", "type", "chunk"),
    }
)
"""Functions that change neither values nor their flat order within a sample's step."""

_OVER_TIME: Final = frozenset({"sum", "mean"})
_IGNORED: Final = frozenset({"argmax", "max", "eq", "softmax", "log_softmax", "zeros_like", "ones_like", "item"})
"""Functions whose results are no part of the network: what is read of its answer."""


def traced(net: nn.Module, example: torch.Tensor, *, leading: int, neurons: Neurons) -> Network:
    """The network that `net` is, from one pass over `example`.

    Raises
    ------
    CheckpointError
        Its answer does not come from its input, or a layer stands in two places.
    OptionError
        `leading` does not fit `example`.
    UnsupportedError
        It goes on with the spikes of a neuron without a reset.
    """
    shape = _shape(example, leading)
    known: dict[str, Operation] = {}
    for name, module in net.named_modules():
        operation = neurons(module)
        if operation is None:
            operation = layer(module)
        if operation is not None and not any(name.startswith(f"{outer}.") for outer in known):
            known[name] = operation
    recorder = _Recorder(example, known)
    training = net.training
    with ExitStack() as stack:
        stack.callback(net.train, training)
        net.eval()
        for handle in recorder.hooks(net):
            stack.callback(handle.remove)
        stack.enter_context(torch.no_grad())
        stack.enter_context(recorder)
        answer = net(example)
    last = recorder.answer(answer)
    nodes = (
        Node(name=INPUT, kind="Input", operation=Source(shape=shape)),
        *recorder.nodes.values(),
        Node(name=OUTPUT, kind="Output", operation=Sink()),
    )
    return Network(title=type(net).__name__, nodes=nodes, edges=(*recorder.edges, (last, OUTPUT)))


def _shape(example: torch.Tensor, leading: int) -> Shape:
    match tuple(example.shape[leading:]):
        case (channels,):
            return channels, 1, 1
        case (channels, length):
            return channels, 1, length
        case (channels, height, width):
            return channels, height, width
        case rest:
            raise OptionError(
                f"The example has the shape {list(example.shape)}, of which {leading} come before those of a sample's "
                f"step; that leaves {len(rest)}, and 1 to 3 are needed."
            )


class _Recorder(TorchFunctionMode):
    """Which node each tensor comes from; functions between the layers are nodes of their own."""

    def __init__(self, example: torch.Tensor, known: Mapping[str, Operation]) -> None:
        super().__init__()
        self._known = known
        self._from: dict[int, str] = {id(example): INPUT}
        self._alive: list[torch.Tensor] = [example]
        """An identity is worth something only while its tensor lives."""
        self._heard: dict[str, str] = {}
        self._inside = 0
        self._unbuilt: dict[str, UnsupportedError] = {}
        """What stands for a tensor that no network of ours gives, and why."""
        self.nodes: dict[str, Node] = {}
        self.edges: dict[tuple[str, str], None] = {}

    def hooks(self, net: nn.Module) -> Iterator[RemovableHandle]:
        for name, module in net.named_modules():
            if name in self._known:
                yield module.register_forward_pre_hook(self._enters)
                yield module.register_forward_hook(partial(self._leaves, name))

    def answer(self, answer: Any) -> str:
        """The node that the answer comes from: the first one of what the module gives."""
        found = [self._from[id(tensor)] for tensor in _tensors(answer) if id(tensor) in self._from]
        for name in found:
            if name not in self._unbuilt:
                return name
        if found:
            raise self._unbuilt[found[0]]
        raise CheckpointError("What the network gives does not come from its input through layers that are known.")

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if not self._inside:
            self._function(getattr(func, "__name__", str(func)), args, kwargs or {}, result)
        return result

    def _enters(self, module: nn.Module, given: Any) -> None:
        self._inside += 1

    def _leaves(self, name: str, module: nn.Module, given: Any, result: Any) -> None:
        self._inside -= 1
        if self._inside:
            return
        source = self._from.get(id(given[0])) if given and isinstance(given[0], torch.Tensor) else None
        if source is None:
            return
        if source in self._unbuilt:
            raise self._unbuilt[source]
        if self._heard.setdefault(name, source) != source:
            raise CheckpointError(
                f"'{name}' hears '{self._heard[name]}' and '{source}' in turn: a layer in two places is not read; give "
                "each place one of its own."
            )
        if name not in self.nodes:
            self.nodes[name] = Node(name=name, kind=type(module).__name__, operation=self._known[name])
        self.edges[source, name] = None
        tensors = _tensors(result)
        operation = self._known[name]
        if isinstance(operation, Integrator) and operation.beside_spikes:
            spikes = f"{name}, spikes"
            self._unbuilt[spikes] = UnsupportedError(
                f"'{name}' fires without a reset: such a layer can be the last one, with its membranes as the answer, "
                "but its spikes are not built. Give its membranes, or let it reset."
            )
            for tensor, heard in zip(tensors[:2], (spikes, name), strict=False):
                self._mark(tensor, heard)
            return
        # A neuron's state comes after its spikes, and is not followed.
        for tensor in tensors[:1]:
            self._mark(tensor, name)

    def _mark(self, tensor: torch.Tensor, name: str) -> None:
        self._from[id(tensor)] = name
        self._alive.append(tensor)

    def _function(self, name: str, args: Any, kwargs: Mapping[str, Any], result: Any) -> None:
        results = _tensors(result)
        sources = list(dict.fromkeys(self._from[id(t)] for t in _tensors((args, kwargs)) if id(t) in self._from))
        if not sources or not results or name in _IGNORED:
            return
        over_time = name in _OVER_TIME and (args[1:2] == (0,) or kwargs.get("dim") == 0)
        if over_time and isinstance(self._known.get(sources[0]), Integrator):
            raise UnsupportedError(
                f"The membranes of '{sources[0]}' are added up over time; the answer of ours are those after the last "
                "step. Give the last ones."
            )
        if name in _SAME or over_time:
            for tensor in results:
                self._mark(tensor, sources[0])
            return
        if name.strip("_") in ("add", "iadd", "radd") and len(sources) == 1 and _adds_nothing(args):
            self._mark(results[0], sources[0])
            return
        for source in sources:
            if source in self._unbuilt:
                raise self._unbuilt[source]
        operation = _operation(name, args, kwargs, sources)
        node = self._node_of(name, operation, sources)
        self._mark(results[0], node)

    def _node_of(self, name: str, operation: Operation, sources: list[str]) -> str:
        """The node of a function; the same again where the loop over time comes by once more."""
        node = f"{name.strip('_')}({', '.join(sources)})"
        if node not in self.nodes:
            self.nodes[node] = Node(name=node, kind=name.strip("_"), operation=operation)
            for source in sources:
                self.edges[source, node] = None
        return node


def _operation(name: str, args: Any, kwargs: Mapping[str, Any], sources: list[str]) -> Operation:
    """What a function between layers does."""

    def argument(position: int, key: str, default: Any) -> Any:
        value = args[position] if len(args) > position else kwargs.get(key, default)
        return default if value is None else value

    plain = name.strip("_")
    if plain in ("add", "iadd", "radd") and len(sources) == 2:
        return Pass()
    if plain in ("mul", "div", "truediv", "imul", "idiv", "itruediv", "rmul") and len(sources) == 1:
        numbers = [value for value in args if isinstance(value, int | float)]
        if len(numbers) == 1:
            return ChannelAffine(scale=array([numbers[0] if "mul" in plain else 1 / numbers[0]]))
    if plain in ("avg_pool2d", "max_pool2d", "boolean_dispatch", "fn"):
        kernel = argument(1, "kernel_size", 1)
        stride, padding = argument(2, "stride", kernel), argument(3, "padding", 0)
        if plain == "avg_pool2d":
            return Pool(kernel=pair(kernel), stride=pair(stride), padding=pair(padding), average=True)
        return MaxPool(kernel=pair(kernel), stride=pair(stride), padding=pair(padding))
    return Refused(
        text=f"the function '{plain}' between layers is not known.",
        remedy="Use a layer in its place (an nn.Module), or leave it out.",
        shaped=False,
    )


def _adds_nothing(args: Any) -> bool:
    """Whether all but one of the summands are zero: an accumulator at its beginning."""
    zeros = [value for value in args if isinstance(value, int | float) and value == 0]
    tensors = [value for value in args if isinstance(value, torch.Tensor)]
    silent = [tensor for tensor in tensors if not tensor.any()]
    return len(tensors) - len(silent) + (len(args) - len(tensors) - len(zeros)) <= 1


def _tensors(value: Any) -> list[torch.Tensor]:
    """Every tensor in nested sequences and mappings, in order."""
    match value:
        case torch.Tensor():
            return [value]
        case list() | tuple():
            return [tensor for item in value for tensor in _tensors(item)]
        case dict():
            return [tensor for item in value.values() for tensor in _tensors(item)]
        case _:
            return []
