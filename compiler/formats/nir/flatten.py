"""Graphs within graphs become one list of nodes and edges; nodes are named by their way, ``encoder.lif1``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from snnc.compiler.errors import CheckpointError
from snnc.compiler.formats.nir.hdf5 import Tree

__all__ = ["Entry", "flattened"]

GRAPH = "NIRGraph"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A node as the file has it.

    Attributes
    ----------
    name, kind
        Its way from the outermost graph, and its ``type``.
    fields
        Its datasets.
    inner
        It stands in a nested graph, whose inputs and outputs are doors and no input or output of the network.
    """

    name: str
    kind: str
    fields: Tree
    inner: bool


def flattened(tree: Tree) -> tuple[tuple[Entry, ...], tuple[tuple[str, str], ...]]:
    """Every node that is no graph, and every edge, of which those that led to a graph lead to its input.

    Raises
    ------
    CheckpointError
        Nodes or edges are not what they must be.
    """
    if _kind(tree, "the file") != GRAPH:
        raise CheckpointError(f"The file holds a node of the type '{_kind(tree, 'the file')[:40]}', expected {GRAPH}.")
    entries, edges = [], list[tuple[str, str]]()
    for entry, inner_edges in _walk(tree, ""):
        if entry is not None:
            entries.append(entry)
        edges += inner_edges
    return tuple(entries), tuple(edges)


def _walk(tree: Tree, prefix: str) -> Iterator[tuple[Entry | None, list[tuple[str, str]]]]:
    where = f"the graph '{prefix.rstrip('.')}'" if prefix else "the graph"
    nodes, edges = tree.get("nodes"), tree.get("edges")
    if not isinstance(nodes, Mapping):
        raise CheckpointError(f"{where[0].upper()}{where[1:]} has no group 'nodes'.")
    if not isinstance(edges, tuple):
        raise CheckpointError(f"{where[0].upper()}{where[1:]} has no list of edges, pairs of names.")
    doors: dict[str, tuple[str, str]] = {}
    for name, node in nodes.items():
        if not isinstance(node, Mapping):
            raise CheckpointError(f"The node '{name[:80]}' of {where} is no group.")
        kind = _kind(node, f"the node '{name[:80]}'")
        if kind == GRAPH:
            doors[name] = _door(node, name, "Input"), _door(node, name, "Output")
            yield from _walk(node, f"{prefix}{name}.")
        else:
            yield Entry(name=f"{prefix}{name}", kind=kind, fields=node, inner=bool(prefix)), []
    found = []
    for source, target in edges:
        start, end = _end(source, nodes, doors, 1), _end(target, nodes, doors, 0)
        found.append((f"{prefix}{start}", f"{prefix}{end}"))
    yield None, found


def _end(name: str, nodes: Tree, doors: Mapping[str, tuple[str, str]], door: int) -> str:
    """The node that an edge means: of a graph its door; ``graph.node`` is the node within."""
    if name in doors:
        return f"{name}.{doors[name][door]}"
    return name


def _door(graph: Tree, name: str, kind: str) -> str:
    nodes = graph.get("nodes")
    found = [
        inner
        for inner, node in (nodes.items() if isinstance(nodes, Mapping) else ())
        if isinstance(node, Mapping) and node.get("type") == kind
    ]
    if len(found) != 1:
        raise CheckpointError(
            f"The graph '{name[:80]}' has {len(found) or 'no'} nodes of the type {kind}; one is read."
        )
    return found[0]


def _kind(node: Tree, where: str) -> str:
    kind: Any = node.get("type")
    if not isinstance(kind, str):
        raise CheckpointError(f"{where[0].upper()}{where[1:]} has no 'type'.")
    return kind
