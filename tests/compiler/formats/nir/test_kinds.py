"""Forty small files by hand: every kind of node in one that is right and in one that is wrong in its own way.

What is right is read, and the float meaning of what was read is the equation's, spike for spike; what is wrong is one
sentence. Parameters come in the forms that files have: 0-d arrays, single and double precision, bytes, whole layers.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snnc.compiler.cli import run as command
from snnc.compiler.errors import CheckpointError, OptionError, UnsupportedError
from snnc.compiler.formats.foreign.assumptions import Assumptions, Decoding, ResetKind
from snnc.compiler.formats.foreign.findings import Verdict
from snnc.compiler.formats.foreign.simulate import Simulation
from snnc.compiler.formats.nir.meaning import KINDS
from snnc.compiler.formats.nir.reader import import_nir, read_nir
from snnc.compiler.passes.normalise import normalised
from snnc.sim.models.floating import FloatNetwork
from tests.compiler.formats.nir.test_hostile import save

STEPS, BATCH = 8, 6
G = np.random.default_rng(7)

Fields = dict[str, Any]
Case = tuple[tuple[int, ...], dict[str, Fields], list[tuple[str, str]]]


def w(*shape: int) -> np.ndarray:
    return G.normal(size=shape).astype(np.float32)


def node(kind: str, **fields: Any) -> Fields:
    return {"type": kind, **fields}


LIF = node("LIF", tau=np.float32(4), r=np.float64(4), v_leak=np.zeros(6, np.float32), v_threshold=np.ones(6))
CONV = {"stride": 1, "padding": 1, "dilation": np.array([1, 1]), "groups": 1}
POOL = {"kernel_size": [2, 2], "stride": [2, 2], "padding": [0, 0]}


def chain(shape: tuple[int, ...], *nodes: Fields, more: dict[str, Fields] | None = None, edges: Any = ()) -> Case:
    """Nodes in a row, `n0`, `n1`, .., and others beside them."""
    names = ["input", *(f"n{k}" for k in range(len(nodes))), "output"]
    ends = node("Input", shape=np.array(shape)), node("Output", shape=np.array([1]))
    row = dict(zip(names, (ends[0], *nodes, ends[1]), strict=True))
    return shape, row | (more or {}), [*itertools.pairwise(names), *edges]


def images(neurons: Fields, *before: Fields) -> Case:
    return chain((2, 8, 8), *before, neurons)


def if_(threshold: float = 1.0, **more: Any) -> Fields:
    return node("IF", r=np.float32(1), v_threshold=np.array([threshold]), **more)


INNER = {
    "type": "NIRGraph",
    "nodes": {
        "input": node("Input", shape=np.array([6])),
        "lif": LIF,
        "back": node("Linear", weight=w(6, 6)),
        "output": node("Output", shape=np.array([6])),
    },
    "edges": [("input", "lif"), ("lif", "back"), ("back", "lif"), ("lif", "output")],
}

RIGHT: dict[str, Case] = {
    "Input": chain((5,), node("Linear", weight=w(6, 5)), LIF),
    "Output": chain((5,), node("Linear", weight=w(6, 5)), LIF, node("Linear", weight=w(3, 6))),
    "Affine": chain((5,), node("Affine", weight=w(6, 5), bias=w(6)), LIF),
    "Linear": chain((5,), node("Linear", weight=w(4, 5)), node("Linear", weight=w(6, 4)), LIF),
    "Conv1d": chain((2, 12), node("Conv1d", weight=w(3, 2, 3), bias=w(3), **CONV | {"padding": "same"}), if_()),
    "Conv2d": images(if_(), node("Conv2d", weight=w(4, 1, 3, 3), **CONV | {"groups": 2, "stride": [2, 1]})),
    "Scale": chain((5,), node("Linear", weight=w(6, 5)), node("Scale", scale=np.abs(w(6)) + 0.5), LIF),
    "SumPool2d": images(if_(), node("SumPool2d", **POOL), node("Conv2d", weight=w(3, 2, 3, 3), **CONV)),
    "AvgPool2d": images(
        if_(0.5), node("Conv2d", weight=w(3, 2, 3, 3), **CONV), if_(), node("AvgPool2d", **POOL | {"kernel_size": 2})
    ),
    "Flatten": chain(
        (2, 4, 4),
        node("Flatten", start_dim=1, end_dim=-1, input_type=np.array([2, 4, 4])),
        node("Linear", weight=w(6, 32)),
        LIF,
    ),
    "Delay": chain((5,), node("Linear", weight=w(6, 5)), node("Delay", delay=np.full(6, 3.0)), LIF),
    "IF": chain((5,), node("Linear", weight=w(6, 5)), if_(1.5, v_reset=np.float32(-0.5))),
    "LIF": chain((5,), node("Linear", weight=w(6, 5)), LIF | {"v_leak": np.float32(0.25), "v_reset": np.array([-1.0])}),
    "I": chain((5,), node("Linear", weight=w(6, 5)), LIF, node("Linear", weight=w(3, 6)), node("I", r=np.ones(3))),
    "LI": chain(
        (5,),
        *(node("Linear", weight=w(6, 5)), LIF, node("Linear", weight=w(3, 6))),
        node("LI", tau=np.float32(4), r=np.full(3, 3.0), v_leak=np.float32(0.5)),
    ),
    "CubaLIF": chain(
        (5,),
        node("Linear", weight=w(6, 5)),
        node("CubaLIF", tau_syn=1.0, tau_mem=np.full(6, 4.0), r=4.0, v_leak=0.0, v_threshold=np.ones(6), w_in=0.9),
    ),
    "CubaLI": chain((5,), node("Linear", weight=w(6, 5)), LIF),
    "Threshold": chain((5,), node("Linear", weight=w(6, 5)), node("Threshold", threshold=np.full(6, 0.7, np.float32))),
    "a loop": chain(
        (5,),
        *(node("Linear", weight=w(6, 5)), LIF),
        more={"back": node("Affine", weight=w(6, 6), bias=w(6))},
        edges=[("n1", "back"), ("back", "n1")],
    ),
    "two paths": chain(
        (5,),
        *(node("Linear", weight=w(6, 5)), LIF, node("Linear", weight=w(6, 6)), LIF),
        more={"late": node("Delay", delay=np.full(6, 2.0)), "skip": node("Scale", scale=np.full(6, 0.5))},
        edges=[("n1", "late"), ("late", "skip"), ("skip", "n3")],
    ),
    "a graph within": chain((5,), node("Linear", weight=w(6, 5)), INNER),
}
"""By the kind that they are about; all are exact. A `CubaLI` is never right."""

WRONG: dict[str, tuple[Case, str]] = {
    "Input": (chain((5, 0), node("Linear", weight=w(6, 5)), LIF), "integers from 1"),
    "Output": (
        chain((5,), node("Linear", weight=w(6, 5)), LIF, more={"x": node("Output", shape=5)}, edges=[("n1", "x")]),
        "2 outputs",
    ),
    "Affine": (chain((5,), node("Affine", weight=w(6, 5)), LIF), "Affine 'n0' has no array 'bias'"),
    "Linear": (
        chain(
            (5,), node("Linear", weight=w(6, 5)), LIF, more={"x": node("Linear", weight=w(6, 6))}, edges=[("x", "n1")]
        ),
        "Linear 'x': nothing leads to it",
    ),
    "Conv1d": (
        chain((2, 12), node("Conv1d", weight=w(3, 2, 4), bias=w(3), **CONV | {"padding": "same"}), if_()),
        "Conv1d 'n0': .*as much on both sides|Conv1d 'n0'",
    ),
    "Conv2d": (images(if_(), node("Conv2d", weight=w(4, 2, 9, 9), **CONV | {"padding": 0})), "Conv2d 'n0'"),
    "Scale": (
        chain((5,), node("Linear", weight=w(6, 5)), node("Scale", scale=w(7)), LIF),
        "Scale 'n1': it has 7 values for 6 x 1 x 1 neurons",
    ),
    "SumPool2d": (
        images(if_(), node("SumPool2d", **POOL | {"padding": [1, 1]}), node("Conv2d", weight=w(3, 2, 3, 3), **CONV)),
        "SumPool2d 'n0'",
    ),
    "AvgPool2d": (
        images(
            if_(), node("Conv2d", weight=w(3, 2, 3, 3), **CONV), if_(), node("AvgPool2d", **POOL | {"stride": [2, 3]})
        ),
        "AvgPool2d 'n2'",
    ),
    "Flatten": (chain((2, 4, 4), node("Flatten"), node("Linear", weight=w(6, 31)), LIF), "its weights take 31 inputs"),
    "Delay": (
        chain((5,), node("Linear", weight=w(6, 5)), node("Delay", delay=np.full(6, -1.0)), LIF),
        "Delay 'n1': it delays by -1 steps",
    ),
    "IF": (
        chain((5,), node("Linear", weight=w(6, 5)), if_(1.0, v_reset=np.array([2.0]))),
        "IF 'n1': its threshold lies -1 above its reset potential",
    ),
    "LIF": (
        chain((2, 4, 4), LIF | {"v_leak": 0.0, "v_threshold": 1 + np.arange(32.0).reshape(2, 4, 4)}),
        "LIF 'n0': its values of threshold differ from position to position",
    ),
    "I": (
        chain((5,), node("Linear", weight=w(6, 5)), node("I", r=np.ones(6)), node("Linear", weight=w(3, 6))),
        "I 'n1': it does not fire, but other nodes hear it",
    ),
    "LI": (
        chain((5,), node("Linear", weight=w(6, 5)), node("LI", tau=np.array([2.0, 8, 8, 8, 8, 8]), r=4.0, v_leak=0.0)),
        "LI 'n1': its leak differs within the layer, from 0.5 to 0.875",
    ),
    "CubaLIF": (
        chain(
            (5,),
            node("Linear", weight=w(6, 5)),
            node("CubaLIF", tau_syn=2.0, tau_mem=4.0, r=4.0, v_leak=0.0, v_threshold=1.0),
        ),
        "CubaLIF 'n1': its synaptic current is a second state per neuron, of which a step leaves 0.5",
    ),
    "CubaLI": (
        chain((5,), node("Linear", weight=w(6, 5)), node("CubaLI", tau_syn=1.0, tau_mem=4.0, r=4.0, v_leak=0.0)),
        "CubaLI 'n1': its synaptic current is a second state per neuron",
    ),
    "Threshold": (
        chain((5,), node("Linear", weight=w(6, 5)), node("Threshold", threshold=np.zeros(6))),
        "Threshold 'n1': its threshold lies 0 above",
    ),
    "a loop": (
        chain(
            (5,),
            node("Linear", weight=w(5, 5)),
            if_(),
            more={"x": node("Scale", scale=w(5))},
            edges=[("n0", "x"), ("x", "n0")],
        ),
        "it lies on a loop without neurons",
    ),
    "two paths": (
        chain(
            (5,),
            node("Linear", weight=w(6, 5)),
            LIF,
            more={"x": node("Linear", weight=w(4, 5))},
            edges=[("input", "x"), ("x", "n1")],
        ),
        "LIF 'n1': it gets",
    ),
    "a graph within": (
        chain((5,), node("Linear", weight=w(6, 5)), INNER | {"edges": [("input", "lif"), ("lif", "elsewhere")]}),
        "names 'n1.elsewhere', and there is no such node",
    ),
}
"""By the same kinds, with what the sentence says."""

OPTIONS = Assumptions(dt=1.0, time_steps=STEPS)


def written(path: Path, case: Case) -> Path:
    _, nodes, edges = case
    return save(path, nodes, edges)


def test_there_are_forty_and_every_kind_is_among_them() -> None:
    assert len(RIGHT) + len(WRONG) >= 40
    assert set(RIGHT) == set(WRONG) >= set(KINDS)
    assert all(any(fields["type"] == kind for fields in WRONG[kind][0][1].values()) for kind in KINDS)
    assert all(any(fields["type"] == kind for fields in RIGHT[kind][1].values()) for kind in KINDS if kind != "CubaLI")


@pytest.mark.parametrize("reset", ResetKind)
@pytest.mark.parametrize("kind", RIGHT)
def test_what_is_right_is_read_as_its_equation(kind: str, reset: ResetKind, tmp_path: Path) -> None:
    path = written(tmp_path / "right.nir", RIGHT[kind])
    found = import_nir(path, Assumptions(dt=1.0, time_steps=STEPS, reset=reset))
    assert found.verdict is Verdict.EXACT, [finding.sentence for finding in found.findings]
    assert found.network is not None
    graph = found.accepted()
    spikes = np.random.default_rng(1).random((STEPS, BATCH, graph.input.size)) < 0.5
    expected = Simulation(found.network, found.names, graph).run(spikes, time_steps=STEPS)
    run = FloatNetwork(normalised(graph)).run(spikes, time_steps=STEPS)
    assert sum(int(values.sum()) for values in expected.spikes.values()) > 10
    for name, values in expected.spikes.items():
        assert np.array_equal(run.spikes[name], values), name
    scale = run.logits[-1].max() / expected.logits[-1].max()  # a readout behind pooling alone counts in whole numbers
    assert np.allclose(run.logits, scale * expected.logits, atol=1e-6 * abs(scale))


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_wrong_is_one_sentence(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case, sentence = WRONG[kind]
    path = written(tmp_path / "wrong.nir", case)
    with pytest.raises((CheckpointError, UnsupportedError), match=sentence) as caught:
        read_nir(path, OPTIONS)
    assert "\n" not in str(caught.value)
    assert command(["check", str(path), "--dt", "1"]) == 2
    said = capsys.readouterr()
    assert "Traceback" not in said.out + said.err


def test_what_needs_the_length_of_a_step_asks_for_it(tmp_path: Path) -> None:
    for kind in ("Delay", "IF", "LIF", "CubaLIF"):
        with pytest.raises(OptionError, match="--dt"):
            import_nir(written(tmp_path / f"{kind}.nir", RIGHT[kind]), Assumptions())
    read_nir(written(tmp_path / "threshold.nir", RIGHT["Threshold"]), Assumptions())
    leaky = written(tmp_path / "leaky.nir", RIGHT["LI"])
    assert import_nir(leaky, Assumptions(dt=1.0, decoding=Decoding.SUM)).verdict is Verdict.REFITTED
