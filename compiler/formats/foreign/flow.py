"""How a network made elsewhere hangs together: nodes by their edges, their shapes, the paths between neurons."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from snnc.compiler.errors import CheckpointError
from snnc.compiler.formats.foreign.findings import RefusalError
from snnc.compiler.formats.foreign.nodes import (
    Firing,
    Floats,
    Integrator,
    MaxPool,
    Network,
    Node,
    Refused,
    Sink,
    Source,
)
from snnc.compiler.formats.foreign.synapses import (
    Path,
    check_windows,
    constant_after,
    per_channel,
    shape_after,
)
from snnc.compiler.ir import Shape

__all__ = ["Flow", "NodeError"]

_PATHS_LIMIT: Final = 64
"""Into one node: as many as a population may have projections."""


_CHAIN_LIMIT: Final = 128


class NodeError(Exception):
    """A `CheckpointError` or `RefusalError` (its cause) of one node."""

    def __init__(self, node: Node, cause: CheckpointError | RefusalError) -> None:
        super().__init__(node.name)
        self.node, self.cause = node, cause


class Flow:
    """A network whose edges and shapes have been checked.

    Raises
    ------
    CheckpointError
        An edge names no node, or there is not one input and one output.
    NodeError
        A node takes no input of the shape that it gets, or gets none.
    """

    def __init__(self, network: Network) -> None:
        self.nodes: Mapping[str, Node] = {node.name: node for node in network.nodes}
        if len(self.nodes) != len(network.nodes):
            raise CheckpointError("Two nodes have the same name; rename one.")
        self._before: dict[str, list[str]] = defaultdict(list)
        self._after: dict[str, list[str]] = defaultdict(list)
        for source, target in network.edges:
            for end in (source, target):
                if end not in self.nodes:
                    raise CheckpointError(f"An edge names '{end[:80]}', and there is no such node.")
            if source in self._before[target]:
                raise CheckpointError(f"The edge from '{source[:80]}' to '{target[:80]}' is there twice; remove one.")
            self._before[target].append(source)
            self._after[source].append(target)
        self.source = self._only(Source, "input")
        self.sink = self._only(Sink, "output")
        self.shapes: Mapping[str, Shape] = self._shaped()
        self._paths: dict[str, tuple[Path, ...]] = {}
        self._constants: dict[str, Floats] = {}
        self._open: set[str] = set()

    def before(self, node: Node) -> Sequence[Node]:
        return [self.nodes[name] for name in self._before[node.name]]

    def after(self, node: Node) -> Sequence[Node]:
        return [self.nodes[name] for name in self._after[node.name]]

    def heard_shape(self, node: Node) -> Shape:
        """The shape of what reaches a node."""
        return self.shapes[self._before[node.name][0]]

    def into(self, node: Node) -> tuple[tuple[Path, ...], Floats]:
        """What a node hears: paths, and the constant current per channel that comes with them."""
        heard = self.heard_shape(node)
        paths, constant = list[Path](), np.zeros(heard[0])
        for name in self._before[node.name]:
            more, added = self._given(self.nodes[name])
            paths += more
            constant = constant + per_channel(added, heard, "offsets")
            if len(paths) > _PATHS_LIMIT:
                raise NodeError(node, RefusalError(f"more than {_PATHS_LIMIT} ways lead to it."))
        return tuple(paths), constant

    def _given(self, node: Node) -> tuple[tuple[Path, ...], Floats]:
        """What a node gives to those behind it."""
        name, operation = node.name, node.operation
        if isinstance(operation, Source | Firing | MaxPool | Refused):
            shape = self.shapes[name]
            return (Path.begin(name, shape),), np.zeros(shape[0])
        if isinstance(operation, Integrator):
            raise NodeError(
                node, RefusalError("it does not fire, but other nodes hear it.", "Only the output may hear a membrane.")
            )
        if isinstance(operation, Sink):
            raise NodeError(node, CheckpointError("it is the output, but other nodes hear it."))
        if name not in self._paths:
            if name in self._open:
                raise NodeError(
                    node, RefusalError("it lies on a loop without neurons.", "Put firing neurons on the loop.")
                )
            if len(self._open) >= _CHAIN_LIMIT:
                raise NodeError(node, RefusalError(f"more than {_CHAIN_LIMIT} nodes lie in a row without neurons."))
            self._open.add(name)
            paths, constant = self.into(node)
            try:
                self._paths[name] = tuple(path.then(operation) for path in paths)
                self._constants[name] = constant_after(operation, constant, self.heard_shape(node))
            except (CheckpointError, RefusalError) as error:
                raise NodeError(node, error) from None
            self._open.discard(name)
        return self._paths[name], self._constants[name]

    def _only(self, kind: type, what: str) -> Node:
        found = [node for node in self.nodes.values() if isinstance(node.operation, kind)]
        if len(found) != 1:
            names = ", ".join(f"'{node.name[:40]}'" for node in found[:4])
            raise CheckpointError(
                f"The network has {len(found) or 'no'} {what}s{f': {names}' if names else ''}; one is needed."
            )
        return found[0]

    def _shaped(self) -> dict[str, Shape]:
        """The shape of what every node gives, from the input on; nodes that it does not reach are refused."""
        assert isinstance(self.source.operation, Source)
        shapes, waiting = {self.source.name: self.source.operation.shape}, deque([self.source])
        while waiting:
            node = waiting.popleft()
            for target in self.after(node):
                try:
                    shape = _shape_behind(target, shapes[node.name])
                except (CheckpointError, RefusalError) as error:
                    raise NodeError(target, error) from None
                if target.name not in shapes:
                    shapes[target.name] = shape
                    waiting.append(target)
                elif math.prod(shapes[target.name]) != math.prod(shape):
                    raise NodeError(
                        target, CheckpointError(f"it gets {shape} and {shapes[target.name]}; one shape is needed.")
                    )
        for node in self.nodes.values():
            if node.name not in shapes:
                raise NodeError(node, CheckpointError("nothing leads to it from the input."))
        return shapes


def _shape_behind(node: Node, shape: Shape) -> Shape:
    """What a node that gets `shape` gives."""
    match node.operation:
        case Source():
            raise CheckpointError("it is the input, but hears a node.")
        case Refused(shaped=False, text=text, remedy=remedy):
            raise RefusalError(text, remedy)
        case Sink() | Firing() | Integrator() | Refused():
            return shape
        case MaxPool(kernel=kernel, stride=stride, padding=padding):
            check_windows(kernel, stride, padding, shape)
            return shape[0], shape[1] // kernel[0], shape[2] // kernel[1]
        case _ as linear:
            return shape_after(linear, shape)
