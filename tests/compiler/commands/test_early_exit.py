"""`snnc early-exit`: the file that it writes, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from snnc.compiler.cli import run
from snnc.compiler.formats.student import read_student
from snnc.compiler.ir import Exit
from snnc.compiler.ir.model import load_model, model_hash, model_to_bytes
from snnc.compiler.pipeline import integer_network
from snnc.distill.checkpoint import read_checkpoint
from snnc.sim.evaluation.exits import answers_of, exiting
from snnc.sim.models.inputs import load_samples


@pytest.fixture
def student(repository) -> Path:
    return repository / "examples" / "students" / "digits-64-32-10-int4.pt"


def test_a_student_with_an_exit(student: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = tmp_path / "new.pt"
    assert run(["early-exit", str(student), "--samples", "300", "--steps", "1,2", "-o", str(new)]) == 0
    said = capsys.readouterr().out
    assert "300 samples of train" in said
    assert "300 samples of validation" in said
    graph = read_student(new)
    assert graph.exit is not None
    assert graph.exit.steps == (1, 2)
    assert f"margin of {graph.exit.margin} after step 1, 2" in said
    assert read_checkpoint(new)["exit"]["margin"] == graph.exit.margin
    samples = load_samples(integer_network(student), "digits", data=None, samples=300, part="validation")
    assert graph.activity is not None
    ended = exiting(answers_of(integer_network(student), samples), graph.exit).ended
    assert graph.activity.exits == ended
    assert 0 < sum(ended.values()) < 1
    # The same integers, and another network.
    assert model_hash(integer_network(student)) != model_hash(integer_network(new))
    assert integer_network(new, time_steps=1).exit is None

    folder = tmp_path / "evaluation"
    assert run(["evaluate", str(new), "--samples", "100", "-o", str(folder)]) == 0
    facts = json.loads((folder / "evaluation.json").read_text())
    assert "With its early exit" in capsys.readouterr().out
    assert facts["exit"]["margin"] == graph.exit.margin
    assert 1 <= facts["exit"]["steps"]["mean"] < facts["time_steps"]
    assert sum(map(sum, facts["confusion"])) == 100


def test_a_margin_for_fewer_steps_and_bits(student: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = tmp_path / "new.pt"
    options = ["--time-steps", "3", "--weight-bits", "2"]
    assert run(["early-exit", str(student), *options, "--agreement", "95", "-o", str(new)]) == 0
    assert "compile it with --time-steps 3 --weight-bits 2." in capsys.readouterr().out
    graph = integer_network(new, time_steps=3, weight_bits=2)
    assert graph.exit is not None
    assert graph.exit.steps == (1, 2)
    samples = load_samples(graph, "digits", data=None, samples=10_000, part="train")
    assert exiting(answers_of(graph, samples), graph.exit).agreement >= 0.95
    less = Exit(margin=graph.exit.margin - 1, steps=graph.exit.steps)
    assert exiting(answers_of(graph, samples), less).agreement < 0.95


def test_a_sealed_model_with_an_exit(student: Path, tmp_path: Path) -> None:
    old, new = tmp_path / "old.npz", tmp_path / "new.npz"
    old.write_bytes(model_to_bytes(integer_network(student)))
    assert run(["early-exit", str(old), "--samples", "200", "-o", str(new)]) == 0
    sealed = load_model(new).exit
    assert sealed is not None
    assert sealed.steps == (1, 2, 3)


@pytest.mark.parametrize(
    ("options", "output", "said"),
    [
        (["--steps", "4"], "new.pt", "can end early after steps 1 to 3; after 4 is not possible"),
        (["--time-steps", "2", "--steps", "2"], "new.pt", "can end early after steps 1 to 1"),
        (["--time-steps", "1"], "new.pt", "takes 1 step(s)"),
        (["--steps", "1;2"], "new.pt", "is not a list"),
        ([], "new.npz", "from one of the same kind"),
        (["--dataset", "nothing"], "new.pt", "no data set called 'nothing'"),
    ],
)
def test_one_sentence(
    student: Path, tmp_path: Path, options: list[str], output: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["early-exit", str(student), *options, "-o", str(tmp_path / output)]) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / output).exists()
