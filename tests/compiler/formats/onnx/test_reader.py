"""``.onnx`` files: our own read back hash for hash, ANNs as the start of a conversion, hostile ones in one sentence."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

import snnc
from snnc.compiler.cli import run
from snnc.compiler.errors import SnncError
from snnc.compiler.formats.foreign.assumptions import Assumptions
from snnc.compiler.formats.onnx.reader import import_onnx
from snnc.compiler.formats.onnx.thresholds import relu_thresholds
from snnc.compiler.formats.onnx.writer import write_onnx
from snnc.compiler.ir import Encoding, Graph
from snnc.compiler.ir.model import model_hash
from tests.networks import random_chain
from tests.strategies import integer_networks

onnx = pytest.importorskip("onnx")
helper = onnx.helper

TYPES = onnx.TensorProto


@settings(max_examples=40, deadline=None)
@given(graph=integer_networks(exits=False))
def test_our_own_reads_back(graph: Graph, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("onnx") / "net.onnx"
    file.write_bytes(write_onnx(graph))
    assert model_hash(import_onnx(file, Assumptions()).accepted()) == model_hash(graph)


def ann(*, clip: float | None = 2.0, features: int = 8, pads: Sequence[int] = (1, 1, 1, 1)) -> Any:
    """A convolution, its batch norm, an average pooling, and two dense layers; with ReLU where `clip` is None."""
    g = np.random.default_rng(0)

    def stored(name: str, *shape: int, scale: float = 0.4, positive: bool = False) -> Any:
        values = g.normal(size=shape) * scale
        return onnx.numpy_helper.from_array((np.abs(values) + 0.1 if positive else values).astype(np.float32), name)

    def rectified(source: str, target: str) -> Any:
        if clip is None:
            return helper.make_node("Relu", [source], [target])
        return helper.make_node("Clip", [source, "low", "high"], [target])

    nodes = [
        helper.make_node("Conv", ["x", "w0", "b0"], ["c"], kernel_shape=[3, 3], pads=pads, name="conv"),
        helper.make_node("BatchNormalization", ["c", "s", "o", "m", "v"], ["n"], name="norm"),
        rectified("n", "r"),
        helper.make_node("AveragePool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "w1", "b1"], ["d"], transB=1),
        rectified("d", "e"),
        helper.make_node("MatMul", ["e", "w2"], ["y0"]),
        helper.make_node("Add", ["y0", "b2"], ["y"]),
    ]
    stores = [
        *(stored("w0", 4, 1, 3, 3), stored("b0", 4), stored("s", 4, positive=True), stored("o", 4)),
        *(stored("m", 4), stored("v", 4, positive=True), stored("w1", features, 64), stored("b1", features)),
        *(stored("w2", features, 3), stored("b2", 3)),
        onnx.numpy_helper.from_array(np.float32(0), "low"),
        onnx.numpy_helper.from_array(np.float32(clip or 1), "high"),
    ]
    graph = helper.make_graph(
        nodes,
        "ann",
        [helper.make_tensor_value_info("x", TYPES.FLOAT, ["N", 1, 8, 8])],
        [helper.make_tensor_value_info("y", TYPES.FLOAT, ["N", 3])],
        stores,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("pads", [(1, 1, 1, 1), (0, 0, 2, 2), (2, 1, 0, 1)])
def test_an_ann_is_approached_as_the_steps_grow(pads: Sequence[int], tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    file = tmp_path / "ann.onnx"
    file.write_bytes(ann(pads=pads).SerializeToString())
    images = np.random.default_rng(1).integers(0, 256, (200, 1, 8, 8), dtype=np.uint8)
    session = onnxruntime.InferenceSession(ann(pads=pads).SerializeToString())
    (expected,) = session.run(None, {"x": images.astype(np.float32) / 255})
    errors = []
    for steps in (2, 64):
        network = snnc.load(file, encoding="direct", time_steps=steps)
        verdicts = [finding.verdict.value for finding in network.findings]
        assert (verdicts.count("refitted"), verdicts.count("refused")) == (2, 0)
        found = network.run(images).logits / steps
        # Logits have one scale, that of the readout's quantiser.
        scale = (found * expected).sum() / (found**2).sum()
        errors.append(float(np.abs(scale * found - expected).mean() / np.abs(expected).mean()))
    assert errors[1] < 0.1 < errors[0] * 2
    assert errors[1] < errors[0] / 4


@pytest.mark.parametrize("exact", [False, True])
def test_check_names_what_is_missing(exact: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "ann.onnx"
    file.write_bytes(ann(clip=2.0 if exact else None).SerializeToString())
    assert run(["check", str(file), *(["--exact"] if exact else [])]) == 2
    said = capsys.readouterr().out
    assert ("mean over time" if exact else "its largest value is not stated") in said


def _model(change: Callable[[Any], None], *, clip: float | None = 2.0) -> bytes:
    model = ann(clip=clip)
    change(model)
    data: bytes = model.SerializeToString()
    return data


def _external(model: Any) -> None:
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TYPES.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../../etc/passwd"


def _many(model: Any) -> None:
    model.graph.initializer[0].dims[:] = [10**3, 10**3, 10**3, 1]


def _lying(model: Any) -> None:
    model.graph.initializer[0].dims[:] = [4, 1, 3, 4]


def _negative(model: Any) -> None:
    model.graph.initializer[0].dims[:] = [-4, 1, 3, 3]


def _nan(model: Any) -> None:
    values = onnx.numpy_helper.from_array(np.full((4,), np.nan, np.float32), "b0")
    model.graph.initializer[1].CopyFrom(values)


def _signalling(model: Any) -> None:
    bits = np.array([0x7F800001] * 4, np.uint32)
    model.graph.initializer[1].CopyFrom(onnx.numpy_helper.from_array(bits.view(np.float32), "b0"))


def _text(model: Any) -> None:
    model.graph.initializer[1].CopyFrom(helper.make_tensor("b0", TYPES.STRING, [1], [b"x"]))


def _loop(model: Any) -> None:
    model.graph.node[0].input[0] = "y"


def _nothing(model: Any) -> None:
    model.graph.output[0].name = "z"


def _sizes(model: Any) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "H"


def _inputs(model: Any) -> None:
    model.graph.input.add().CopyFrom(helper.make_tensor_value_info("z", TYPES.FLOAT, ["N", 3]))


def _pads(model: Any) -> None:
    model.graph.node[0].attribute[1].ints[:] = [0, 1]


def _uneven(model: Any) -> None:
    model.graph.node[0].attribute[1].ints[:] = [0, 0, 1, 1]
    model.graph.node[0].attribute.append(helper.make_attribute("dilations", [2, 2]))


def _wide(model: Any) -> None:
    model.graph.node[0].attribute[1].ints[:] = [0, 0, 0, 257]


def _huge(model: Any) -> None:
    model.graph.node[0].attribute[1].ints[:] = [0, 0, 256, 256]
    large = onnx.numpy_helper.from_array(np.zeros((400, 3, 3, 3), np.float32), "w0")
    next(item for item in model.graph.initializer if item.name == "w0").CopyFrom(large)


def _unknown(model: Any) -> None:
    model.graph.node[2].op_type = "Softplus"


def _subgraph(model: Any) -> None:
    model.graph.node[0].attribute.add().CopyFrom(helper.make_attribute("body", model.graph))


def _computed(model: Any) -> None:
    model.graph.node[5].input[1] = "c"


def _variance(model: Any) -> None:
    values = onnx.numpy_helper.from_array(np.full((4,), -1, np.float32), "v")
    model.graph.initializer[5].CopyFrom(values)


def _features(model: Any) -> None:
    model.graph.initializer[6].CopyFrom(onnx.numpy_helper.from_array(np.ones((8, 63), np.float32), "w1"))


WRONG: dict[str, tuple[Callable[[Any], None], str]] = {
    "data outside": (_external, "'w0' lies in another file"),
    "10^9 weights": (_many, "announces more than 67,108,864 values"),
    "a shape that lies": (_lying, "'w0' does not hold the 48 values of its shape"),
    "a negative size": (_negative, r"'w0' has the shape \[-4"),
    "NaN": (_nan, "'b0' has values that are NaN"),
    "a NaN that signals": (_signalling, "'b0' has values that are NaN"),
    "texts": (_text, "'b0' is of the type STRING"),
    "a loop": (_loop, "'conv' hears nothing that comes from the input"),
    "an output that none gives": (_nothing, "No node gives its output 'z'"),
    "sizes that are not fixed": (_sizes, "three fixed sizes"),
    "two inputs": (_inputs, "2 inputs and 1 outputs"),
    "two pads": (_pads, "'pads' of Conv 'conv'"),
    "uneven pads, dilated": (_uneven, "and dilated; as much on both sides is built"),
    "too many pads": (_wide, "four sizes of at most 256"),
    "a kernel that grows": (_huge, "more than 67,108,864 weights with its zeros"),
    "an unknown node": (_unknown, "not read; known are Add"),
    "a graph within": (_subgraph, "an attribute of the type 'GRAPH'"),
    "computed weights": (_computed, "which is no constant"),
    "a negative variance": (_variance, "variance below 0"),
    "another size": (_features, "63 inputs"),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_one_sentence(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change, says = WRONG[name]
    file = tmp_path / "wrong.onnx"
    file.write_bytes(_model(change))
    with pytest.raises(SnncError, match=says):
        snnc.load(file)
    assert run(["compile", str(file), "-o", str(tmp_path / "b")]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert run(["check", str(file)]) == 2
    file.write_bytes(_model(change, clip=None))
    find = functools.partial(relu_thresholds, images=np.full((60, 1, 8, 8), 255, np.uint8), steps=4)
    with pytest.raises(SnncError, match=says) as caught:
        import_onnx(file, Assumptions(encoding=Encoding.DIRECT), find).accepted()
    assert "\n" not in str(caught.value)


def _tampered(model: Any) -> None:
    next(item for item in model.graph.initializer if item.name.endswith(".weight")).raw_data = bytes(30)


def _headless(model: Any) -> None:
    model.metadata_props[1].value = json.dumps({"populations": []})


@pytest.mark.parametrize(("change", "says"), [(_tampered, "was changed"), (_headless, "does not fit its weights")])
def test_our_own_that_was_changed(change: Callable[[Any], None], says: str, tmp_path: Path) -> None:
    model = onnx.load_from_string(write_onnx(random_chain((6, 5, 3))))
    change(model)
    file = tmp_path / "changed.onnx"
    file.write_bytes(model.SerializeToString())
    with pytest.raises(SnncError, match=says):
        snnc.load(file)
