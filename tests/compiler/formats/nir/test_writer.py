"""Our networks as ``.nir`` files: read back hash for hash, and by their nodes alone the same network."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

import snnc
from snnc.compiler.cli import run
from snnc.compiler.errors import BuildError, UnsupportedError
from snnc.compiler.formats.foreign.assumptions import Assumptions, ResetKind
from snnc.compiler.formats.nir.hdf5 import OWN, read_tree
from snnc.compiler.formats.nir.reader import nir_network, read_nir
from snnc.compiler.formats.nir.writer import write_nir
from snnc.compiler.ir import Comparison, Graph, Initial, IntegrateAndFire
from snnc.compiler.ir.model import model_hash
from snnc.compiler.pipeline import integer_network
from snnc.sim.models import golden
from tests.foreign import simulate
from tests.networks import random_chain
from tests.strategies import integer_networks

nir = pytest.importorskip("nir")
h5py = pytest.importorskip("h5py")


@settings(max_examples=60, deadline=None)
@given(graph=integer_networks())
def test_any_network_reads_back(graph: Graph, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("nir") / "net.nir"
    file.write_bytes(write_nir(graph))
    assert model_hash(read_nir(file, Assumptions())) == model_hash(graph)


def test_every_shipped_student_reads_back(repository: Path, tmp_path: Path) -> None:
    students = sorted((repository / "examples" / "students").glob("*.pt"))
    assert len(students) > 8
    for path in students:
        out = tmp_path / f"{path.stem}.nir"
        assert run(["export", str(path), str(out)]) == 0
        assert snnc.load(out).hash == model_hash(integer_network(path))
        # The package itself takes it, types and shapes checked.
        nodes = nir.read(out).nodes
        kinds = {type(node).__name__ for node in nodes.values()}
        assert kinds >= {"Input", "Output", "I", "Affine"}
        assert kinds & {"IF", "LIF"}
    assert run(["check", str(out)]) == 0


def test_the_nodes_alone_say_the_network(tmp_path: Path) -> None:
    """Without our metadata, evaluated node by node in floats."""
    graph = random_chain((6, 9, 8, 3), time_steps=7)
    neurons = [layer.neuron for layer in graph.layers[:-1]]
    assert all(isinstance(neuron, IntegrateAndFire) and neuron.leak_shift is None for neuron in neurons)
    zero = tuple(
        dataclasses.replace(layer, neuron=dataclasses.replace(layer.neuron, initial=Initial.ZERO))
        if isinstance(layer.neuron, IntegrateAndFire)
        else layer
        for layer in graph.populations
    )
    graph = dataclasses.replace(graph, populations=zero)
    tree = read_tree(_saved(graph, tmp_path))
    assert isinstance(graph.layers[0].neuron, IntegrateAndFire)
    reset = ResetKind(graph.layers[0].neuron.reset.value)
    options = Assumptions(dt=1.0, comparison=Comparison.AT_LEAST, reset=reset, time_steps=7)
    network = nir_network({key: value for key, value in tree.items() if key != OWN}, "net", options)
    spikes = np.random.default_rng(0).integers(0, 2, (7, 20, 6)) > 0
    order = ["input"]
    while len(order) < len(network.nodes):
        order += [target for source, target in network.edges if source == order[-1]]
    found, expected = simulate(network, order, spikes), golden.run(graph, spikes, time_steps=7)
    for layer in graph.layers[:-1]:
        assert np.array_equal(found[layer.name] > 0, expected.populations[layer.name].spikes)
        assert expected.populations[layer.name].spikes.any()
    assert np.array_equal(found["output"][-1], expected.logits)


def _saved(graph: Graph, folder: Path) -> Path:
    file = folder / "net.nir"
    file.write_bytes(write_nir(graph))
    return file


def _weight(file: Any) -> None:
    file["node/nodes/readout__0/weight"][0, 0] += 1


def _bias(file: Any) -> None:
    file["node/nodes/readout__0/bias"][0] += 0.5


def _missing(file: Any) -> None:
    del file["node/nodes/readout__0"]


def _header(file: Any) -> None:
    _text(file, "{")


def _nested(file: Any) -> None:
    _text(file, "[" * 100_000)


def _version(file: Any) -> None:
    header = json.loads(file["node/metadata/snnc.model"][()])
    _text(file, json.dumps(header | {"semantics_version": 9}))


def _negative(file: Any) -> None:
    header = json.loads(file["node/metadata/snnc.model"][()])
    header["projections"][0]["shift"] = -1
    _text(file, json.dumps(header))


def _text(file: Any, text: str) -> None:
    del file["node/metadata/snnc.model"]
    file["node/metadata"].create_dataset("snnc.model", data=text, dtype=h5py.string_dtype())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_weight, "was changed"),
        (_bias, "does not fit its nodes"),
        (_missing, "does not fit its nodes"),
        (_header, "does not fit its nodes"),
        (_nested, "does not fit its nodes"),
        (_version, "semantics_version 9"),
        (_negative, "was changed|does not fit"),
    ],
)
def test_a_file_that_was_changed(
    change: Callable[[Any], None], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _saved(random_chain((6, 5, 3)), tmp_path)
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(BuildError, match=says):
        snnc.load(path)
    assert run(["check", str(path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_names_that_would_meet_are_refused() -> None:
    graph = random_chain((6, 5, 3))
    layer = graph.layers[0]
    renamed = dataclasses.replace(
        graph,
        populations=(graph.input, dataclasses.replace(layer, name="output"), graph.readout),
        projections=(
            dataclasses.replace(graph.projections[0], target="output"),
            dataclasses.replace(graph.projections[1], source="output"),
        ),
    )
    with pytest.raises(UnsupportedError, match="'output' would name two nodes"):
        write_nir(renamed)


def test_the_file_is_one_of_the_package() -> None:
    assert nir.read(io.BytesIO(write_nir(random_chain((6, 5, 3))))).metadata["snnc.comparison"] in (">=", b">=")
