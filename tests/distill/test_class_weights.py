"""Weights of classes: how they are told, and what ``balanced`` comes to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from snnc.compiler.errors import OptionError
from snnc.distill.class_weights import read_class_weights, weigh_classes

CLASSES = ("walk", "run", "rest")


def test_balanced_makes_classes_weigh_the_same_and_a_label_one_on_average() -> None:
    labels = np.array([[0, 0, 0, 0, 1], [1, 2, -1, -1, -1]])
    weights = weigh_classes("balanced", labels, 3)
    assert weights is not None
    counts = np.array([4, 2, 1])
    np.testing.assert_allclose(weights.numpy() * counts, 7 / 3)
    assert float((weights.numpy() * counts).sum() / 7) == pytest.approx(1)
    assert weigh_classes("", labels, 3) is None
    missing = weigh_classes("balanced", labels, 4)
    assert missing is not None
    assert missing.isfinite().all()


def test_they_are_told_in_words_numbers_or_a_file(tmp_path: Path) -> None:
    path = tmp_path / "weights.json"
    assert read_class_weights("balanced", CLASSES) == "balanced"
    assert read_class_weights("", CLASSES) == ""
    told = read_class_weights("1,2.5,0", CLASSES)
    assert read_class_weights(told, CLASSES) == told == "1.0,2.5,0.0"
    path.write_text('{"rest": 0, "walk": 1, "run": 2.5}')
    assert read_class_weights(str(path), CLASSES) == told
    path.write_text("[1, 2.5, 0]")
    assert read_class_weights(str(path), CLASSES) == told
    weights = weigh_classes(told, np.zeros(1, np.int64), 3)
    assert weights is not None
    assert weights.tolist() == [1, 2.5, 0]


@pytest.mark.parametrize("text", ["1,2", "1,2,x", "1,2,-1", "1,nan,2", "inf,1,1", "0,0,0", "even"])
def test_numbers_that_cannot_be_are_one_sentence(text: str) -> None:
    with pytest.raises(OptionError, match=r"--class-weights must be balanced, 3 numbers from 0 on"):
        read_class_weights(text, CLASSES)


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ("{", "cannot be read"),
        ('{"walk": 1, "run": 1}', "every class and no other, not 'rest'"),
        ('{"walk": 1, "run": 1, "rest": "much"}', "must be balanced"),
        ("3", "must be balanced"),
    ],
)
def test_a_file_that_is_wrong_is_one_sentence(contents: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.json"
    path.write_text(contents)
    with pytest.raises(OptionError, match=message):
        read_class_weights(str(path), CLASSES)
    with pytest.raises(OptionError, match="cannot be read"):
        read_class_weights(str(tmp_path / "missing.json"), CLASSES)
