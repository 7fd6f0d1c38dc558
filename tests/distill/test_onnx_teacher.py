"""Teachers in ONNX files: the logits of the network they hold, told apart by their contents, refused in a sentence."""

import sys

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from snnc.compiler.errors import CheckpointError, MissingError, OptionError
from snnc.distill.answers import fingerprint
from snnc.distill.checkpoint import read_teacher
from snnc.distill.config import DEFAULTS
from snnc.distill.data import load
from snnc.distill.losses import METHODS
from snnc.distill.objective import AnnTeacher, build_adapter
from snnc.distill.students import Student
from snnc.distill.teachers import Teacher

WEIGHTS = np.random.default_rng(0).normal(size=(64, 10)).astype(np.float32)


def model(*, shape=("N", 1, 8, 8), weights=WEIGHTS, kind=TensorProto.FLOAT):
    """Flatten and multiply."""
    nodes = [helper.make_node("Flatten", ["image"], ["flat"]), helper.make_node("MatMul", ["flat", "w"], ["logits"])]
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("image", kind, shape)],
        [helper.make_tensor_value_info("logits", kind, None)],
        [numpy_helper.from_array(weights if kind == TensorProto.FLOAT else weights.astype(np.float64), "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "teacher.onnx"


def test_it_answers_with_the_logits_of_its_network(path):
    onnx.save(model(), path)
    digits = load("digits")
    teacher = read_teacher(path, digits)
    assert isinstance(teacher, Teacher)
    images = torch.from_numpy(digits.test.images[:7].copy())
    expected = (digits.test.images[:7].reshape(7, 64) / np.float32(255)).astype(np.float32) @ WEIGHTS
    np.testing.assert_allclose(AnnTeacher(teacher)(images).numpy(), expected, rtol=1e-5, atol=1e-5)


def test_its_answers_are_kept_under_its_contents(path):
    found = set()
    for weights in (WEIGHTS, WEIGHTS + 1):
        onnx.save(model(weights=weights), path)
        for _ in range(2):
            teacher = read_teacher(path, load("digits"))
            assert isinstance(teacher, Teacher)
            found.add(fingerprint(AnnTeacher(teacher)))
    assert len(found) == 2
    assert None not in found


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (model(shape=("N", 3, 8, 8), weights=np.tile(WEIGHTS, (3, 1))), r"must take one float input.*digits has 1x8x8"),
        (model(shape=(1, 1, 8, 8)), "N free"),
        (model(shape=("N", 64)), "N free"),
        (model(kind=TensorProto.DOUBLE), "one float input"),
        (model(weights=WEIGHTS[:, :9]), r"\(2, 9\), but digits has 10 classes"),
    ],
)
def test_what_does_not_fit_the_data_is_refused(path, contents, message):
    onnx.save(contents, path)
    with pytest.raises(CheckpointError, match=message):
        read_teacher(path, load("digits"))


def _misspelt(contents: bytes) -> bytes:
    """A name that is no UTF-8."""
    place = contents.index(b"MatMul" if b"MatMul" in contents else b"Gemm")
    return contents[:place] + b"\xdb" + contents[place + 1 :]


@pytest.mark.parametrize("damage", [lambda b: b"", lambda b: b"no network", lambda b: b[: len(b) // 2], _misspelt])
def test_a_file_that_is_no_network_is_refused(path, damage, capsys):
    path.write_bytes(damage(model().SerializeToString()))
    with pytest.raises(CheckpointError, match=r"teacher\.onnx") as caught:
        read_teacher(path, load("digits"))
    assert "\n" not in str(caught.value)
    # onnxruntime prints nothing beside the sentence.
    assert capsys.readouterr() == ("", "")


def test_a_file_that_is_missing_is_refused(path):
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_teacher(path, load("digits"))


def test_a_missing_extra_is_one_sentence(path, monkeypatch):
    onnx.save(model(), path)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingError, match=r"snnc\[onnx\]"):
        read_teacher(path, load("digits"))


def test_its_maps_are_missing_and_missed_in_a_sentence(path):
    onnx.save(model(), path)
    teacher = read_teacher(path, load("digits"))
    assert isinstance(teacher, Teacher)
    with pytest.raises(OptionError, match="feature maps"):
        build_adapter(
            METHODS["kdsnn-feature"], DEFAULTS["digits"].loss_settings, Student(DEFAULTS["digits"].student), teacher
        )
