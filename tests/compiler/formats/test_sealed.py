"""The sealed model as a format: `snnc evaluate` and `snnc compile` take every entry of the table."""

from __future__ import annotations

import json

import numpy as np
import pytest

from snnc.compiler import cli
from snnc.compiler.formats import FORMATS, import_network
from snnc.compiler.ir.model import model_hash
from snnc.compiler.pipeline import integer_network
from snnc.sim.evaluation.subject import open_subject
from tests.compiler.formats.nir.test_hostile import save

STUDENT = "digits-64-32-10-int4.pt"


@pytest.fixture
def files(repository, tmp_path):
    """A file of every format, of one network."""
    student = repository / "examples" / "students" / STUDENT
    sealed = tmp_path / "model.npz"
    write = FORMATS[".npz"].write
    assert write is not None
    sealed.write_bytes(write(integer_network(student)))
    return {".pt": student, ".npz": sealed}


def test_it_is_the_network_that_was_written(files):
    assert model_hash(import_network(files[".npz"])) == model_hash(integer_network(files[".pt"]))


def test_evaluate_works_with_every_format(files, tmp_path, capsys):
    read = {suffix for suffix, kind in FORMATS.items() if kind.read is not None}
    assert files.keys() == read - {".nir", ".onnx"}  # those made elsewhere have tests of their own
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


def test_evaluate_takes_what_a_nir_file_does_not_say(tmp_path, capsys):
    generator = np.random.default_rng(0)
    path = save(
        tmp_path / "digits.nir",
        {
            "input": {"type": "Input", "shape": np.array([64])},
            "fc": {"type": "Affine", "weight": generator.normal(size=(12, 64)) / 4, "bias": np.zeros(12)},
            "if": {"type": "IF", "r": np.ones(12), "v_threshold": np.ones(12)},
            "out": {"type": "Affine", "weight": generator.normal(size=(10, 12)), "bias": np.zeros(10)},
            "output": {"type": "Output", "shape": np.array([10])},
        },
    )
    words = ["evaluate", str(path), "--samples", "20", "-o", str(tmp_path / "e")]
    options = ["--dt", "1", "--encoding", "direct", "--time-steps", "3"]
    assert cli.run([*words, *options]) == 0, capsys.readouterr().err
    assert json.loads((tmp_path / "e" / "evaluation.json").read_text())["accuracy"]["integer"] is not None
    assert cli.run(words) == 1
    assert "--dt" in capsys.readouterr().err


def test_evaluate_refuses_them_of_other_files(files, tmp_path, capsys):
    assert cli.run(["evaluate", str(files[".pt"]), "--dt", "1", "-o", str(tmp_path / "e")]) == 2
    assert "--dt belongs to .nir and .onnx files" in capsys.readouterr().err
