"""Graphs that contradict themselves are named; the others are shown as they are."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from snnc.compiler.errors import CheckpointError, UnsupportedError
from snnc.compiler.formats.student import student_graph
from snnc.compiler.ir import Graph, IntegrateAndFire, format_graph, verify
from snnc.compiler.passes.normalise import normalised
from snnc.compiler.passes.quantise import quantised
from tests.compiler.networks import deep_checkpoint
from tests.strategies import integer_networks

GRAPH = quantised(normalised(student_graph(deep_checkpoint())))
POSITIONS = {"conv1": 0, "conv2": 1, "skip": 2, "max3": 3, "rec4": 4, "loop": 5, "mean5": 6, "readout": 7}


def with_projection(name: str, **fields: Any) -> Graph:
    position = POSITIONS[name]
    projections = list(GRAPH.projections)
    projections[position] = dataclasses.replace(projections[position], **fields)
    return dataclasses.replace(GRAPH, projections=tuple(projections))


@given(graph=integer_networks())
def test_sound_networks_pass(graph):
    verify(graph)
    assert format_graph(graph).count("\n") == len(graph.populations) + len(graph.projections) + (graph.exit is not None)


@pytest.mark.parametrize(
    ("name", "fields", "named"),
    [
        (
            "conv1",
            {"stride": (2, 1)},
            "'conv1' has the shape (4, 6, 6), but its projection from 'input' gives (4, 3, 6)",
        ),
        ("conv1", {"stride": (0, 1)}, "the kernel 3, stride 0, dilation 1 and padding 1; at least 1, 1, 1 and 0"),
        ("conv1", {"dilation": (4, 1)}, "covers 9 positions of a padded source of 8; use a smaller kernel"),
        ("conv1", {"padding": (1, 3)}, "is padded by 3, but its kernel covers 3 positions"),
        ("conv1", {"pool": 4}, "windows of 4 x 4, which do not divide 6 x 6"),
        ("conv2", {"groups": 3}, "3 groups, which do not divide 4 channels into 4; choose a number that divides both"),
        ("conv2", {"groups": 1}, "(4, 2, 3, 3), expected (4, 4, 3, 3)"),
        ("conv2", {"weight": np.ones((4, 2, 9), np.int64)}, "(4, 2, 9), expected"),
        ("conv2", {"bits": 9}, "have 9 bits; 1 to 8"),
        ("conv2", {"bits": None}, "have None bits"),
        ("loop", {"weight": np.full((5, 5), 2)}, "reach 2; 1 bits hold 1"),
        ("loop", {"delay": -1}, "delay -1"),
        ("loop", {"target": "input"}, "ends in the input"),
        ("loop", {"source": "nobody"}, "unknown layer 'nobody'"),
        ("max3", {"kernel": (3, 3)}, "windows of 3 at a stride of 2, which do not divide a source of 6"),
        ("max3", {"kernel": (0, 2)}, "windows of 0"),
        ("max3", {"kernel": (3, 3), "stride": (3, 3)}, "gives (4, 2, 2)"),
        ("max3", {"weight": np.ones(3, np.int64)}, "(3,), expected (4,)"),
        ("max3", {"weight": np.ones(4)}, "float64, expected int64"),
        ("skip", {"shift": 17}, "shift 17"),
        ("mean5", {"pool": 0}, "windows of 0 x 0"),
    ],
)
def test_faults_are_named(name, fields, named):
    with pytest.raises(CheckpointError) as caught:
        verify(with_projection(name, **fields))
    assert named in str(caught.value)


def test_loops_need_a_delay():
    with pytest.raises(UnsupportedError, match="from 'rec4' to 'rec4' closes a loop without a delay; give it"):
        verify(with_projection("loop", delay=0))


def test_a_layer_needs_an_input():
    graph = dataclasses.replace(GRAPH, projections=GRAPH.projections[1:])
    with pytest.raises(CheckpointError, match="'conv1' has no input"):
        verify(graph)


def test_a_leak_shifts_to_the_right():
    layers = list(GRAPH.populations)
    neuron = layers[1].neuron
    assert isinstance(neuron, IntegrateAndFire)
    layers[1] = dataclasses.replace(layers[1], neuron=dataclasses.replace(neuron, leak_shift=-1))
    with pytest.raises(CheckpointError, match="leak of layer 'conv1' shifts by -1"):
        verify(dataclasses.replace(GRAPH, populations=tuple(layers)))


def test_what_people_see():
    lines = format_graph(GRAPH).splitlines()
    assert any(
        line.startswith("  population conv2  4x6x6  LIF of leak shift 2, soft reset, threshold") for line in lines
    )
    for line in (
        "  convolution conv1 -> conv2  4x2x3x3  4-bit, padding 1x1, groups 2, shift 1",
        "  pooling conv2 -> max3  2x2 at 2x2  weight 1 to 1",
        "  dense rec4 -> rec4  5x5  1-bit, shift 1, delay 1",
        "  convolution conv2 -> mean5  2x4x1x1  4-bit, pool 2, shift 1",
    ):
        assert line in lines
