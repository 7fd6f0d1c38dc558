"""The activity in a student's checkpoint: there and back, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from snnc.compiler.errors import CheckpointError, UnsupportedError
from snnc.compiler.formats.recorded_activity import activity_entry
from snnc.compiler.formats.student import student_graph
from snnc.compiler.ir import verify
from tests.compiler.networks import changed, checkpoint


def recorded() -> dict[str, Any]:
    """A 12-hidden-3 student with what it did."""
    plain = checkpoint()
    plain["activity"] = {
        "data": "noise, validation",
        "samples": 40,
        "events": {"hidden0": np.array([1.5, 2, 0, 6], np.float32).reshape(4, 1, 1)},
        "pixels": np.full((3, 4), 0.5, np.float32),
        "digits": np.full((3, 4), 0.75, np.float32),
    }
    return plain


def test_there_and_back() -> None:
    plain = recorded()
    graph = student_graph(plain)
    verify(graph)
    assert graph.activity is not None
    assert (graph.activity.samples, graph.activity.data, graph.activity.time_steps) == (40, "noise, validation", 4)
    again = student_graph(checkpoint() | {"activity": activity_entry(graph.activity)}).activity
    assert again is not None
    np.testing.assert_array_equal(again.events["hidden0"], graph.activity.events["hidden0"])
    np.testing.assert_array_equal(again.digits, graph.activity.digits)
    assert student_graph(checkpoint()).activity is None
    assert student_graph(changed(plain, "activity", None)).activity is None


def test_typical_samples_there_and_back() -> None:
    plain = recorded()
    plain["activity"]["typical"] = {"hidden0": np.array([[1, 2, 0, 6], [0, 0, 1, 1]], np.float32)}
    graph = student_graph(plain)
    verify(graph)
    assert graph.activity is not None
    again = student_graph(checkpoint() | {"activity": activity_entry(graph.activity)}).activity
    assert again is not None
    np.testing.assert_array_equal(again.typical["hidden0"], plain["activity"]["typical"]["hidden0"])
    without = student_graph(recorded()).activity
    assert without is not None
    assert without.typical == {}
    with pytest.raises(CheckpointError, match="float32 tensors of 2 dimensions"):
        student_graph(changed(plain, "activity/typical/hidden0", np.zeros((4, 1, 1), np.float32)))


def test_shares_of_early_ends_there_and_back() -> None:
    plain = recorded()
    plain["activity"]["exits"] = {1: 0.25, 2: 0.5}
    graph = student_graph(plain)
    verify(graph)
    assert graph.activity is not None
    assert activity_entry(graph.activity)["exits"] == graph.activity.exits == {1: 0.25, 2: 0.5}


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("activity", [], "'activity' of the checkpoint"),
        ("activity/data", 3, "'data'"),
        ("activity/data", "x" * 300, "'data'"),
        ("activity/samples", 0, "'samples'"),
        ("activity/samples", 1.5, "'samples'"),
        ("activity/samples", ..., "'samples'"),
        ("activity/events", ..., "'events'"),
        ("activity/events", [], "'events'"),
        ("activity/events/hidden0", 3.0, "float32 tensors of 3 dimensions"),
        ("activity/events/hidden0", np.zeros((4, 1), np.float32), "float32 tensors of 3 dimensions"),
        ("activity/events/hidden0", np.zeros((4, 1, 1), np.int64), "float32 tensors of 3 dimensions"),
        ("activity/events/hidden0", np.full((4, 1, 1), 7, np.float32), "0 to 6 are possible"),
        ("activity/events/hidden0", np.full((4, 1, 1), np.nan, np.float32), "reaches from nan"),
        ("activity/events/hidden0", ..., "lacks 'hidden0'"),
        ("activity/events/readout", np.zeros((4, 1, 1), np.float32), "names 'readout'"),
        ("activity/exits", {1: 0.7, 2: 0.4}, "shares of samples that end early"),
        ("activity/exits", {1: float("nan")}, "shares of samples that end early"),
        ("activity/exits", {0: 0.5}, "shares of samples that end early"),
        ("activity/exits", {"1": 0.5}, "must give a share by each number of steps"),
        ("activity/exits", {1: 1}, "must give a share by each number of steps"),
        ("activity/exits", [], "'exits'"),
        ("activity/exits", dict.fromkeys(range(1, 66), 0.0), "has 65 entries"),
        ("activity/pixels", ..., "has no image"),
        ("activity/digits", np.full((3, 4), 9, np.float32), "the digits"),
        ("activity/digits", np.full((4, 3), 0.75, np.float32), "the shape"),
    ],
)
def test_what_is_wrong_is_named(path: str, value: object, named: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        verify(student_graph(changed(recorded(), path, value)))
    assert named in str(caught.value)


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="unknown setting 'more'"):
        student_graph(changed(recorded(), "activity/more", 1))
