"""The student checkpoint: every field is used, every fault is named."""

from __future__ import annotations

import numpy as np
import pytest

from snnc.compiler.errors import CheckpointError, UnsupportedError
from snnc.compiler.frontend import import_network
from snnc.compiler.frontend.student import student_graph
from snnc.compiler.ir import Dense, Encoding, Initial, IntegrateAndFire, Level, Readout, Reset, verify
from tests.compiler.networks import changed, checkpoint


def test_a_sound_checkpoint():
    plain = checkpoint()
    graph = student_graph(plain)
    verify(graph)
    assert (graph.level, graph.name, graph.time_steps, graph.classes) == (Level.IMPORTED, "tiny", 4, ("a", "b", "c"))
    assert (graph.source.encoding, graph.source.bits, graph.input.shape) == (Encoding.DIRECT, 4, (1, 3, 4))
    hidden, readout = graph.layers
    assert isinstance(hidden.neuron, IntegrateAndFire)
    assert (hidden.neuron.reset, hidden.neuron.initial) == (Reset.SOFT, Initial.HALF)
    assert isinstance(readout.neuron, Readout)
    first, second = graph.projections
    assert isinstance(first, Dense)
    assert (first.source, first.target, first.bits, first.shift, second.shift) == ("input", "hidden0", 4, 1, 0)
    assert np.array_equal(first.weight, plain["state"]["hidden0.weight"].astype(np.float64))
    assert hidden.norm is not None
    assert np.array_equal(hidden.norm.mean, plain["state"]["hidden0.norm.mean"].astype(np.float64))
    assert hidden.norm.epsilon == float(np.float32(1e-5))


def test_what_may_be_absent():
    for path in ("classes", "state/hidden0.bias", "config", "metrics"):
        assert student_graph(changed(checkpoint(), path, ...)).level is Level.IMPORTED
    graph = student_graph(checkpoint(steps=False, norm=False))
    assert graph.layers[0].norm is None
    first = graph.projections[0]
    assert isinstance(first, Dense)
    assert first.step is None
    assert student_graph(changed(checkpoint(), "unknown", 1)).name == "tiny"


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("version", ..., "'version'"),
        ("version", "1", "'version'"),
        ("name", 3, "'name'"),
        ("name", ..., "'name'"),
        ("name", 'x"""; import os #', "letters, digits"),
        ("name", "two\nlines", "letters, digits"),
        ("name", "x" * 101, "1 to 100"),
        ("time_steps", 0, "'time_steps'"),
        ("time_steps", True, "'time_steps'"),
        ("time_steps", 2**40, "'time_steps'"),
        ("input", [], "'input'"),
        ("input/shape", [12], "shape"),
        ("input/shape", [1, 3, 5], "12 inputs"),
        ("input/bits", 9, "'bits'"),
        ("input/encoding", "events", "1 bit"),
        ("layers", [], "no layers"),
        ("layers", {}, "'layers'"),
        ("layers/0", None, "Layer 0 must be a dict"),
        ("layers/0/name", "readout", "same name"),
        ("layers/0/name", "a b", "'a b"),
        ("layers/0/in_features", 13, "13 inputs"),
        ("layers/0/out_features", 10**9, "'out_features'"),
        ("layers/0/weight_bits", 1, "'weight_bits'"),
        ("layers/0/weight_bits", ..., "'weight_bits'"),
        ("layers/0/neuron/kind", "readout", "not the last"),
        ("layers/1/neuron", {"kind": "if", "reset": "soft", "initial": "zero"}, "the last one"),
        ("classes", ["a"], "classes"),
        ("state", [], "'state'"),
        ("state/hidden0.weight", ..., "'hidden0.0.weight' is missing"),
        ("state/hidden0.step", ..., "'hidden0.step' is missing"),
        ("state/hidden0.threshold", ..., "'hidden0.threshold' is missing"),
        ("state/hidden0.weight", np.zeros((6, 11)), "[6, 11]"),
        ("state/hidden0.weight", np.zeros((6, 12), np.int64), "int64"),
        ("state/hidden0.weight", [[0.0]], "must be a tensor"),
        ("state/hidden0.weight", np.full((6, 12), np.nan), "72 values that are NaN"),
        ("state/readout.bias", np.array([1.0, np.inf, 0.0]), "'readout.bias' has 1 values"),
        ("state/hidden0.threshold", np.zeros(6), "positive"),
        ("state/hidden0.step", -np.ones(6), "positive"),
        ("state/hidden0.norm.mean", ..., "lacks mean"),
        ("state/hidden0.norm.variance", -np.ones(6), "variance"),
        ("state/hidden0.norm.epsilon", ..., "'hidden0.norm.epsilon' is missing"),
        ("state/hidden1.weight", np.zeros(3), "'hidden1.weight' belongs to no layer"),
        ("state/readout.threshold", np.ones(3), "'readout.threshold'"),
    ],
)
def test_a_wrong_checkpoint_is_named(path, value, named):
    with pytest.raises(CheckpointError) as caught:
        verify(student_graph(changed(checkpoint(), path, value)))
    assert named in str(caught.value)


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("version", 3, "version 3"),
        ("input/encoding", "latency", "'latency'"),
        ("layers/0/kind", "conv2d", "'conv2d'"),
        ("layers/0/stride", 2, "'stride'"),
        ("layers/0/neuron/kind", "lif", "'lif'"),
        ("layers/0/neuron/leak", 3, "'leak'"),
        ("layers/0/neuron/reset", "none", "'none'"),
        ("layers/0/neuron/initial", "random", "'random'"),
        ("layers/1/fraction_bits", 2, "fraction bits"),
    ],
)
def test_what_is_not_built_is_named(path, value, named):
    with pytest.raises(UnsupportedError) as caught:
        student_graph(changed(checkpoint(), path, value))
    assert named in str(caught.value)


def test_a_readout_without_batch_norm():
    plain = checkpoint()
    for key in ("gain", "offset", "mean", "variance"):
        plain["state"][f"readout.norm.{key}"] = np.ones(3, np.float32)
    plain["state"]["readout.norm.epsilon"] = np.ones(1, np.float32)
    with pytest.raises(UnsupportedError, match="'readout' is a readout with a batch norm"):
        student_graph(plain)


def test_a_hostile_value_is_not_printed():
    """A list that holds itself a thousandfold must not be turned into text."""
    nested: list = []
    for _ in range(60):
        nested = [nested, nested]
    with pytest.raises(CheckpointError, match="not a list"):
        student_graph(changed(checkpoint(), "name", nested))


def test_files_are_told_by_their_name(tmp_path):
    torch = pytest.importorskip("torch")
    path = tmp_path / "student.pt"
    plain = checkpoint()
    torch.save(plain | {"state": {key: torch.from_numpy(value) for key, value in plain["state"].items()}}, path)
    assert import_network(path).name == "tiny"
    torch.save({"weight": torch.zeros(3)}, path)
    with pytest.raises(CheckpointError, match="no student checkpoint"):
        import_network(path)
    with pytest.raises(UnsupportedError, match="no known format"):
        import_network(tmp_path / "student.onnx")
