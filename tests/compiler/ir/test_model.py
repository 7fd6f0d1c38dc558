"""The sealed model: the same bytes, the same hash, and no other contents under it."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnc.compiler.errors import BuildError, UnsupportedError
from snnc.compiler.formats.random_network import RandomNetwork, random_graph
from snnc.compiler.formats.student import student_graph
from snnc.compiler.ir import (
    Convolution,
    Encoding,
    Exit,
    IntegrateAndFire,
    Pooling,
    Projection,
    Readout,
    Reset,
    format_graph,
    verify,
)
from snnc.compiler.ir.model import load_model, model_from_parts, model_hash, model_parts, model_to_bytes
from tests.compiler.networks import checkpoint
from tests.networks import integer_chain
from tests.strategies import integer_networks

GRAPH = random_graph(RandomNetwork(architecture="20-9-4", encoding=Encoding.DIRECT, seed=1))
DATA = model_to_bytes(GRAPH)


def test_there_and_back(tmp_path):
    path = tmp_path / "model.npz"
    path.write_bytes(DATA)
    graph = load_model(path)
    assert model_hash(graph) == model_hash(GRAPH)
    assert model_to_bytes(graph) == DATA
    for ours, theirs in zip(graph.populations, GRAPH.populations, strict=True):
        assert (ours.name, ours.shape, type(ours.neuron)) == (theirs.name, theirs.shape, type(theirs.neuron))
        assert np.array_equal(ours.bias, theirs.bias)
        assert ours.bias.dtype == np.int64
    assert np.array_equal(graph.projections[0].weight, GRAPH.projections[0].weight)


def test_the_hash_is_the_same_forever():
    """Another value here means that builds of before can no longer be told from edited ones."""
    graph = integer_chain([[[1, -2]], [[3]]], [[4]], [[5], [-6]])
    assert model_hash(graph) == "95ca0af3078ffa88d5813ca850768509f69ebced61199e3025cef5224d87cbdb"


@pytest.mark.parametrize(
    "other",
    [
        integer_chain([[[1, -2]], [[3]]], [[4]], [[5], [-7]]),
        integer_chain([[[1, -2]], [[3]]], [[5]], [[5], [-6]]),
        integer_chain([[[1, 2]], [[3]]], [[4]], [[5], [-6]]),
        integer_chain([[[1, -2]], [[3]]], [[4]], [[5], [-6]], reset=Reset.HARD),
        integer_chain([[[1, -2]], [[3]]], [[4]], [[5], [-6]], time_steps=4),
        integer_chain([[[1, -2]], [[3]]], [[4]], [[5], [-6]], bits=5),
        integer_chain([[[1, -2]], [[3]]], [[4]], [[5], [-6]], shift=1),
        integer_chain([[[1, -2]], [[3]]], [[4]], [[5], [-6]], encoding=Encoding.RATE),
    ],
)
def test_everything_counts(other):
    assert model_hash(other) != model_hash(integer_chain([[[1, -2]], [[3]]], [[4]], [[5], [-6]]))


def test_an_exit_counts_and_is_of_a_later_version(tmp_path):
    graphs = [
        dataclasses.replace(GRAPH, exit=sealed)
        for sealed in (None, Exit(margin=3, steps=(1,)), Exit(margin=4, steps=(1,)), Exit(margin=3, steps=(1, 2)))
    ]
    assert len({model_hash(graph) for graph in graphs}) == len(graphs)
    path = tmp_path / "model.npz"
    path.write_bytes(model_to_bytes(graphs[3]))
    assert load_model(path).exit == graphs[3].exit
    versions = [header_of(graph)["semantics_version"] for graph in graphs]
    assert versions == [1, 2, 2, 2]


def test_an_amount_that_is_subtracted_is_of_the_later_version(tmp_path):
    hidden = GRAPH.layers[0]
    assert isinstance(hidden.neuron, IntegrateAndFire)
    neuron = dataclasses.replace(hidden.neuron, subtracted=np.full(hidden.channels, 3))
    other = dataclasses.replace(hidden, neuron=neuron)
    graph = dataclasses.replace(
        GRAPH, populations=tuple(other if layer is hidden else layer for layer in GRAPH.populations)
    )
    assert header_of(graph)["semantics_version"] == 2
    path = tmp_path / "model.npz"
    path.write_bytes(model_to_bytes(graph))
    again = load_model(path).layers[0].neuron
    assert isinstance(again, IntegrateAndFire)
    assert np.array_equal(np.array(again.subtracted), np.full(hidden.channels, 3))


def test_a_readout_that_leaks_is_of_the_later_version(tmp_path):
    graph = leaky(GRAPH, 3)
    assert header_of(graph)["semantics_version"] == 2
    assert len({model_hash(leaky(GRAPH, shift)) for shift in (None, 0, 3)}) == 3
    assert model_hash(leaky(GRAPH, None)) == model_hash(GRAPH)
    path = tmp_path / "model.npz"
    path.write_bytes(model_to_bytes(graph))
    assert load_model(path).readout.neuron == Readout(leak_shift=3)
    for shift in (-1, 1.5, None):
        header = {**model_parts(graph)[0]}
        header["populations"] = [
            {**item, "neuron": {"kind": "leaky readout", "leak_shift": shift}} if item["name"] == "readout" else item
            for item in header["populations"]
        ]
        with pytest.raises(BuildError):
            model_from_parts(header, model_parts(graph)[1])


def leaky(graph, shift):
    readout = dataclasses.replace(graph.readout, neuron=Readout(leak_shift=shift))
    return dataclasses.replace(graph, populations=(*graph.populations[:-1], readout))


def header_of(graph):
    with zipfile.ZipFile(io.BytesIO(model_to_bytes(graph))) as archive:
        return json.loads(np.lib.format.read_array(archive.open("header.npy")).tobytes())


@settings(max_examples=100)
@given(graph=integer_networks())
def test_every_kind_of_network_there_and_back(graph, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "any.npz"
    path.write_bytes(model_to_bytes(graph))
    again = load_model(path)
    assert format_graph(again) == format_graph(graph)
    assert len(again.projections) == len(graph.projections)
    for ours, theirs in zip(again.projections, graph.projections, strict=True):
        assert type(ours) is type(theirs)
        for field in dataclasses.fields(theirs):
            assert np.array_equal(getattr(ours, field.name), getattr(theirs, field.name)), field.name
    for before, after in zip(graph.layers, again.layers, strict=True):
        if isinstance(before.neuron, IntegrateAndFire):
            assert isinstance(after.neuron, IntegrateAndFire)
            assert after.neuron.leak_shift == before.neuron.leak_shift
            assert np.array_equal(np.array(after.neuron.floor), np.array(before.neuron.floor))
    assert model_hash(again) == model_hash(graph)


def test_every_setting_of_a_projection_counts():
    """Of the hash: two networks that differ in any of them are two networks."""
    weight = np.ones((4, 2, 3, 3), np.int64)
    plain = Convolution(source="input", target="hidden0", weight=weight, padding=(1, 1), bits=4)
    pooling = Pooling(source="input", target="hidden0", weight=np.ones(4, np.int64), kernel=(2, 1), stride=(1, 1))
    changes = [
        *({}, {"stride": (2, 1)}, {"padding": (1, 2)}, {"dilation": (2, 1)}, {"groups": 2}, {"pool": 2}),
        *({"bits": 3}, {"shift": 1}, {"delay": 1}),
    ]
    others = [{}, {"kernel": (1, 2)}, {"stride": (1, 2)}, {"shift": 1}, {"delay": 1}]
    convolutions = [dataclasses.replace(plain, **fields) for fields in changes]  # type: ignore[arg-type]
    poolings = [dataclasses.replace(pooling, **fields) for fields in others]  # type: ignore[arg-type]
    base = integer_chain([[[1, -2]], [[3]]], [[4]])
    firsts: list[Projection] = [*convolutions, *poolings]
    graphs = [dataclasses.replace(base, projections=(first, base.projections[1])) for first in firsts]
    assert len({model_hash(graph) for graph in graphs}) == len(graphs)


def test_only_integer_networks_are_sealed():
    with pytest.raises(ValueError, match="IMPORTED"):
        model_hash(student_graph(checkpoint()))


@given(position=st.integers(0, len(DATA) - 1), bit=st.integers(0, 7))
def test_a_changed_file_is_refused(position, bit, tmp_path_factory):
    """Or it is a byte of the archive that means nothing, and the network is the same."""
    path = tmp_path_factory.getbasetemp() / "flipped.npz"
    damaged = bytearray(DATA)
    damaged[position] ^= 1 << bit
    path.write_bytes(damaged)
    with contextlib.suppress(BuildError):
        assert model_hash(load_model(path)) == model_hash(GRAPH)


def test_every_truncation_is_refused(tmp_path):
    path = tmp_path / "model.npz"
    for length in range(0, len(DATA), 61):
        path.write_bytes(DATA[:length])
        with pytest.raises(BuildError):
            load_model(path)
    with pytest.raises(BuildError, match="no model"):
        load_model(tmp_path / "absent.npz")


def rewritten(change) -> bytes:
    """The model with its header and arrays changed by `change`, well formed otherwise."""
    with np.load(io.BytesIO(DATA)) as file:
        arrays = {name: file[name] for name in file.files}
    header = json.loads(arrays["header"].tobytes())
    change(header, arrays)
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    target = io.BytesIO()
    np.savez(target, **arrays)
    return target.getvalue()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda header, arrays: arrays.update({"hidden0.bias": arrays["hidden0.bias"] + 1}), "was changed"),
        (lambda header, arrays: header.update(name="other"), "was changed"),
        (lambda header, arrays: header.update(hash="0" * 64), "was changed"),
        (lambda header, arrays: header.update(semantics_version=2), "semantics_version 2"),
        (lambda header, arrays: header.update(model_version=7), "model_version 7"),
        (lambda header, arrays: header.pop("hash"), "damaged"),
        (lambda header, arrays: arrays.update({"hidden0.bias": np.array([object()])}), "damaged"),
        (lambda header, arrays: arrays.update({"hidden0.bias": np.zeros(9)}), "damaged"),
    ],
)
def test_an_edited_model_is_refused(change, named, tmp_path):
    path = tmp_path / "model.npz"
    path.write_bytes(rewritten(change))
    with pytest.raises(BuildError, match=named):
        load_model(path)


def test_a_bomb_is_refused(tmp_path):
    path = tmp_path / "model.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.npy", bytes(10_000_000))
    with pytest.raises(BuildError, match="damaged"):
        load_model(path)


def test_a_network_for_streams_says_so(tmp_path):
    graph = dataclasses.replace(integer_chain([[[1, -2]], [[3], [1]]], [[4]], [[5], [-6, 0]]), stream=True)
    path = tmp_path / "model.npz"
    path.write_bytes(model_to_bytes(graph))
    assert load_model(path).stream
    assert model_hash(graph) != model_hash(dataclasses.replace(graph, stream=False))
    with pytest.raises(UnsupportedError, match="has an early exit, which ends samples"):
        verify(dataclasses.replace(graph, exit=Exit(margin=1, steps=(1,))))
