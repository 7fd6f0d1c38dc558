"""The record of what a network did, against sums that are spelled out."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from snnc.compiler.errors import CheckpointError, DataError
from snnc.compiler.formats import RandomNetwork
from snnc.compiler.formats.random_network import random_graph
from snnc.compiler.ir import ActivityRecord, Encoding, Graph, verify
from snnc.compiler.ir.model import model_hash
from snnc.compiler.passes.lower import lowered
from snnc.sim.models.activity import TYPICAL, ActivityTally, measure_activity
from snnc.sim.models.inputs import Samples
from snnc.sim.models.timing.digits import digit_count

SHAPE = "2x5x4-3c3-10"


def network(encoding: Encoding) -> Graph:
    return random_graph(RandomNetwork(architecture=SHAPE, encoding=encoding, time_steps=3))


def test_spikes_by_step_and_position() -> None:
    generator = np.random.default_rng(0)
    graph = network(Encoding.EVENTS)
    inputs, spikes = generator.random((3, 7, 40)) < 0.3, generator.random((3, 7, 60)) < 0.2
    tally = ActivityTally(graph, "noise")
    tally.add(inputs[:, :4], {"hidden0": spikes[:, :4]})
    tally.add(inputs[:, 4:], {"hidden0": spikes[:, 4:]})
    record = tally.record()
    assert record.samples == 7
    assert record.data == "noise"
    assert record.pixels is record.digits is None
    for name, fired, channels in (("input", inputs, 2), ("hidden0", spikes, 3)):
        expected = np.zeros((3, 5, 4))
        for t, _, neuron in np.argwhere(fired):
            expected[t, neuron % 20 // 4, neuron % 4] += 1 / 7
        assert neuron < 20 * channels
        np.testing.assert_allclose(record.events[name], expected)


def test_typical_samples_are_the_middles_of_equal_parts() -> None:
    graph = network(Encoding.EVENTS)
    generator = np.random.default_rng(0)
    rates = generator.permutation(40)[:, None] / 50
    inputs = generator.random((3, 40, 40)) < rates
    spikes = generator.random((3, 40, 60)) < rates
    tally = ActivityTally(graph, "noise")
    for part in (slice(0, 15), slice(15, 40)):
        tally.add(inputs[:, part], {"hidden0": spikes[:, part]})
    record = tally.record()
    verify(dataclasses.replace(graph, activity=record))
    sent = {"input": inputs.sum(axis=2), "hidden0": spikes.sum(axis=2)}
    order = np.argsort((sent["input"] + sent["hidden0"]).sum(axis=0), kind="stable")
    assert TYPICAL == 8
    for name, counts in sent.items():
        np.testing.assert_array_equal(record.typical[name], counts.T[order[2::5]])
    few = ActivityTally(graph, "noise")
    few.add(inputs[:, :3], {"hidden0": spikes[:, :3]})
    assert few.record().typical["input"].shape == (3, 3)


def test_images_have_no_typical_samples() -> None:
    graph = network(Encoding.DIRECT)
    tally = ActivityTally(graph, "noise")
    tally.add(np.ones((6, 40), np.int64), {"hidden0": np.zeros((3, 6, 60), np.bool_)})
    assert tally.record().typical == {}


@pytest.mark.parametrize(
    ("typical", "said"),
    [
        ({"input": np.ones((2, 3))}, "of other populations"),
        ({"input": np.ones((2, 3)), "hidden0": np.ones((1, 3))}, r"shape \[1, 3\]"),
        ({"input": np.ones((2, 2)), "hidden0": np.ones((2, 2))}, r"shape \[2, 2\]"),
        ({"input": np.ones((65, 3)), "hidden0": np.ones((65, 3))}, "65 typical samples"),
        ({"input": np.full((2, 3), 41.0), "hidden0": np.ones((2, 3))}, "reaches from 41 to 41"),
        ({"input": np.ones((2, 3)), "hidden0": np.full((2, 3), np.nan)}, "reaches from nan"),
    ],
)
def test_typical_samples_of_no_such_network_are_refused(typical: dict[str, np.ndarray], said: str) -> None:
    with pytest.raises(CheckpointError, match=said):
        verify(changed(network(Encoding.EVENTS), typical=typical))


def test_pixels_and_their_digits() -> None:
    graph = network(Encoding.DIRECT)
    images = np.random.default_rng(1).integers(0, 16, (6, 40))
    tally = ActivityTally(graph, "noise")
    tally.add(images, {"hidden0": np.zeros((3, 6, 60), np.bool_)})
    record = tally.record()
    assert record.pixels is not None
    assert record.digits is not None
    maps = images.reshape(6, 2, 5, 4)
    np.testing.assert_allclose(record.pixels, (maps != 0).sum(axis=1).mean(axis=0))
    np.testing.assert_allclose(record.digits, digit_count(maps).sum(axis=1).mean(axis=0))
    assert list(record.events) == ["hidden0"]


def test_it_runs_all_steps_of_all_samples() -> None:
    graph = network(Encoding.EVENTS)
    images = np.random.default_rng(2).integers(0, 256, (5, 2, 5, 4)).astype(np.uint8)
    samples = Samples(name="few", images=images, labels=np.zeros(5, np.int64), classes=())
    done: list[int] = []
    record = measure_activity(graph, samples, "few", progress=done.append)
    assert sum(done) == record.samples == 5
    assert record.time_steps == 3
    verify(dataclasses.replace(graph, activity=record))
    with pytest.raises(DataError, match="no sample of few"):
        measure_activity(graph, samples.first(0), "few")


def test_a_random_network_records_its_calibration() -> None:
    for encoding in Encoding:
        graph = network(encoding)
        assert graph.activity is not None
        assert 0.1 < graph.activity.events["hidden0"].sum(axis=(1, 2)).mean() / 60 < 0.3  # FIRING_TARGET is 0.2
        assert (graph.activity.pixels is None) == (encoding is not Encoding.DIRECT)


def test_no_hash_knows_of_it() -> None:
    graph = network(Encoding.EVENTS)
    assert model_hash(dataclasses.replace(graph, activity=None)) == model_hash(graph)


def test_what_repeats_the_input_does_what_the_input_does() -> None:
    graph = network(Encoding.EVENTS)
    late = tuple(dataclasses.replace(one, delay=1) if one.source == "input" else one for one in graph.projections)
    found, _ = lowered(dataclasses.replace(graph, projections=late))
    assert graph.activity is not None
    assert found.activity is not None
    assert found.activity.events["input_relay"] is graph.activity.events["input"]
    verify(found)


def changed(graph: Graph, **fields: object) -> Graph:
    assert graph.activity is not None
    return dataclasses.replace(graph, activity=dataclasses.replace(graph.activity, **fields))  # type: ignore[arg-type]


def with_events(graph: Graph, **events: np.ndarray) -> Graph:
    assert graph.activity is not None
    return changed(graph, events={**graph.activity.events, **events})


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ({"hidden0": np.full((3, 5, 4), 3.1)}, "reaches from 3.1 to 3.1 for the spikes of 'hidden0', where 0 to 3"),
        ({"hidden0": np.full((3, 5, 4), -0.1)}, "reaches from -0.1"),
        ({"hidden0": np.full((3, 5, 4), np.nan)}, "reaches from nan"),
        ({"hidden0": np.full((3, 5, 4), np.inf)}, "reaches from inf"),
        ({"hidden0": np.zeros((3, 4, 5))}, r"the shape \[3, 4, 5\] for the spikes of 'hidden0', not \[3, 5, 4\]"),
        ({"hidden0": np.zeros((0, 5, 4))}, "the shape"),
        ({"input": np.zeros((2, 5, 4))}, "the shape"),
        ({"hidden7": np.zeros((3, 5, 4))}, "names 'hidden7'"),
        ({"readout": np.zeros((3, 1, 1))}, "names 'readout'"),
    ],
)
def test_what_no_network_can_do_is_refused(events: dict[str, np.ndarray], said: str) -> None:
    with pytest.raises(CheckpointError, match=said):
        verify(with_events(network(Encoding.EVENTS), **events))


def test_what_no_image_can_be_is_refused() -> None:
    graph = network(Encoding.DIRECT)
    verify(graph)
    ones = np.ones((5, 4))
    for fields, said in (
        ({"pixels": None}, "has no image"),
        ({"digits": None}, "has no image"),
        ({"pixels": 2.1 * ones}, "the pixels"),
        ({"pixels": ones, "digits": 0.9 * ones}, "more or fewer digits"),
        ({"pixels": ones, "digits": 3.1 * ones}, "more or fewer digits"),  # 4 bits have three at most
        ({"samples": 0}, "0 samples"),
        ({"events": {}}, "lacks 'hidden0'"),
    ):
        with pytest.raises(CheckpointError, match=said):
            verify(changed(graph, **fields))
    spikes = network(Encoding.EVENTS)
    with pytest.raises(CheckpointError, match="has an image"):
        verify(changed(spikes, pixels=ones, digits=ones))


def test_steps_are_those_of_the_record() -> None:
    record = ActivityRecord(data="", samples=1, events={})
    assert record.time_steps == 0
