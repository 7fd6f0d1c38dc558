"""The students that ship: each reaches the accuracy that is recorded beside it."""

import hashlib
import json

import pytest

from snnc.distill.checkpoint import read_checkpoint
from snnc.distill.data import load
from snnc.distill.exactness import integer_inputs, integer_layers, simulate


@pytest.fixture
def students(repository):
    return repository / "examples" / "students"


def test_every_student_has_its_record_and_is_small(students):
    paths = sorted(students.glob("*.pt"))
    assert {path.stem for path in paths} == {path.stem for path in students.glob("*.json")}
    assert len(paths) >= 4
    for path in paths:
        record = json.loads(path.with_suffix(".json").read_text())
        assert hashlib.sha256(path.read_bytes()).hexdigest() == record["sha256"]
        checkpoint = read_checkpoint(path)
        numbers = sum(tensor.numel() for tensor in checkpoint["state"].values())
        assert checkpoint["activity"] is not None
        activity = checkpoint["activity"]
        pixels = [activity[key] for key in ("pixels", "digits") if key in activity]  # events have none
        recorded = [*activity["events"].values(), *activity.get("typical", {}).values(), *pixels]
        numbers += sum(tensor.numel() for tensor in recorded)
        # Each tensor is a file of its own in the archive, with a head.
        assert path.stat().st_size == record["bytes"] < 4 * numbers + 500 * len(recorded) + 20_000
        assert checkpoint["metrics"] == record["metrics"]
        assert checkpoint["config"]["seed"] == record["seed"]
        assert record["command"].startswith("snnc distill ")
        assert path.stem in record["command"]
        bits = {p["weight_bits"] for layer in checkpoint["layers"] for p in layer["projections"] if "weight_bits" in p}
        assert bits == ({2} if path.stem.endswith("ternary") else {4})
        assert checkpoint["time_steps"] <= 4 or checkpoint["input"]["encoding"] == "events"


def test_every_student_is_in_the_table(students):
    table = (students / "README.md").read_text()
    for path in students.glob("*.json"):
        metrics = json.loads(path.read_text())["metrics"]
        (row,) = [line for line in table.splitlines() if line.startswith(f"| `{path.stem}.pt`")]
        assert f"**{metrics['integer_test'] * 100:.2f} %**" in row
        assert f"{path.with_suffix('.pt').stat().st_size:,}" in row


def test_the_digits_student_keeps_its_promise(students):
    checkpoint = read_checkpoint(students / "digits-64-32-10-int4.pt")
    test = load("digits").test
    trace = simulate(integer_layers(checkpoint), integer_inputs(checkpoint, test.images))
    accuracy = float((trace.classes == test.labels).mean())
    assert accuracy == checkpoint["metrics"]["integer_test"]
    assert accuracy >= 0.96
    assert accuracy >= checkpoint["metrics"]["float_test"] - 0.01
