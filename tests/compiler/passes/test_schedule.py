"""Lanes."""

from __future__ import annotations

import dataclasses

import pytest

from snnc.compiler.design import Options
from snnc.compiler.errors import OptionError, UnsupportedError
from snnc.compiler.frontend.random_network import RandomNetwork, random_graph
from snnc.compiler.frontend.student import student_graph
from snnc.compiler.ir import Encoding, Graph, Projection
from snnc.compiler.passes.bound import bound
from snnc.compiler.passes.normalise import normalise
from snnc.compiler.passes.place import best_fit
from snnc.compiler.passes.quantise import quantise
from snnc.compiler.passes.schedule import schedule
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


BUILT = (
    " is not built yet. {}, or use rate or events encoding. 'snnc evaluate' runs it in integers; --print-after bound "
    "shows its ranges."
)


def test_pixels_with_a_delay_are_refused():
    graph = random_graph(RandomNetwork(sizes=(8, 4, 2), encoding=Encoding.DIRECT))
    late = dataclasses.replace(graph.projections[0], delay=1)
    refused(
        dataclasses.replace(graph, projections=(late, graph.projections[1])),
        "Layer 'hidden0' hears pixels with a delay; the hardware that holds them back"
        + BUILT.format("Leave the delay out"),
    )


def test_pixels_that_branch_are_refused():
    graph = random_graph(RandomNetwork(sizes=(8, 4, 4, 2), encoding=Encoding.DIRECT))
    skip = dataclasses.replace(graph.projections[0], target="hidden1")
    refused(
        with_projections(graph, skip),
        "Layer 'hidden0' hears the pixels as another projection does; the hardware of an image that branches"
        + BUILT.format("Let one layer hear the pixels, and what is behind it that layer"),
    )


def test_pixels_beside_spikes_are_refused():
    graph = random_graph(RandomNetwork(sizes=(4, 4, 2), encoding=Encoding.DIRECT))
    loop = dataclasses.replace(graph.projections[0], source="hidden0", delay=1)
    refused(
        with_projections(graph, loop),
        "Layer 'hidden0' hears pixels beside spikes; the hardware of the two together"
        + BUILT.format("Let a layer of its own hear the pixels"),
    )


def test_delays_alone_before_all_that_hears_pixels_are_refused():
    graph = random_graph(RandomNetwork(sizes=(4, 4, 4, 2), encoding=Encoding.DIRECT))
    first, second, third = graph.projections
    swapped = (
        dataclasses.replace(first, target="hidden1"),
        dataclasses.replace(second, source="hidden1", target="hidden0", delay=1),
        third,
    )
    refused(
        dataclasses.replace(graph, projections=swapped),
        "Layer 'hidden0' hears nothing without a delay, and stands before every layer that hears pixels; the hardware "
        "of it" + BUILT.format("Put it behind one of them"),
    )


def with_projections(graph: Graph, *more: Projection) -> Graph:
    return dataclasses.replace(graph, projections=(*graph.projections, *more))


def refused(graph: Graph, named: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        schedule(bound(design_of(graph)))
    assert named in str(caught.value)


def test_residuals_recurrence_and_leaks_are_scheduled():
    design = schedule(bound(quantise(normalise(design_of(student_graph(deep_checkpoint()))))))
    assert len(design.lanes) == 6
    assert sum(len(design.graph.into(layer.name)) for layer in design.graph.layers) == 9
