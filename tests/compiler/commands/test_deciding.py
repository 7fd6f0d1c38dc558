"""Labels of steps from a file to decisions: ``snnc distill``, ``evaluate --every``, ``verify`` as a user meets them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from snnc.compiler import cli
from snnc.compiler.commands.deciding import parse_answers
from snnc.compiler.errors import OptionError


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes, which of them changes every four steps; some steps are not counted."""
    random = np.random.default_rng(0)
    tracks = np.repeat(random.integers(0, 2, (80, 3)), 4, axis=1)
    rates = np.where(np.arange(4) // 2 == tracks[..., np.newaxis], 0.7, 0.1)
    events = (random.random(rates.shape) < rates).astype(np.uint8)
    tracks[::5, :4] = -1
    path = tmp_path_factory.mktemp("deciding") / "own.npz"
    np.savez(path, x_train=events[:60], y_train=tracks[:60], x_test=events[60:], y_test=tracks[60:])
    return path


@pytest.fixture(scope="module")
def student(own: Path) -> Path:
    path = own.with_name("student.pt")
    words = [
        "--architecture",
        "4-8-2",
        "--leak-shift",
        "1",
        "--every",
        "4",
        "--epochs",
        "4",
        "--class-weights",
        "balanced",
    ]
    assert cli.run(["distill", "--data", str(own), *words, "-o", str(path)]) == 0
    return path


def evaluated(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    status = cli.run(["evaluate", *map(str, words)])
    found = capsys.readouterr()
    return status, found.out, found.err


def test_what_was_trained_is_what_is_measured(
    student: Path, own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    config = torch.load(student, weights_only=True)
    assert (config["config"]["every"], config["config"]["class_weights"]) == (4, "balanced")
    found = []
    for extra in ([], ["--stream"]):
        status, out, _ = evaluated(capsys, student, "--data", own, "--every", 4, *extra, "-o", tmp_path / "o")
        assert status == 0
        assert max(map(len, out.splitlines()[:-1])) <= 80
        found.append(json.loads((tmp_path / "o" / "decisions.json").read_text()))
        page = (tmp_path / "o" / "decisions.html").read_text()
        assert "data:image/svg+xml" in page
        assert "http" not in page.replace("http://www.w3.org", "")
    assert found[0]["decisions"] == found[1]["decisions"]
    assert found[0]["decisions"][0]["count"] == 3 * 20 - 4
    assert found[0]["decisions"][0]["accuracy"] == pytest.approx(config["metrics"]["integer_test"])


def test_a_student_is_asked_as_it_was_trained(
    student: Path, own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = []
    for extra in ([], ["--every", 4, "--label-delay", 0], ["--label-delay", 1]):
        assert evaluated(capsys, student, "--data", own, *extra, "-o", tmp_path / "o")[0] == 0
        result = json.loads((tmp_path / "o" / "decisions.json").read_text())
        found.append((result["every"], result["label_delay"], result["decisions"]))
    assert found[0] == found[1]
    assert found[0][:2] == (4, 0)
    assert found[2][:2] == (4, 1)


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ({"every": 4, "label_delay": 2}, (4, 2)),
        ({"every": 0, "label_delay": 0}, None),
        ({"every": "4", "label_delay": 0}, None),
        ({"every": 4}, None),
        ("", None),
    ],
)
def test_what_a_file_says_of_decisions(config: object, found: tuple[int, int] | None, tmp_path: Path) -> None:
    import torch

    from snnc.compiler.formats.student import trained_decisions

    torch.save({"config": config}, tmp_path / "student.pt")
    decides = trained_decisions(tmp_path / "student.pt")
    assert (None if decides is None else (decides.every, decides.late)) == found


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--every", "0"], "Every step of 'npz' has a label"),
        (["--every", "13"], "--every is 13"),
        (["--every", "4", "--label-delay", "12"], "No answer to 'npz' has a label"),
        (["--every", "4", "--answers", "0"], "--answers '0' is not a list"),
    ],
)
def test_one_sentence_where_nothing_can_be_judged(
    words: list[str], said: str, student: Path, own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, err = evaluated(capsys, student, "--data", own, *words, "-o", tmp_path / "o")
    assert status == 1
    assert said in err.splitlines()[-1]
    assert not list((tmp_path / "o").glob("*.*"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--every", "0", "--stream"], "give --every, too"),
        (["--every", "0", "--label-delay", "1"], "give --every, too"),
        (["--every", "4", "--noise", "all"], "--noise is of samples"),
    ],
)
def test_options_that_do_not_go_together(
    words: list[str], said: str, student: Path, own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, err = evaluated(capsys, student, "--data", own, *words)
    assert status == 2
    assert said in " ".join(err.split())


def test_a_stream_without_an_end_needs_widths(own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    endless = tmp_path / "soft.pt"
    assert cli.run(["distill", "--data", str(own), "--architecture", "4-8-2", "--epochs", "3", "-o", str(endless)]) == 0
    status, _, err = evaluated(capsys, endless, "--data", own, "--every", 4, "--stream", "-o", tmp_path / "o")
    assert status == 1
    assert "has no widths for a stream without an end" in err


@pytest.mark.heavy
def test_hardware_takes_samples_whose_steps_have_labels(
    student: Path, own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["compile", str(student), "--lanes", "8,2", "-o", str(tmp_path / "build")]) == 0
    assert cli.run(["verify", str(tmp_path / "build"), "--data", str(own), "--samples", "5"]) == 0
    out = capsys.readouterr().out
    assert "Equal: 5 samples" in out
    assert "accuracy" not in out


def test_answers_are_numbers_in_order() -> None:
    assert parse_answers("5, 1,2,2") == (1, 2, 5)
    for wrong in ("", "1,x", "-1", "1.5", "9999999999"):
        with pytest.raises(OptionError, match="--answers"):
            parse_answers(wrong)
