"""``snnc activity``, and what ``snnc compile`` takes a network to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from snnc.compiler.cli import cli
from snnc.compiler.formats import import_network
from snnc.compiler.ir.model import model_hash
from snnc.compiler.pipeline import integer_network

STUDENT = Path(__file__).parents[3] / "examples" / "students" / "digits-64-32-10-int4.pt"


def said(*words: object, status: int = 0) -> str:
    result = CliRunner().invoke(cli, [str(word) for word in words])
    assert result.exit_code == status, result.output
    return result.output


def test_it_measures_and_writes_a_record_and_nothing_else(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    path = tmp_path / "new.pt"
    text = said("activity", STUDENT, "-o", path)
    assert "a mean sample of 360 (digits, validation)" in text
    assert "spikes of 32 neurons by step" in text
    found = import_network(path).activity
    assert found is not None
    assert (found.samples, found.time_steps) == (360, 4)
    assert model_hash(integer_network(path)) == model_hash(integer_network(STUDENT))


def test_only_a_student_gets_a_record(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    result = CliRunner().invoke(cli, ["activity", str(STUDENT), "-o", str(tmp_path / "new.npz")])
    assert "-o NAME.pt" in str(result.exception)
    assert not list(tmp_path.iterdir())


def test_compile_says_what_it_went_by(tmp_path: Path) -> None:
    assumed = said("compile", STUDENT, "--activity", "assumed", "-o", tmp_path / "assumed")
    assert "by an assumed activity (20% of the inputs and 15% of the hidden neurons" in assumed
    measured = said("compile", STUDENT, "--dataset", "digits", "-o", tmp_path / "measured")
    assert "by the activity measured on 360 samples (digits, validation)" in measured
    assert "by the activity of 360 samples (digits, validation)" in (tmp_path / "measured" / "report.md").read_text()
    drawn = said("compile", "--random", "20-10", "-o", tmp_path / "drawn")
    assert "(the calibration of a random network)" in drawn


@pytest.mark.parametrize(
    ("words", "named"),
    [(("--data", "x"), "--data needs --dataset"), (("--dataset", "digits", "--activity", "assumed"), "give one")],
)
def test_options_that_contradict_each_other(words: tuple[str, ...], named: str) -> None:
    assert named in said("compile", STUDENT, *words, status=2)
