"""What NIR files mean: every kind of node against a plain simulation of its equation, spike for spike."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snnc.compiler.errors import MissingError, OptionError, UnsupportedError
from snnc.compiler.formats.foreign.assumptions import Assumptions, Decoding, Leak, ResetKind
from snnc.compiler.formats.foreign.findings import Verdict
from snnc.compiler.formats.foreign.simulate import Simulation
from snnc.compiler.formats.nir.hdf5 import read_tree
from snnc.compiler.formats.nir.reader import import_nir, nir_network, read_nir
from snnc.compiler.ir import Comparison, Encoding, Pooling, Readout
from tests.foreign import integers, run, simulate, written

nir = pytest.importorskip("nir")

STEPS = 12
BATCH = 16

Nodes = dict[str, Any]
Edges = list[tuple[str, str]]


def a(*values: float) -> np.ndarray:
    return np.array(values, np.float64)


def lif(neurons: int | tuple[int, ...], tau: float, threshold: float = 9.0, **more: Any) -> Any:
    """Of a step of 1: the current's factor is ``r / tau``, here 1."""
    ones = np.ones(neurons)
    return nir.LIF(
        tau=tau * ones,
        r=more.get("r", tau) * ones,
        v_leak=more.get("v_leak", 0.0) * ones,
        v_threshold=threshold * ones,
        v_reset=more.get("v_reset", 0.0) * ones,
    )


def chain(*nodes: Any, shape: tuple[int, ...]) -> tuple[Nodes, Edges]:
    names = ["input", *(f"{k}" for k in range(len(nodes))), "output"]
    ends = nir.Input({"input": np.array(shape)}), nir.Output({"output": a(1)})
    return dict(zip(names, (ends[0], *nodes, ends[1]), strict=True)), list(itertools.pairwise(names))


def _dense(g: np.random.Generator) -> tuple[Nodes, Edges]:
    return chain(
        nir.Affine(integers(g, 24, 20), g.integers(-2, 3, 24)),
        lif(24, 4.0),
        nir.Linear(integers(g, 16, 24)),
        nir.IF(np.ones(16), np.full(16, 12.0), np.zeros(16)),
        shape=(20,),
    )


def _v_reset(g: np.random.Generator) -> tuple[Nodes, Edges]:
    return chain(nir.Linear(integers(g, 24, 20)), lif(24, 2.0, v_reset=-2.0, v_leak=1.0), shape=(20,))


def _pooled(g: np.random.Generator) -> tuple[Nodes, Edges]:
    pool = (np.array([2, 2]), np.array([2, 2]), np.array([0, 0]))
    return chain(
        nir.Conv2d((8, 8), integers(g, 4, 2, 3, 3), 1, 1, 1, 1, g.integers(-2, 3, 4)),
        lif((4, 8, 8), 4.0),
        nir.SumPool2d(*pool),
        nir.Conv2d((4, 4), integers(g, 6, 4, 3, 3), (2, 1), (1, 0), 1, 2 - 1, np.zeros(6)),
        lif((6, 2, 2), 2.0, 20.0),
        nir.Flatten({"input": np.array([6, 2, 2])}, 0, -1),
        nir.Affine(integers(g, 5, 24), np.zeros(5)),
        shape=(2, 8, 8),
    )


def _average_before_neurons(g: np.random.Generator) -> tuple[Nodes, Edges]:
    # Through the average, 4-bit weights stand for quarters; sums of four of them need more bits: one tap each.
    kernel = np.zeros((4, 2, 2, 2))
    kernel[:, :, 0, 0] = integers(g, 4, 2)
    pool = (np.array([2, 2]), np.array([2, 2]), np.array([0, 0]))
    return chain(
        nir.Conv2d((9, 9), kernel, 1, 0, 1, 1, np.zeros(4)),
        nir.AvgPool2d(*pool),
        lif((4, 4, 4), 4.0, 3.0),
        nir.AvgPool2d(*pool),
        # Quarters seldom meet it, where a soft reset by more than the threshold (semantics, section 4) would show.
        lif((4, 2, 2), 4.0, 0.6),
        shape=(2, 9, 9),
    )


def _sequence(g: np.random.Generator) -> tuple[Nodes, Edges]:
    return chain(
        nir.Conv1d(30, integers(g, 4, 2, 5), 2, 2, 1, 1, g.integers(-1, 2, 4)),
        lif((4, 15), 4.0),
        nir.Conv1d(15, integers(g, 4, 2, 3), 1, "same", 2, 2, np.zeros(4)),
        nir.Scale(np.full((4, 15), 2.0)),
        nir.Threshold(np.full((4, 15), 11.0)),
        shape=(2, 30),
    )


def _recurrent(g: np.random.Generator) -> tuple[Nodes, Edges]:
    nodes, edges = chain(nir.Linear(integers(g, 12, 20)), lif(12, 4.0), shape=(20,))
    nodes["rec"] = nir.Affine(integers(g, 12, 12), g.integers(-2, 3, 12))
    return nodes, [*edges, ("1", "rec"), ("rec", "1")]


def _nested(g: np.random.Generator) -> tuple[Nodes, Edges]:
    inner = nir.NIRGraph(
        nodes={
            "input": nir.Input({"input": a(12)}),
            "lif": lif(12, 4.0),
            "w_rec": nir.Linear(integers(g, 12, 12)),
            "output": nir.Output({"output": a(12)}),
        },
        edges=[("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")],
        type_check=False,
    )
    return chain(nir.Linear(integers(g, 12, 20)), inner, nir.Linear(integers(g, 6, 12)), lif(6, 2.0), shape=(20,))


def _residual(g: np.random.Generator) -> tuple[Nodes, Edges]:
    nodes, edges = chain(
        nir.Linear(integers(g, 12, 20)), lif(12, 4.0), nir.Linear(integers(g, 12, 12)), lif(12, 4.0), shape=(20,)
    )
    nodes["skip"] = nir.Scale(np.full(12, 3.0))
    nodes["wait"] = nir.Delay(np.full(12, 2.0))
    return nodes, [*edges, ("1", "skip"), ("skip", "3"), ("1", "wait"), ("wait", "2")]


def _cuba(g: np.random.Generator) -> tuple[Nodes, Edges]:
    ones = np.ones(12)
    neuron = nir.CubaLIF(
        tau_syn=ones, tau_mem=4 * ones, r=4 * ones, v_leak=0 * ones, v_threshold=9 * ones, v_reset=0 * ones, w_in=ones
    )
    return chain(nir.Linear(integers(g, 12, 20)), neuron, shape=(20,))


NETWORKS: dict[str, Callable[[np.random.Generator], tuple[Nodes, Edges]]] = {
    "dense": _dense,
    "reset potential": _v_reset,
    "pooled": _pooled,
    "average before neurons": _average_before_neurons,
    "sequence": _sequence,
    "recurrent": _recurrent,
    "nested": _nested,
    "residual": _residual,
    "current without a memory": _cuba,
}


ORDERS = {
    "recurrent": ["input", "0", "1", "rec", "output"],
    "nested": ["input", "0", "1.input", "1.lif", "1.w_rec", "1.output", "2", "3", "output"],
    "residual": ["input", "0", "1", "skip", "wait", "2", "3", "output"],
}
"""Of networks that are no chains: every node after those that it hears without a loop."""


@pytest.mark.parametrize("comparison", Comparison)
@pytest.mark.parametrize("reset", ResetKind)
@pytest.mark.parametrize("name", NETWORKS)
def test_every_spike_is_that_of_the_equation(
    name: str, reset: ResetKind, comparison: Comparison, tmp_path: Path
) -> None:
    g = np.random.default_rng(len(name))
    nodes, edges = NETWORKS[name](g)
    # The file's order is no order at all.
    path = written(tmp_path / "network.nir", dict(sorted(nodes.items(), reverse=True)), edges)
    options = Assumptions(
        dt=1.0, reset=reset, comparison=comparison, time_steps=STEPS, fraction_bits=16, weight_bits=4, exact=True
    )
    imported = import_nir(path, options)
    assert imported.verdict is Verdict.EXACT, [finding.sentence for finding in imported.findings]
    graph = imported.accepted()
    spikes = g.random((STEPS, BATCH, graph.input.size)) < 0.35
    network = nir_network(read_tree(path), "x", options)
    expected, trace = simulate(network, ORDERS.get(name, list(nodes)), spikes), run(graph, spikes)
    fired = 0
    for ours, theirs in imported.names:
        if ours in trace.populations and graph.population(ours) is not graph.readout:
            fired += int(expected[theirs].sum())
            assert int((trace.populations[ours].spikes != (expected[theirs] > 0)).sum()) == 0, ours
    assert fired > 200
    assert imported.network is not None
    own = Simulation(imported.network, imported.names, graph).run(spikes, time_steps=STEPS)
    for ours, found in own.spikes.items():
        assert (found == (expected[dict(imported.names)[ours]] > 0)).all(), ours
    assert np.allclose(own.logits[-1], expected["output"].sum(axis=0))
    if isinstance(graph.into("readout")[0], Pooling):
        assert (trace.logits == expected["output"].sum(axis=0)).all()


def test_names_become_identifiers_and_are_kept(tmp_path: Path) -> None:
    nodes, edges = _dense(np.random.default_rng(0))
    new = {"1": "lif1.lif", "3": "3-ü"}
    path = written(
        tmp_path / "a b.nir",
        {new.get(name, name): node for name, node in nodes.items()},
        [(new.get(x, x), new.get(y, y)) for x, y in edges],
    )
    imported = import_nir(path, Assumptions(dt=1.0))
    assert dict(imported.names) == {"input": "input", "lif1_lif": "lif1.lif", "n3": "3-ü", "readout": "output"}


def test_what_was_assumed_is_said(tmp_path: Path) -> None:
    path = written(tmp_path / "network.nir", *_dense(np.random.default_rng(0)))
    imported = import_nir(path, Assumptions(dt=1.0, reset=ResetKind.SOFT))
    assert {item.option for item in imported.assumptions} == {
        *("dt", "reset", "comparison", "leak", "encoding", "time-steps", "decoding")
    }
    with pytest.raises(OptionError, match=r"needs the length of a time step.*--dt"):
        import_nir(path, Assumptions())


@pytest.mark.parametrize(("leak", "beta"), [(Leak.EULER, 0.95), (Leak.EXPONENTIAL, np.exp(-0.05))])
def test_a_leak_without_a_shift_is_refitted_or_refused(leak: Leak, beta: float, tmp_path: Path) -> None:
    g = np.random.default_rng(0)
    path = written(tmp_path / "network.nir", *chain(nir.Linear(integers(g, 4, 5)), lif(4, 20.0), shape=(5,)))
    imported = import_nir(path, Assumptions(dt=1.0, leak=leak))
    found = next(finding for finding in imported.findings if finding.kind == "LIF")
    assert imported.verdict is Verdict.REFITTED
    error = abs(beta - 0.9375)
    assert f"1 - 2^-4 = 0.9375 of the membrane instead of {beta:.6g}: {error:.2g} off" in found.text
    with pytest.raises(UnsupportedError, match=r"LIF '1'.*the nearest is 1 - 2\^-4.*Train with 0.9375"):
        read_nir(path, Assumptions(dt=1.0, leak=leak, exact=True))


def test_a_leaky_readout_leaks_unless_its_sum_will_do(tmp_path: Path) -> None:
    g = np.random.default_rng(0)

    def readout(tau: float) -> Any:
        return nir.LI(tau=np.full(3, tau), r=np.ones(3), v_leak=np.zeros(3))

    nodes, edges = chain(
        nir.Linear(integers(g, 4, 5)), lif(4, 4.0), nir.Linear(integers(g, 3, 4)), readout(4.0), shape=(5,)
    )
    path = written(tmp_path / "network.nir", nodes, edges)
    imported = import_nir(path, Assumptions(dt=1.0))
    assert imported.verdict is Verdict.EXACT
    assert imported.accepted().readout.neuron == Readout(leak_shift=2)
    assert "The class is the largest membrane after the last step of '3'." in [a.text for a in imported.assumptions]
    summed = import_nir(path, Assumptions(dt=1.0, decoding=Decoding.SUM))
    assert summed.verdict is Verdict.REFITTED
    assert summed.accepted().readout.neuron == Readout()
    nodes["3"] = readout(20.0)
    path = written(tmp_path / "network.nir", nodes, edges)
    (found,) = [finding for finding in import_nir(path, Assumptions(dt=1.0)).findings if finding.kind == "LI"]
    assert found.verdict is Verdict.REFITTED
    assert "a step leaves 1 - 2^-4 = 0.9375 of the membrane instead of 0.95" in found.text
    with pytest.raises(UnsupportedError, match=r"LI '3'.*the nearest is 1 - 2\^-4"):
        read_nir(path, Assumptions(dt=1.0, exact=True))
    nodes["3"] = nir.I(r=np.ones(3))
    path = written(tmp_path / "network.nir", nodes, edges)
    assert import_nir(path, Assumptions(dt=1.0)).verdict is Verdict.EXACT


def test_pixels_may_meet_neurons_without_weights(tmp_path: Path) -> None:
    path = written(tmp_path / "network.nir", *chain(lif((2, 4, 4), 1.0, 0.5), shape=(2, 4, 4)))
    options = Assumptions(dt=1.0, encoding=Encoding.DIRECT, comparison=Comparison.AT_LEAST, time_steps=2)
    pixels = np.arange(32).reshape(1, 32) * 8
    trace = run(read_nir(path, options), pixels[:1].repeat(2, axis=0), bits=8)
    assert (trace.populations["n0"].spikes == (pixels >= 127.5)).all()


def test_a_missing_extra_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(MissingError, match=r"h5py, which is not installed: pip install 'snnc\[nir\]'"):
        read_nir(tmp_path / "network.nir", Assumptions())
