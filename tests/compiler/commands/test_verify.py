"""`snnc verify` on data of one's own, as its user meets it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from snnc.compiler import cli
from snnc.compiler.build.results import RESULT_VERSION
from snnc.sim.evaluation.activity import measure
from snnc.sim.models.inputs import load_samples
from tests.networks import build_graph, random_chain

STEPS = 4
COUNT = 12


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A build of a small network of events, and recordings for it."""
    folder = tmp_path_factory.mktemp("verify")
    build = build_graph(random_chain((12, 6, 3), time_steps=STEPS), folder / "build")
    generator = np.random.default_rng(0)
    samples = generator.integers(0, 2, (COUNT, STEPS, 2, 3, 2), dtype=np.uint8)
    labels = np.arange(COUNT) % 3
    np.savez(folder / "own.npz", x_train=samples, y_train=labels, x_test=samples, y_test=labels)
    return build, folder / "own.npz"


def test_events_of_ones_own_are_those_that_evaluate_takes(made, capsys):
    build, data = made
    assert cli.run(["verify", str(build.path), "--dataset", "npz", "--data", str(data)]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith(f"Equal: {COUNT} samples, ")
    result = json.loads((build.path / "verify" / "result.json").read_text())
    assert result["version"] == RESULT_VERSION
    graph = build.load_graph()
    activity = measure(graph, load_samples(graph, "npz", data=data), time_steps=STEPS)
    assert result["accuracy"] == activity.accuracy[-1]
    for layer, found in zip(graph.layers[:-1], activity.layers, strict=False):
        assert result["firing_rates"][layer.name] == pytest.approx(found.rate)


def test_data_that_do_not_fit_are_one_sentence(made, tmp_path, capsys):
    build, _ = made
    images, labels = np.zeros((6, 1, 3, 3), np.uint8), np.arange(6) % 3
    np.savez(tmp_path / "own.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    assert cli.run(["verify", str(build.path), "--dataset", "npz", "--data", str(tmp_path / "own.npz")]) == 1
    err = capsys.readouterr().err
    assert "have the shape 1x3x3, but the network" in err
    assert len(err.splitlines()) == 1
