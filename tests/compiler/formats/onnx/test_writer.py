"""The network as ONNX, run by onnxruntime, against the golden model: every logit."""

from __future__ import annotations

import dataclasses
import os
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnc.compiler.cli import run
from snnc.compiler.errors import UnsupportedError
from snnc.compiler.formats.onnx import writer
from snnc.compiler.formats.onnx.writer import write_onnx
from snnc.compiler.formats.student import student_graph
from snnc.compiler.ir import Convolution, Encoding, Graph
from snnc.compiler.pipeline import integer_network
from snnc.distill.data import load
from snnc.sim.models import golden
from snnc.sim.models.inputs import encode
from tests.compiler.networks import deep_checkpoint
from tests.networks import random_chain
from tests.strategies import STEPS, integer_networks

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

STUDENTS = {
    "digits-64-32-10-int4": "digits",
    "mnist-784-32-10-int4": "mnist",
    "mnist-a2-160-100-10-int4": "mnist",
    "mnist-784-128-10-int4": "mnist",
    "mnist-conv-int4": "mnist",
    "mnist-conv-ternary": "mnist",
    "fashion-mnist-conv-int4": "fashion-mnist",
    "spoken-digits-conv-int4": "spoken-digits",
    "cifar10-conv-int4": "cifar10",
}


def session(data: bytes) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def logits(ran: Any, graph: Graph, inputs: np.ndarray, time_steps: int) -> tuple[np.ndarray, np.ndarray]:
    """What onnxruntime gives for inputs of the golden model."""
    feed = {"input": inputs.reshape(*inputs.shape[:-1], *graph.input.shape).astype(np.uint8)}
    if graph.source.encoding is Encoding.DIRECT:
        feed["time_steps"] = np.array(time_steps)
    found, classes = ran.run(["logits", "class"], feed)
    return found, classes


def drawn(graph: Graph, *, steps: int, batch: int, seed: int) -> np.ndarray:
    generator, source = np.random.default_rng(seed), graph.source
    if source.encoding is Encoding.DIRECT:
        return generator.integers(0, 2**source.bits, (batch, graph.input.size))
    return generator.integers(0, 2, (steps, batch, graph.input.size))


@settings(max_examples=60, deadline=None)
@given(graph=integer_networks(exits=False), steps=st.integers(1, STEPS), seed=st.integers(0, 2**32 - 1))
def test_any_network_is_the_golden_model(graph: Graph, steps: int, seed: int) -> None:
    inputs = drawn(graph, steps=steps, batch=3, seed=seed)
    expected = golden.run(graph, inputs, time_steps=steps)
    found, classes = logits(session(write_onnx(graph)), graph, inputs, steps)
    assert np.array_equal(found, expected.logits)
    assert np.array_equal(classes, expected.classes)


def test_a_shipped_student_on_the_digits(repository: Path, tmp_path: Path) -> None:
    path, out = repository / "examples" / "students" / "digits-64-32-10-int4.pt", tmp_path / "digits.onnx"
    assert run(["export", str(path), str(out)]) == 0
    graph, test = integer_network(path), load("digits").test
    inputs = encode(graph.source, test.images, time_steps=4, events=False)
    ran = session(out.read_bytes())
    for steps in (1, 4):
        expected = golden.run(graph, inputs, time_steps=steps)
        assert np.array_equal(logits(ran, graph, inputs, steps)[0], expected.logits)
    # The same network gives the same bytes.
    assert write_onnx(graph) == out.read_bytes()
    assert re.search("time_steps", str(onnx.load(out).graph.input))


def test_sums_beyond_single_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the limit lowered, every sum is taken apart, or into whole numbers."""
    graph = integer_network(student_graph(deep_checkpoint()))
    assert any(isinstance(item, Convolution) for item in graph.projections)
    inputs = drawn(graph, steps=graph.time_steps, batch=5, seed=0)
    expected = golden.run(graph, inputs, time_steps=graph.time_steps)
    whole = write_onnx(graph)
    monkeypatch.setattr(writer, "_EXACT_FLOAT", 120)
    split = write_onnx(graph)
    assert str(onnx.load_from_string(split)).count('"Conv"') > str(onnx.load_from_string(whole)).count('"Conv"')
    found, _ = logits(session(split), graph, inputs, graph.time_steps)
    assert np.array_equal(found, expected.logits)
    monkeypatch.setattr(writer, "_EXACT_FLOAT", 2)
    with pytest.raises(UnsupportedError, match="A single product from"):
        write_onnx(graph)


def test_spikes_that_are_heard_too_late_are_refused() -> None:
    graph = random_chain((6, 5, 3))
    first, *rest = graph.projections
    late = dataclasses.replace(graph, projections=(dataclasses.replace(first, delay=1000), *rest))
    with pytest.raises(UnsupportedError, match="1000 steps later; at most 256"):
        write_onnx(late)


@pytest.mark.nightly
@pytest.mark.parametrize("name", STUDENTS)
def test_a_whole_test_set(name: str, repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Prints how many images a second both take."""
    if STUDENTS[name] != "digits" and not os.environ.get("SNNC_DATA"):
        pytest.skip("SNNC_DATA is not set")
    graph = integer_network(repository / "examples" / "students" / f"{name}.pt")
    images = load(STUDENTS[name]).test.images
    ran, differing, ours, theirs = session(write_onnx(graph)), 0, 0.0, 0.0
    for start in range(0, len(images), 500):
        inputs = encode(graph.source, images[start : start + 500], time_steps=graph.time_steps, events=False)
        began = time.perf_counter()
        found, _ = logits(ran, graph, inputs, graph.time_steps)
        between = time.perf_counter()
        expected = golden.run(graph, inputs, time_steps=graph.time_steps, membranes=False)
        ours, theirs = ours + time.perf_counter() - between, theirs + between - began
        differing += int((found != expected.logits).sum())
    with capsys.disabled():
        rates = f"onnxruntime {len(images) / theirs:,.0f}, golden model {len(images) / ours:,.0f} images/s"
        print(f"\n{name}: {differing} of {len(images) * graph.readout.size:,} logits differ; {rates}")
    assert not differing
