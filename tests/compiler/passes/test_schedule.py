"""Lanes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from snnc.compiler.design import Options
from snnc.compiler.errors import OptionError, UnsupportedError
from snnc.compiler.frontend.random_network import RandomNetwork, random_graph
from snnc.compiler.frontend.student import student_graph
from snnc.compiler.ir import Encoding
from snnc.compiler.passes.bound import bound
from snnc.compiler.passes.normalise import normalise
from snnc.compiler.passes.place import best_fit
from snnc.compiler.passes.quantise import quantise
from snnc.compiler.passes.schedule import _check_built, schedule
from snnc.compiler.targets import find_device
from tests.compiler.networks import deep_checkpoint, design_of


def scheduled(sizes, *, device=None, lanes=None, bits=4):
    graph = random_graph(RandomNetwork(sizes=sizes, weight_bits=bits))
    return schedule(bound(design_of(graph, device=device, options=Options(lanes=lanes))))


@pytest.mark.parametrize(
    ("sizes", "lanes"),
    [
        ((64, 32, 10), (16, 10)),
        ((64, 10, 10), (16, 10)),
        ((64, 5, 3), (8, 3)),
        ((64, 1, 1), (1, 1)),
        ((64, 10), (10,)),
        ((20, 16, 26), (16, 13)),
        ((20, 16, 16), (16, 16)),
        ((20, 40, 40, 17), (16, 16, 9)),
    ],
    ids=str,
)
def test_sixteen_where_there_is_room(sizes, lanes):
    assert scheduled(sizes, device="hx8k").lanes == lanes


def test_a_family_says_how_wide_an_engine_may_be_unasked():
    graph = random_graph(RandomNetwork(sizes=(64, 128, 40, 10)))
    lanes = {
        device.family: schedule(bound(dataclasses.replace(design_of(graph), device=device))).lanes
        for device in (find_device("ice40", "hx8k"), find_device("ecp5", "85k"))
    }
    assert lanes == {"ice40": (16, 16, 10), "ecp5": (64, 64, 10)}


def test_a_small_device_gets_fewer():
    wide, narrow = scheduled((64, 64, 10)), scheduled((64, 64, 10), device="hx1k")
    assert sum(narrow.lanes) < sum(wide.lanes)
    assert not best_fit(narrow).problem


def test_what_fits_nowhere_keeps_the_fastest():
    assert scheduled((784, 512, 10)).lanes == (16, 10)


def test_the_users_lanes():
    assert scheduled((64, 32, 10), lanes=(5, 3)).lanes == (5, 3)
    assert scheduled((64, 32, 10), lanes=(32, 16)).lanes == (32, 16)


@pytest.mark.parametrize(
    ("lanes", "named"),
    [
        ((16,), "1 numbers for 2 layers (hidden0, readout)"),
        ((16, 10, 10), "3 numbers"),
        ((0, 10), "0 for layer 'hidden0' with 32 neurons"),
        ((64, 10), "64 for layer 'hidden0'"),
        ((16, 17), "17 for layer 'readout' with 10 neurons; 1 to 16"),
    ],
)
def test_impossible_lanes_are_refused(lanes, named):
    with pytest.raises(OptionError) as caught:
        scheduled((64, 32, 10), lanes=lanes)
    assert named in str(caught.value)


BUILT = "is not built yet. 'snnc evaluate' runs it in integers; --print-after bound shows its ranges."


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"pool": 2}, "Layer 'hidden0' pools pixels; the hardware of it " + BUILT),
        ({"delay": 1}, "Layer 'hidden0' hears 'input' with a delay; the hardware of delays " + BUILT),
        ({"leak_shift": 3}, "Layer 'hidden0' leaks; the hardware of LIF neurons " + BUILT),
        ({"floor": np.zeros(4, np.int64)}, "Layer 'hidden0' has a floor of its membranes; the hardware of floors "),
    ],
)
def test_what_the_hardware_lacks_is_named(change, named):
    graph = random_graph(RandomNetwork(sizes=(8, 4, 2), encoding=Encoding.DIRECT))
    first, hidden = graph.projections[0], graph.layers[0]
    if "pool" in change:
        source = dataclasses.replace(graph.input, shape=(8, 2, 2))
        graph = dataclasses.replace(graph, populations=(source, *graph.layers))
    if change.keys() <= {"pool", "delay"}:
        first = dataclasses.replace(first, **change)
    else:
        hidden = dataclasses.replace(hidden, neuron=dataclasses.replace(hidden.neuron, **change))
    graph = dataclasses.replace(
        graph,
        populations=(graph.input, hidden, graph.readout),
        projections=(first, graph.projections[1]),
    )
    design = bound(design_of(graph))
    with pytest.raises(UnsupportedError) as caught:
        schedule(design)
    assert named in str(caught.value)


def test_loops_are_refused_by_name():
    design = bound(quantise(normalise(design_of(student_graph(deep_checkpoint())))))
    assert len(design.bounds) == 6
    with pytest.raises(UnsupportedError, match="Layer 'conv1' branches or joins; the hardware of anything but chains"):
        schedule(design)
    layers = {layer.name: layer for layer in design.graph.layers}
    loop = tuple(item for item in design.graph.into("rec4") if item.delay)
    with pytest.raises(UnsupportedError, match="is recurrent; the hardware of loops"):
        _check_built(dataclasses.replace(design.graph, projections=loop), layers["rec4"])


def test_branches_are_refused_by_name():
    graph = random_graph(RandomNetwork(sizes=(8, 4, 4, 2)))
    skip = dataclasses.replace(graph.projections[1], target="readout", weight=graph.projections[2].weight)
    design = bound(design_of(graph))
    branched = dataclasses.replace(design, graph=dataclasses.replace(graph, projections=(*graph.projections, skip)))
    with pytest.raises(UnsupportedError, match="'hidden0' branches or joins"):
        schedule(branched)
