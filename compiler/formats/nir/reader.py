"""A ``.nir`` file read into a graph."""

from __future__ import annotations

from pathlib import Path

from snnc.compiler.errors import BuildError, CheckpointError, OptionError
from snnc.compiler.formats.foreign.assumptions import Assumptions
from snnc.compiler.formats.foreign.build import build
from snnc.compiler.formats.foreign.findings import Imported, as_it_is
from snnc.compiler.formats.foreign.nodes import Network, Node
from snnc.compiler.formats.nir.flatten import flattened
from snnc.compiler.formats.nir.hdf5 import OWN, read_tree
from snnc.compiler.formats.nir.meaning import Meaning
from snnc.compiler.formats.nir.writer import graph_of
from snnc.compiler.ir import Graph

__all__ = ["import_nir", "nir_network", "read_nir"]


def read_nir(path: Path, assumptions: Assumptions) -> Graph:
    """The network in the file at `path`, `Level.IMPORTED`.

    Raises
    ------
    CheckpointError
        It is no sound ``.nir`` file.
    UnsupportedError
        A node cannot be said in the integer contract.
    OptionError
        It needs an option that was not given.
    """
    imported = import_nir(path, assumptions)
    try:
        return imported.accepted()
    except CheckpointError as error:
        raise type(error)(f"'{path}': {error}") from None


def import_nir(path: Path, assumptions: Assumptions) -> Imported:
    """The network in the file at `path`, with a finding for each node; one that we wrote is as it was."""
    tree = read_tree(path)
    try:
        if OWN in tree:
            return as_it_is(graph_of(tree[OWN], tree["nodes"]))
        return build(nir_network(tree, path.stem, assumptions), assumptions)
    except (BuildError, CheckpointError, OptionError) as error:
        raise type(error)(f"'{path}': {error}") from None


def nir_network(tree: object, title: str, assumptions: Assumptions) -> Network:
    """The tree of a file (`read_tree`) in the words of `snnc.compiler.formats.foreign.nodes`."""
    assert isinstance(tree, dict)
    entries, edges = flattened(tree)
    meaning = Meaning(assumptions)
    nodes = tuple(Node(name=entry.name, kind=entry.kind, operation=meaning.of(entry)) for entry in entries)
    return Network(title=title, nodes=nodes, edges=edges, assumed=tuple(meaning.assumed.values()))
