"""`snnc evaluate --rival`: what it counts, what it writes, and what it refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from snnc.compiler import cli
from snnc.compiler.formats.student import read_student
from snnc.compiler.pipeline import integer_network
from snnc.distill.data import load
from snnc.sim.models import golden
from snnc.sim.models.inputs import encode


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    output = tmp_path_factory.mktemp("student") / "student.pt"
    options = "--architecture 1x8x8-6c3-a2-8c3s2-10 --epochs 6 --copies 1 --loss cross-entropy --weight-bits 3"
    assert cli.run(["distill", *options.split(), "-o", str(output)]) == 0
    return output


@pytest.fixture(scope="module")
def compared(student, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rival")
    recorded = folder / "recorded.pt"
    arguments = ["evaluate", str(student), "--rival", "--samples", "60", "--record", str(recorded), "-o", str(folder)]
    assert cli.run(arguments) == 0
    return folder, recorded, json.loads((folder / "evaluation.json").read_text())["rival"]


def test_its_work_is_that_of_synapses_behind_the_first_layer(student, compared):
    _, _, facts = compared
    graph = integer_network(student)
    second, readout = graph.projections[-2], graph.projections[-1]
    assert second.source == graph.layers[0].name
    # A unit in every place, through kernels of ones: each output counts the synapses that reach it.
    ones = torch.ones(1, 6, 4, 4)
    into_second = F.conv2d(ones, torch.ones(8, 6, 3, 3), stride=2, padding=1).sum() * 4  # through windows of 2 x 2
    assert facts["macs"] == float(into_second) + readout.weight.size

    digits = load("digits").test.images[:60]
    trace = golden.run(graph, encode(graph.source, digits, time_steps=4, events=False), time_steps=4)
    first, last = (trace.populations[graph.layers[k].name].spikes for k in (0, -2))
    reached = F.conv_transpose2d(
        torch.ones(1, 8, 2, 2), torch.ones(8, 6, 3, 3), stride=2, padding=1, output_padding=1
    ).repeat_interleave(2, 2)
    each = reached.repeat_interleave(2, 3).flatten().numpy()
    behind = first.sum(axis=(0, 1)) @ each + last.sum() * 10
    assert facts["operations"] == pytest.approx(behind / 60)


def test_it_says_how_both_did(compared, capsys):
    folder, _, facts = compared
    assert (facts["samples"], facts["time_steps"], facts["bits"], facts["epochs"]) == (60, 4, 3, 6)
    assert facts["accuracy"] > 0.7
    assert facts["spiking_accuracy"] == json.loads((folder / "evaluation.json").read_text())["accuracy"]["integer"][-1]
    page = (folder / "report.html").read_text()
    assert facts["verdict"] in page
    assert f"{facts['accuracy']:.2%}" in page


def test_it_is_not_trained_twice(student, compared, monkeypatch, capsys):
    folder, _, facts = compared
    monkeypatch.setattr("snnc.distill.rival.F.cross_entropy", None)
    assert cli.run(["evaluate", str(student), "--rival", "--samples", "60", "-o", str(folder)]) == 0
    assert json.loads((folder / "evaluation.json").read_text())["rival"] == facts
    assert "quantised ANN" in capsys.readouterr().out
    assert cli.run(["evaluate", str(student), "--rival", "--rival-budget", "2", "-o", str(folder)]) == 1
    assert "was trained in another way" in capsys.readouterr().err


def test_a_build_of_the_recorded_student_shows_it(student, compared, tmp_path):
    _, recorded, facts = compared
    assert read_student(recorded).rival is not None
    for source, there in ((student, False), (recorded, True)):
        build = tmp_path / source.stem
        assert cli.run(["compile", str(source), "--target", "ice40", "-o", str(build)]) == 0
        report = json.loads((build / "report.json").read_text())
        assert (report["rival"] == facts) == there
        for page in ("report.html", "report.md"):
            assert (facts["verdict"] in (build / page).read_text()) == there
    hashes = [json.loads((tmp_path / source.stem / "report.json").read_text()) for source in (student, recorded)]
    assert hashes[0]["network"]["hash"] == hashes[1]["network"]["hash"]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--rival", "--time-steps", "3"], 1, "leave --time-steps out"),
        (["--rival", "--rival-budget", "0"], 1, "--rival-budget must be above 0"),
        (["--rival", "--every", "2"], 2, "leave it out, or --every"),
        (["--record", "x.pt"], 2, "give it, too"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(student, arguments, status, message, tmp_path, capsys):
    assert cli.run(["evaluate", str(student), *arguments, "-o", str(tmp_path)]) == status
    assert message in capsys.readouterr().err


def test_it_needs_a_student(repository, tmp_path, capsys):
    sealed = tmp_path / "sealed.npz"
    student = repository / "examples" / "students" / "digits-64-32-10-int4.pt"
    assert cli.run(["export", str(student), str(sealed)]) == 0
    assert cli.run(["evaluate", str(sealed), "--rival", "-o", str(tmp_path)]) == 1
    assert "says how to train one" in capsys.readouterr().err


def test_shares_of_active_neurons_are_means_over_samples(compared):
    _, _, facts = compared
    assert 0 < facts["active_macs"] < facts["macs"]
    assert np.isclose(facts["active_additions"], facts["active_macs"] * 3)
