"""The sealed model as a format: `snnc evaluate` and `snnc compile` take every entry of the table."""

from __future__ import annotations

import json

import pytest

from snnc.compiler import cli
from snnc.compiler.formats import FORMATS, import_network
from snnc.compiler.ir.model import model_hash
from snnc.compiler.pipeline import integer_network
from snnc.sim.evaluation.subject import open_subject

STUDENT = "digits-64-32-10-int4.pt"


@pytest.fixture
def files(repository, tmp_path):
    """A file of every format, of one network."""
    student = repository / "examples" / "students" / STUDENT
    sealed = tmp_path / "model.npz"
    write = FORMATS[".npz"].write
    assert write is not None
    write(integer_network(student), sealed)
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.npz"]
    return {".pt": student, ".npz": sealed}


def test_it_is_the_network_that_was_written(files):
    assert model_hash(import_network(files[".npz"])) == model_hash(integer_network(files[".pt"]))


def test_evaluate_works_with_every_format(files, tmp_path, capsys):
    assert files.keys() == FORMATS.keys()
    found = {}
    for suffix, path in files.items():
        output = tmp_path / suffix[1:]
        assert cli.run(["evaluate", str(path), "--samples", "30", "-o", str(output)]) == 0, capsys.readouterr().err
        found[suffix] = json.loads((output / "evaluation.json").read_text())
    assert found[".pt"]["network"]["hash"] == found[".npz"]["network"]["hash"]
    assert found[".pt"]["accuracy"]["integer"] == found[".npz"]["accuracy"]["integer"]
    assert found[".npz"]["accuracy"]["float"] is None


def test_only_a_student_records_its_training(files):
    assert "integer_test" in open_subject(files[".pt"]).recorded
    assert not open_subject(files[".npz"]).recorded
