"""An ANN with ReLUs, clipped or plain, as where a student starts: the same network in spikes, and worth its start."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from snnc.compiler.cli import run
from snnc.compiler.errors import OptionError
from snnc.compiler.formats.foreign.assumptions import Assumptions
from snnc.compiler.formats.onnx.reader import import_onnx
from snnc.compiler.formats.onnx.thresholds import relu_thresholds
from snnc.compiler.ir import Encoding
from snnc.compiler.passes.normalise import normalised
from snnc.distill.checkpoint import read_checkpoint
from snnc.distill.config import DEFAULTS
from snnc.distill.conversion import converted_student
from snnc.distill.course import Course
from snnc.distill.data import load
from snnc.distill.objective import encode_for
from snnc.distill.students import Phase
from snnc.sim.models.floating import FloatNetwork

onnx = pytest.importorskip("onnx")

STEPS = 8
ARCHITECTURE = "1x8x8-6c3-a2-24-10"
CONFIG = dataclasses.replace(DEFAULTS["digits"], architecture=ARCHITECTURE, time_steps=STEPS, input_bits=8)


def module(*, clipped: bool = True, largest: bool = False) -> nn.Sequential:
    torch.manual_seed(0)
    pool = nn.MaxPool2d(2) if largest else nn.AvgPool2d(2)
    first, second = (nn.Hardtanh(0, 2), nn.Hardtanh(0, 1.5)) if clipped else (nn.ReLU(), nn.ReLU())
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 3, padding=1), first, pool, nn.Flatten()),
        *(nn.Linear(96, 24), second, nn.Linear(24, 10)),
    )


@functools.cache
def trained(*, clipped: bool, largest: bool = False) -> nn.Sequential:
    """For a few seconds on the digits."""
    net, data = module(clipped=clipped, largest=largest), load("digits").train
    images, labels = torch.from_numpy(data.images / np.float32(255)), torch.from_numpy(data.labels.astype(np.int64))
    optimiser = torch.optim.Adam(net.parameters(), lr=5e-3)
    for _ in range(15):
        for batch in torch.randperm(len(images)).split(64):
            optimiser.zero_grad()
            nn.functional.cross_entropy(net(images[batch]), labels[batch]).backward()
            optimiser.step()
    return net


def written(path: Path, nodes: list[Any], stores: Mapping[str, Any]) -> Path:
    """A file of these nodes, from 8 x 8 images `x` to logits `y`, with these constants."""
    graph = onnx.helper.make_graph(
        nodes,
        "ann",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["N", 1, 8, 8])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["N", 10])],
        [onnx.numpy_helper.from_array(np.asarray(value, np.float32), key) for key, value in stores.items()],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def saved(net: nn.Sequential, path: Path, *, clipped: bool = True) -> Path:
    """The module as a file, without an exporter."""
    make, stores = onnx.helper.make_node, {}
    for key, value in net.state_dict().items():
        stores[key] = value.numpy()
    stores |= {"zero": np.float32(0), "two": np.float32(2), "most": np.float32(1.5)}

    def rectified(source: str, target: str, most: str) -> Any:
        return make("Clip", [source, "zero", most], [target]) if clipped else make("Relu", [source], [target])

    nodes = [
        make("Conv", ["x", "0.weight", "0.bias"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        rectified("c", "r", "two"),
        make(
            "MaxPool" if isinstance(net[2], nn.MaxPool2d) else "AveragePool",
            ["r"],
            ["p"],
            kernel_shape=[2, 2],
            strides=[2, 2],
        ),
        make("Flatten", ["p"], ["f"]),
        make("Gemm", ["f", "4.weight", "4.bias"], ["d"], transB=1),
        rectified("d", "e", "most"),
        make("Gemm", ["e", "6.weight", "6.bias"], ["y"], transB=1),
    ]
    return written(path, nodes, stores)


@pytest.mark.heavy
@pytest.mark.parametrize("largest", [False, True])
@pytest.mark.parametrize("clipped", [True, False])
def test_the_student_is_the_conversion_in_spikes(clipped: bool, largest: bool, tmp_path: Path) -> None:
    net, data = trained(clipped=clipped, largest=largest), load("digits")
    path = saved(net, tmp_path / "ann.onnx", clipped=clipped)
    config = dataclasses.replace(CONFIG, architecture=ARCHITECTURE.replace("a", "m")) if largest else CONFIG
    student = converted_student(path, config.student, data).double()
    assert student.phase is Phase.FLOAT
    images = data.test.images[:100]
    found_on = functools.partial(relu_thresholds, images=data.train.images[:1000], steps=STEPS)
    graph = import_onnx(path, Assumptions(encoding=Encoding.DIRECT, bits=8, time_steps=STEPS), found_on).accepted()
    expected = FloatNetwork(normalised(graph)).run(images.reshape(100, -1), time_steps=STEPS)
    # Sums that meet their thresholds exactly may go either way.
    with torch.no_grad():
        found = student(encode_for(student, torch.from_numpy(images), None).double())
    fired = list(found.spikes.values())
    for spikes, of_graph in zip(fired, expected.spikes.values(), strict=True):
        assert (spikes.flatten(2).numpy() == of_graph).mean() > 0.999
        assert 0.02 < of_graph.mean() < 0.98
    # Statistics of batches are what was measured.
    many = torch.from_numpy(data.train.images[:1000])
    student.train()
    with torch.no_grad():
        live = student(encode_for(student, many, None).double())
        student.eval()
        still = student(encode_for(student, many, None).double())
    for one, other in zip(live.spikes.values(), still.spikes.values(), strict=True):
        assert float((one == other).double().mean()) > 0.97


@pytest.mark.heavy
@pytest.mark.parametrize(("clipped", "largest"), [(False, False), (False, True), (True, True)])
def test_nearly_all_answers_stay_before_any_training(clipped: bool, largest: bool, tmp_path: Path) -> None:
    net, data = trained(clipped=clipped, largest=largest), load("digits")
    config = dataclasses.replace(CONFIG, architecture=ARCHITECTURE.replace("a", "m")) if largest else CONFIG
    student = converted_student(saved(net, tmp_path / "ann.onnx", clipped=clipped), config.student, data)
    images, labels = torch.from_numpy(data.test.images), torch.from_numpy(data.test.labels)
    with torch.no_grad():
        ann = (net(images / 255).argmax(1) == labels).double().mean()
        spiking = (student(encode_for(student, images, None)).classes == labels).double().mean()
    assert ann > 0.9
    # Steps in which any of a window fires are more than those in which its most active one does.
    assert spiking > ann - (0.1 if largest else 0.02)


@pytest.mark.heavy
@pytest.mark.parametrize("clipped", [True, False])
def test_training_goes_on_from_it(clipped: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(trained(clipped=clipped), tmp_path / "ann.onnx", clipped=clipped)
    accuracies = []
    for start in ([], ["--start-from", str(path)]):
        out = tmp_path / "student.pt"
        words = ["--architecture", ARCHITECTURE, "--time-steps", "4", "--epochs", "3", "--twin-epochs", "0"]
        words += ["--teacher-from", str(path), "--copies", "1", *start, "-o", str(out)]
        assert run(["distill", "--dataset", "digits", *words]) == 0
        said = capsys.readouterr().out
        accuracies.append(float(said.split("integer network")[1].split("test")[1].split("%")[0]))
    plain, started = accuracies
    assert started > (90 if clipped else 87)
    assert started > plain + 5


def residual(path: Path) -> Path:
    """A small residual network as libraries export them: pixels normalised inside, a whole map averaged."""
    make, random = onnx.helper.make_node, np.random.default_rng(0)
    stores = {"mean": np.full((1, 1, 1, 1), 0.3), "deviation": np.full((1, 1, 1), 0.5)}
    for name, shape in (("w1", (6, 1, 3, 3)), ("w2", (6, 6, 3, 3)), ("w3", (6, 6, 3, 3)), ("w4", (10, 6))):
        stores[name] = random.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape)
    padded: dict[str, Any] = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    nodes = [
        make("Sub", ["x", "mean"], ["centred"]),
        make("Div", ["centred", "deviation"], ["normal"]),
        make("Conv", ["normal", "w1"], ["c1"], kernel_shape=[3, 3]),
        make("Relu", ["c1"], ["r1"]),
        make("Conv", ["r1", "w2"], ["c2"], **padded),
        make("Relu", ["c2"], ["r2"]),
        make("Conv", ["r2", "w3"], ["c3"], **padded),
        make("Add", ["c3", "r1"], ["sum"]),
        make("Relu", ["sum"], ["r3"]),
        make("GlobalAveragePool", ["r3"], ["p"]),
        make("Flatten", ["p"], ["f"]),
        make("Gemm", ["f", "w4"], ["y"], transB=1),
    ]
    return written(path, nodes, stores)


@pytest.mark.heavy
def test_a_residual_network_starts_a_residual_student(tmp_path: Path) -> None:
    path, data = residual(tmp_path / "residual.onnx"), load("digits")
    config = dataclasses.replace(CONFIG, architecture="1x8x8-6c3p0-6r3-a6-10", time_steps=64)
    student = converted_student(path, config.student, data)
    images = torch.from_numpy(data.test.images[:200])
    session = pytest.importorskip("onnxruntime").InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {"x": images.numpy() / np.float32(255)})
    with torch.no_grad():
        found = student(encode_for(student, images, None)).step_logits.mean(dim=0).numpy()
    # Rates of 64 steps; the shortcut, the mean and the deviation each shift logits by more than the tolerance.
    assert np.abs(found - expected).mean() < 0.1 * expected.std(axis=0).mean()


@pytest.mark.heavy
def test_the_twin_begins_where_the_network_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[Phase, float]] = []
    original = Course.begin

    def begin(course: Course, phase: Phase, *, fresh: bool) -> None:
        original(course, phase, fresh=fresh)
        (gain,) = course.trainee.student.populations["res2b"].constants
        seen.append((phase, float(gain.detach().mean())))

    monkeypatch.setattr(Course, "begin", begin)
    words = ["--architecture", "1x8x8-6c3p0-6r3-a6-10", "--loss", "cross-entropy", "--precision", "bfloat16"]
    words += ["--start-from", str(residual(tmp_path / "residual.onnx")), "--twin-epochs", "1", "--epochs", "3"]
    assert run(["distill", "--dataset", "digits", *words, "--copies", "1", "-o", str(tmp_path / "student.pt")]) == 0
    assert [phase for phase, _ in seen] == [Phase.TWIN, Phase.FLOAT, Phase.QUANTISED, Phase.FOLDED]
    # A shortcut of weight 1 between neurons of different thresholds; a student that begins anew has 1 there.
    assert abs(seen[0][1] - 1) > 0.01
    assert read_checkpoint(tmp_path / "student.pt")["config"]["precision"] == "bfloat16"


@pytest.mark.parametrize(
    ("architecture", "sentence"),
    [
        ("1x8x8-6c3-a2-32-24-10", "has 3 layers, poolings of maxima among them, not 4"),
        ("1x8x8-6c3s2-24-10", "differs in what its layer|neurons where it has"),
        ("1x8x8-6c3-24-10", "differs in what its layer"),
        ("1x8x8-6c3-a2-20-10", "has 24x1x1 neurons where it has 20x1x1"),
        ("1x8x8-6c3-a2-24-9", "tells 10 classes apart"),
        ("1x8x8-6c5-a2-24-10", "differs in what its layer"),
    ],
)
def test_another_architecture_is_refused_by_the_layer(architecture: str, sentence: str, tmp_path: Path) -> None:
    path = saved(module(), tmp_path / "ann.onnx")
    config = dataclasses.replace(CONFIG, architecture=architecture)
    with pytest.raises(OptionError, match=sentence) as caught:
        converted_student(path, config.student, load("digits"))
    assert "\n" not in str(caught.value)


def test_a_student_of_events_is_refused(tmp_path: Path) -> None:
    path = saved(module(), tmp_path / "ann.onnx")
    events = dataclasses.replace(CONFIG, encoding=Encoding.EVENTS)
    with pytest.raises(OptionError, match="a network of images"):
        converted_student(path, events.student, load("digits"))
