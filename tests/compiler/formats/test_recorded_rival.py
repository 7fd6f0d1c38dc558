"""The rival in a student's checkpoint: there and back, and what is refused."""

from __future__ import annotations

import dataclasses

import pytest

from snnc.compiler.errors import CheckpointError, UnsupportedError
from snnc.compiler.formats.recorded_rival import rival_entry
from snnc.compiler.formats.student import student_graph
from snnc.compiler.ir.model import model_hash
from snnc.compiler.passes.normalise import normalised
from snnc.compiler.passes.quantise import quantised
from tests.compiler.ir.test_rival import RECORD
from tests.compiler.networks import changed, checkpoint


def with_rival(**values):
    return checkpoint() | {"rival": rival_entry(RECORD) | values}


def test_there_and_back():
    assert student_graph(checkpoint()).rival is None
    assert student_graph(with_rival()).rival == RECORD
    assert student_graph(checkpoint() | {"rival": None}).rival is None


def test_it_is_no_part_of_the_network_and_of_these_weights_and_steps_alone():
    plain, told = (student_graph(source) for source in (checkpoint(), with_rival()))
    integers = [quantised(normalised(graph)) for graph in (plain, told)]
    assert model_hash(integers[0]) == model_hash(integers[1])
    assert integers[1].rival == RECORD
    assert student_graph(with_rival(time_steps=3)).rival is None
    assert quantised(normalised(told), 3).rival is None


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("rival", [], "'rival' of the checkpoint"),
        ("rival/data", 3, "'data'"),
        ("rival/samples", 0, "'samples'"),
        ("rival/time_steps", 0, "'time_steps'"),
        ("rival/epochs", True, "'epochs'"),
        ("rival/accuracy", 1.5, "'accuracy' of 'rival' of the checkpoint must be a float of 0 to 1"),
        ("rival/accuracy", float("nan"), "'accuracy'"),
        ("rival/spiking_accuracy", -0.1, "'spiking_accuracy'"),
        ("rival/macs", float("inf"), "'macs'"),
        ("rival/macs", 10, "'macs'"),
        ("rival/active_macs", 1001.0, "more active MACs than MACs"),
        ("rival/operations", 1e16, "'operations'"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(path, value, message):
    with pytest.raises(CheckpointError, match=message):
        student_graph(changed(with_rival(), path, value))


def test_an_unknown_field_is_refused_by_name():
    with pytest.raises(UnsupportedError, match="mood"):
        student_graph(with_rival(mood="good"))


@pytest.mark.parametrize("name", [entry.name for entry in dataclasses.fields(RECORD)])
def test_every_field_is_needed(name):
    values = rival_entry(RECORD)
    del values[name]
    with pytest.raises(CheckpointError, match=name):
        student_graph(checkpoint() | {"rival": values})
