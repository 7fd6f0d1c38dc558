"""A network that answers again and again: as a stream and as samples, and what is written of it."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from snnc.compiler.errors import OptionError
from snnc.distill.data.recordings import Recording
from snnc.sim.evaluation.streams import (
    Answered,
    StreamEvaluation,
    answer_samples,
    answer_streams,
    judged,
    streams_json,
)
from snnc.sim.models.inputs import Samples
from tests.networks import random_chain
from tests.streams import streaming

GRAPH = streaming(random_chain((10, 9, 3), time_steps=12))
EVENTS = np.random.default_rng(0).integers(0, 2, (4, 12, 10, 1, 1), dtype=np.uint8)
TRACKS = np.random.default_rng(1).integers(-1, 3, (4, 12))
SAMPLES = Samples(name="own", images=EVENTS, labels=TRACKS, classes=("a", "b", "c"), events=True)


def recordings(events: np.ndarray) -> list[Recording]:
    return [
        Recording(name=str(n), events=one.reshape(len(one), -1), labels=TRACKS[n % 4, np.zeros(len(one), int)])
        for n, one in enumerate(events)
    ]


@pytest.mark.parametrize("every", [1, 5, 12])
def test_a_sample_is_a_stream_that_begins_in_silence(every: int) -> None:
    endless = list(answer_streams(GRAPH, recordings(EVENTS), every=every))
    with_an_end = list(answer_samples(dataclasses.replace(GRAPH, stream=False), SAMPLES, every=every))
    for stream, sample in zip(endless, with_an_end, strict=True):
        assert stream.logits.shape == (12 // every, 3)
        np.testing.assert_array_equal(stream.logits, sample.logits)
    np.testing.assert_array_equal(with_an_end[2].labels, TRACKS[2])


def test_a_long_stream_is_heard_in_pieces_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    events = np.random.default_rng(2).integers(0, 2, (1, 100, 10), dtype=np.uint8)
    (whole,) = answer_streams(GRAPH, recordings(events), every=7)
    monkeypatch.setattr("snnc.sim.evaluation.streams._PIECE", 20)
    heard: list[int] = []
    (pieces,) = answer_streams(GRAPH, recordings(events), every=7, progress=heard.append)
    np.testing.assert_array_equal(whole.logits, pieces.logits)
    assert len(whole.logits) == 14
    assert heard == [14] * 7 + [2]
    (anew,) = answer_streams(GRAPH, recordings(events[:, 14:]), every=7)
    assert (anew.logits != whole.logits[2:]).any()  # what was heard before counts


def test_labels_of_samples_are_those_of_all_their_steps() -> None:
    whole = dataclasses.replace(SAMPLES, labels=np.array([2, 0, 1, 1]))
    found = list(answer_samples(dataclasses.replace(GRAPH, stream=False), whole, every=4))
    assert [set(one.labels.tolist()) for one in found] == [{2}, {0}, {1}, {1}]


def test_answers_that_never_come_are_refused() -> None:
    with pytest.raises(OptionError, match=r"--every is 13, but .* answers after 12 steps at most"):
        list(answer_streams(GRAPH, recordings(EVENTS), every=13))
    assert [len(one.logits) for one in answer_streams(GRAPH, recordings(EVENTS[:, :5]), every=6)] == [0] * 4


def test_the_file_for_programs() -> None:
    answered = list(answer_streams(GRAPH, recordings(EVENTS), every=3))
    decisions = judged(answered, every=3, late=1, windows=(2, 1))
    result = StreamEvaluation(
        graph=GRAPH,
        source="a.pt",
        dataset="own",
        classes=("a", "b", "c"),
        endless=True,
        every=3,
        late=1,
        streams=4,
        steps=48,
        decisions=decisions,
        first=answered[0],
    )
    facts = json.loads(streams_json(result))
    assert (facts["format"], facts["version"]) == ("snnc-decisions", 1)
    assert [entry["answers"] for entry in facts["decisions"]] == [1, 2]
    one = facts["decisions"][0]
    assert one["count"] == decisions[1].count == sum(map(sum, one["confusion"]))
    assert one["accuracy"] == pytest.approx(decisions[1].accuracy)
    silent = judged(
        [Answered(name="x", labels=np.full(6, -1), logits=answered[0].logits[:2])], every=3, late=0, windows=(1,)
    )
    assert (
        json.loads(streams_json(dataclasses.replace(result, decisions=silent)))["decisions"][0]["delay_steps"] is None
    )
