"""Decisions in a stream, judged by hand."""

from __future__ import annotations

import numpy as np
import pytest

from snnc.compiler.errors import DataError
from snnc.sim.evaluation.decisions import judge, windowed

LABELS = np.array([0, 0, 0, 0, -1, -1, 1, 1, 1, 1])
STEPS = np.array([2, 4, 6, 8, 10])


def logits(*classes: int) -> np.ndarray:
    """Answers of these classes, of three."""
    return np.eye(3, dtype=np.int64)[list(classes)]


def test_each_answer_is_judged_by_the_label_of_its_step() -> None:
    found = judge(logits(1, 0, 2, 2, 1), STEPS, LABELS)
    assert found.confusion.tolist() == [[1, 1, 0], [0, 1, 1], [0, 0, 0]]
    assert (found.count, found.accuracy) == (4, 0.5)


def test_the_time_to_decision_is_counted_from_the_first_step_of_a_segment() -> None:
    found = judge(logits(1, 0, 2, 2, 1), STEPS, LABELS)
    assert found.delays.tolist() == [4, 4]
    assert (found.delay, found.missed) == (4.0, 0)
    at_once = judge(logits(0, 0, 2, 1, 1), STEPS, LABELS)
    assert at_once.delays.tolist() == [2, 2]


def test_a_segment_that_is_never_right_is_missed() -> None:
    found = judge(logits(2, 2, 0, 1, 0), STEPS, LABELS)
    assert found.delays.tolist() == [-1, 2]
    assert (found.delay, found.missed) == (2.0, 1)
    assert np.isnan(judge(logits(2, 2, 2, 2, 2), STEPS, LABELS).delay)


def test_answers_may_be_about_what_was() -> None:
    """Three steps late: the answers after 2, 4, 6, 8 and 10 steps are about nothing, step 0, 2, 4 and 6."""
    found = judge(logits(2, 0, 0, 2, 1), STEPS, LABELS, late=3)
    assert found.confusion.tolist() == [[2, 0, 0], [0, 1, 0], [0, 0, 0]]
    assert found.delays.tolist() == [4, 4]


def test_streams_add_up() -> None:
    one, two = judge(logits(0, 0, 0, 1, 1), STEPS, LABELS), judge(logits(1, 1, 0, 1, 1), STEPS, LABELS)
    assert (one + two).accuracy == 0.75
    assert (one + two).delays.tolist() == [2, 2, -1, 2]


def test_a_window_is_the_sum_of_the_last_answers() -> None:
    each = np.array([[1, 0], [2, 5], [4, -1], [8, 3]])
    assert windowed(each, 1).tolist() == each.tolist()
    assert windowed(each, 2).tolist() == [[1, 0], [3, 5], [6, 4], [12, 2]]
    assert windowed(each, 9).tolist() == np.cumsum(each, axis=0).tolist()
    with pytest.raises(ValueError, match="1 answer at least"):
        windowed(each, 0)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (LABELS[:-1], "answers after 2 to 10 steps, but labels of 9"),
        (LABELS + 2, r"reach from 1 to 3; there are 3 classes from 0 on"),
        (LABELS - 1, r"reach from -2 to 0"),
        (LABELS.astype(float), "are float64"),
        (LABELS[:, np.newaxis], r"shape \(10, 1\)"),
    ],
)
def test_a_track_that_is_none_is_refused(labels: np.ndarray, said: str) -> None:
    with pytest.raises(DataError, match=said):
        judge(logits(0, 0, 0, 0, 0), STEPS, labels)


def test_a_segment_is_answered_by_all_that_is_about_it() -> None:
    """An answer for class 2 that is louder than the one for class 0 behind it."""
    louder = logits(2, 0, 1, 1, 1) * np.array([[3], [1], [1], [1], [1]])
    found = judge(louder, STEPS, LABELS)
    assert found.segments.tolist() == [[0, 0, 1], [0, 1, 0], [0, 0, 0]]
    assert found.segment_accuracy == 0.5


def test_answers_are_counted_by_their_number_in_their_segment() -> None:
    found = judge(logits(1, 0, 2, 2, 1), STEPS, LABELS)
    assert found.ages.tolist() == [[0, 2], [2, 2]]  # steps 2 and 8, then 4 and 10
    longer = judge(logits(0, 0, 0, 0, 0), STEPS, np.zeros(10, int))
    assert (found + longer).ages.tolist() == [[1, 3], [3, 3], [1, 1], [1, 1], [1, 1]]
    assert (found + longer).segments.tolist() == [[2, 0, 0], [0, 1, 0], [0, 0, 0]]  # the lowest on a tie
