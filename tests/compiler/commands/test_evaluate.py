"""`snnc evaluate`: what it writes, what it prints, and one sentence per error."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from rich.console import Console

from snnc.compiler import cli
from snnc.compiler.commands import evaluate as commands
from snnc.compiler.errors import BuildError
from snnc.sim.evaluation.activity import measure
from snnc.sim.evaluation.console import show_evaluation
from snnc.sim.evaluation.evaluation import Evaluation
from snnc.sim.evaluation.report import render_html
from snnc.sim.evaluation.subject import open_subject
from snnc.sim.models.inputs import load_samples


@pytest.fixture(scope="module")
def student(repository) -> Path:
    return repository / "examples" / "students" / "digits-64-32-10-int4.pt"


@pytest.fixture(scope="module")
def evaluated(student, tmp_path_factory) -> tuple[Evaluation, Path]:
    folder = tmp_path_factory.mktemp("evaluation") / "below" / "here"
    result = commands.run(
        student,
        dataset="digits",
        data=None,
        samples=100,
        time_steps=None,
        costs="int8",
        noise="gaussian,stuck-at-1",
        noise_samples=20,
        noise_seeds=3,
        output=folder,
    )
    return result, folder


def test_the_file_for_programs(evaluated):
    result, folder = evaluated
    facts = json.loads((folder / "evaluation.json").read_text())
    assert (facts["format"], facts["version"]) == ("snnc-evaluation", 1)
    assert facts["samples"]["count"] == 100
    assert len(facts["accuracy"]["integer"]) == len(facts["accuracy"]["float"]) == facts["time_steps"] == 4
    assert facts["accuracy"]["integer"][-1] > 0.9
    assert np.sum(facts["confusion"]) == 100
    assert [layer["name"] for layer in facts["layers"]] == ["hidden0", "readout"]
    assert facts["operations"]["ann_macs"] == 64 * 32 + 32 * 10
    assert facts["modelled_energy"]["costs"]["name"] == "int8"
    assert [family["name"] for family in facts["noise"]["families"]] == ["gaussian", "stuck-at-1"]
    assert facts["noise"]["samples"] == 20
    assert facts["network"]["recorded"]["integer_test"] == result.subject.recorded["integer_test"]
    assert sorted(path.name for path in folder.iterdir()) == ["evaluation.json", "report.html"]


def test_the_page_needs_no_other_file_and_its_plots_are_svg(evaluated):
    _, folder = evaluated
    page = (folder / "report.html").read_text(encoding="utf-8")
    images = re.findall(r'src="([^"]*)"', page)
    assert len(images) == 6
    for image in images:
        kind, _, data = image.partition(",")
        assert kind == "data:image/svg+xml;base64"
        assert ElementTree.fromstring(base64.b64decode(data)).tag == "{http://www.w3.org/2000/svg}svg"
    assert not re.search(r"<script|<link|@import|url\(|https?://", page)
    for heading in ("Accuracy", "One sample", "Layers", "Modelled energy", "Quantisation doctor", "Noise immunity"):
        assert f"<h2>{heading}</h2>" in page


def test_the_page_is_the_same_again(evaluated):
    result, folder = evaluated
    assert render_html(result) == (folder / "report.html").read_text(encoding="utf-8")


def test_tables_fit_80_columns(evaluated):
    result, folder = evaluated
    output = io.StringIO()
    console = Console(file=output, width=80, highlight=False, markup=False)
    show_evaluation(result, folder / "report.html", console=console)
    text = output.getvalue()
    assert "…" not in text
    *body, last = text.rstrip().splitlines()
    assert max(map(len, body)) <= 80
    assert str(folder / "report.html") in last
    assert "hidden0" in text
    assert "modelled nJ" in text


def test_names_from_files_are_text_and_nothing_else(evaluated):
    result, _ = evaluated
    names = ("<b>bold</b>", "$x_{$", "[red]", *map(str, range(7)))
    page = render_html(dataclasses.replace(result, classes=names, source="<script>", dataset="<i>"))
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "&lt;i&gt;" in page


def test_many_time_steps_fit_the_console_too(evaluated, tmp_path):
    result, _ = evaluated
    accuracy = np.linspace(0.1, 0.9, 40)
    activity = dataclasses.replace(result.activity, time_steps=40, accuracy=accuracy, floating=None)
    output = io.StringIO()
    console = Console(file=output, width=80, highlight=False, markup=False)
    show_evaluation(dataclasses.replace(result, activity=activity), tmp_path / "report.html", console=console)
    text = output.getvalue()
    assert "…" not in text
    assert re.search(r"^ integer .* 90.00% *$", text, re.MULTILINE)
    assert " T = 40" in text


def run(capsys, *arguments: str | Path) -> tuple[int, str, str]:
    status = cli.run(["evaluate", *map(str, arguments)])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_the_command(capsys, student, tmp_path):
    status, out, err = run(capsys, student, "--samples", "20", "--time-steps", "2", "-o", tmp_path / "o")
    assert (status, err) == (0, "")
    assert "at T = 2" in out
    facts = json.loads((tmp_path / "o" / "evaluation.json").read_text())
    assert facts["noise"]["families"] == []
    assert facts["time_steps"] == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--dataset", "nothing"], "no data set called 'nothing'"),
        (["--noise", "pink"], "no noise called 'pink'"),
        (["--costs", "int4"], "no costs called 'int4'"),
        (["--time-steps", "70000"], "--time-steps is 70000"),
    ],
)
def test_one_sentence_for_options_that_cannot_be(arguments, said, capsys, student, tmp_path):
    status, out, err = run(capsys, student, *arguments, "-o", tmp_path / "o")
    assert (status, out) == (1, "")
    assert said in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "o").exists()


def test_an_unreadable_student(capsys, tmp_path):
    (tmp_path / "a.pt").write_bytes(b"nonsense")
    status, _, err = run(capsys, tmp_path / "a.pt", "-o", tmp_path / "o")
    assert status == 1
    assert "a.pt" in err


def npz(path: Path, shape: tuple[int, ...], classes: int, count: int = 40) -> Path:
    images = np.zeros((count, *shape), np.uint8)
    labels = np.arange(count) % classes
    np.savez(path, x_train=images, y_train=labels, x_test=images, y_test=labels)
    return path


@pytest.mark.parametrize(
    ("shape", "classes", "said"),
    [
        ((1, 8, 9), 10, "have the shape 1x8x9, but the network 'digits-64-32-10' takes 1x8x8"),
        ((1, 16, 4), 10, "have the shape 1x16x4"),
        ((1, 8, 8), 9, "has 9 classes, but the network 'digits-64-32-10' tells 10 apart"),
        ((4, 1, 8, 8), 10, "are events, but the network 'digits-64-32-10' takes images"),
    ],
)
def test_data_that_do_not_fit(shape, classes, said, capsys, student, tmp_path):
    data = npz(tmp_path / "d.npz", shape, classes)
    status, _, err = run(capsys, student, "--dataset", "npz", "--data", data, "-o", tmp_path / "o")
    assert status == 1
    assert said in err
    assert len(err.splitlines()) == 1


def test_no_permission_is_told_before_the_work(capsys, student, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("mine")
    monkeypatch.setattr(commands, "measure", lambda *_, **__: pytest.fail("it ran"))
    status, _, err = run(capsys, student, "-o", tmp_path / "file")
    assert status == 1
    assert "cannot be written" in err
    assert (tmp_path / "file").read_text() == "mine"
    assert run(capsys, student, "-o", tmp_path / "file" / "below")[0] == 1


def test_what_lies_beside_the_results_stays(capsys, student, tmp_path, monkeypatch):
    (tmp_path / "mine.txt").write_text("mine")
    assert run(capsys, student, "--samples", "5", "-o", tmp_path)[0] == 0
    before = (tmp_path / "evaluation.json").read_bytes()

    def broken(*_):
        raise BuildError("the disk is full.")

    monkeypatch.setattr(commands, "replace_file", broken)
    assert run(capsys, student, "--samples", "6", "-o", tmp_path)[0] == 1
    assert (tmp_path / "evaluation.json").read_bytes() == before
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_a_network_of_flat_inputs_takes_images_of_that_many_pixels(student, tmp_path):
    graph = open_subject(student).integer
    flat = dataclasses.replace(graph.input, shape=(64, 1, 1), bias=np.zeros(64, np.int64))
    graph = dataclasses.replace(graph, populations=(flat, *graph.populations[1:]), activity=None)
    samples = load_samples(graph, "npz", data=npz(tmp_path / "d.npz", (1, 16, 4), 10), samples=7)
    assert len(samples) == 7
    assert measure(graph, samples, time_steps=2).samples == 7
