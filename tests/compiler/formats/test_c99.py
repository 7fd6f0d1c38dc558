"""The network as C, compiled and run, against the golden model: every logit."""

from __future__ import annotations

import ctypes
import dataclasses
import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnc.compiler.errors import UnsupportedError
from snnc.compiler.formats import c99
from snnc.compiler.formats.c99 import write_c
from snnc.compiler.formats.onnx.writer import write_onnx
from snnc.compiler.formats.student import student_graph
from snnc.compiler.ir import Encoding, Exit, Graph
from snnc.compiler.pipeline import integer_network
from snnc.distill.data import load
from snnc.sim.models import golden
from snnc.sim.models.inputs import encode
from tests.compiler.formats.onnx.test_writer import drawn
from tests.compiler.networks import deep_checkpoint
from tests.networks import random_chain
from tests.strategies import STEPS, integer_networks

FLAGS = ("-std=c99", "-O2", "-Wall", "-Wextra", "-pedantic", "-Werror")
CHECKS = ("-fsanitize=undefined", "-fno-sanitize-recover=undefined")


def compiled(source: bytes, folder: Path, name: str, *, flags: tuple[str, ...] = ()) -> ctypes.CDLL:
    file = folder / f"{name}.c"
    file.write_bytes(source)
    library = folder / f"{name}.so"
    command = ["gcc", *FLAGS, *flags, "-shared", "-fPIC", "-o", str(library), str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return ctypes.CDLL(str(library))


def logits(
    library: ctypes.CDLL, source: bytes, graph: Graph, inputs: np.ndarray, steps: int
) -> tuple[np.ndarray, list[int]]:
    """What the C gives for inputs of the golden model."""
    kind = np.int64 if b"int time_steps, int64_t *logits" in source else np.int32
    samples = inputs if graph.source.encoding is Encoding.DIRECT else inputs.swapaxes(0, 1)
    found, classes = np.zeros((len(samples), graph.readout.size), kind), []
    for sample, row in zip(samples.astype(np.uint8), found, strict=True):
        flat = np.ascontiguousarray(sample)
        classes.append(
            library.snnc_run(flat.ctypes.data_as(ctypes.c_void_p), steps, row.ctypes.data_as(ctypes.c_void_p))
        )
    return found, classes


@settings(max_examples=40, deadline=None)
@given(graph=integer_networks(exits=False), steps=st.integers(1, STEPS), seed=st.integers(0, 2**32 - 1))
def test_any_network_is_the_golden_model(
    graph: Graph, steps: int, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    inputs = drawn(graph, steps=steps, batch=3, seed=seed)
    expected, source = golden.run(graph, inputs, time_steps=steps), write_c(graph)
    library = compiled(source, tmp_path_factory.mktemp("c"), "any", flags=CHECKS)
    found, classes = logits(library, source, graph, inputs, steps)
    assert np.array_equal(found, expected.logits)
    assert classes == expected.classes.tolist()
    # One sample leaves nothing behind for the next.
    assert np.array_equal(logits(library, source, graph, inputs, steps)[0], found)


def test_wide_sums(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = integer_network(student_graph(deep_checkpoint()))
    monkeypatch.setattr(c99, "membrane_reach", lambda graph, population: 2**40)
    source = write_c(graph)
    assert b"int64_t *logits" in source
    inputs = drawn(graph, steps=graph.time_steps, batch=4, seed=0)
    found, _ = logits(compiled(source, tmp_path, "wide"), source, graph, inputs, graph.time_steps)
    assert np.array_equal(found, golden.run(graph, inputs, time_steps=graph.time_steps).logits)


def test_too_long_a_memory_is_refused() -> None:
    graph = random_chain((6, 50, 3))
    *before, last = graph.projections
    late = dataclasses.replace(graph, projections=(*before, dataclasses.replace(last, delay=60000)))
    with pytest.raises(UnsupportedError, match="60000 steps later, which takes 3,000,050 bytes"):
        write_c(late)


@pytest.mark.parametrize(
    ("name", "dataset", "count"),
    [
        ("digits-64-32-10-int4", "digits", 360),
        ("mnist-784-128-10-int4", "mnist", 1000),
        ("mnist-conv-int4", "mnist", 1000),
    ],
)
def test_a_shipped_student(name: str, dataset: str, count: int, repository: Path, tmp_path: Path) -> None:
    """On its own test images, or on random ones where they are not there; and what its head says of memory is true."""
    graph = integer_network(repository / "examples" / "students" / f"{name}.pt")
    source = write_c(graph)
    if dataset == "digits" or os.environ.get("SNNC_DATA"):
        images = load(dataset).test.images[:count]
    else:
        images = np.random.default_rng(0).integers(0, 256, (count, *graph.input.shape)).astype(np.uint8)
    inputs = encode(graph.source, images, time_steps=4, events=False)
    library = compiled(source, tmp_path, "student")
    for steps in (1, 4):
        expected = golden.run(graph, inputs, time_steps=steps, membranes=False)
        found, classes = logits(library, source, graph, inputs, steps)
        assert np.array_equal(found, expected.logits)
        assert classes == expected.classes.tolist()
    said = re.search(rb"Constants ([\d,]+) bytes, memory ([\d,]+) bytes", source)
    assert said is not None
    constants, memory = (int(group.replace(b",", b"")) for group in said.groups())
    subprocess.run(
        ["gcc", "-std=c99", "-O0", "-c", "-o", str(tmp_path / "s.o"), str(tmp_path / "student.c")], check=True
    )
    listed = subprocess.run(["size", "-A", str(tmp_path / "s.o")], capture_output=True, text=True, check=True).stdout
    sections = {line.split()[0]: int(line.split()[1]) for line in listed.splitlines() if line.startswith(".")}
    assert constants <= sections[".rodata"] <= constants + 64 * 20  # alignment
    assert memory <= sections[".bss"] <= memory + 64 * 20


def test_an_exit_is_refused() -> None:
    graph = dataclasses.replace(random_chain((5, 4, 3)), exit=Exit(margin=1, steps=(1,)))
    for write in (write_c, write_onnx):
        with pytest.raises(UnsupportedError, match=r"has an early exit, which a \.(c|onnx) file does not say"):
            write(graph)
