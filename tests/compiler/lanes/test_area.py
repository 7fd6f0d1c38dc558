"""The estimate of logic cells against what nextpnr packed."""

from __future__ import annotations

import pytest

from snnc.compiler.ir import Encoding
from snnc.compiler.lanes.area import engine_cells, total_cells
from tests.compiler.networks import random_design

# Measured with Yosys 0.70 and nextpnr 0.11, serial shell included, random networks of T_max 10.
PACKED = [
    ((64, 32, 10), Encoding.EVENTS, 6, (16, 10), 1324),
    ((64, 32, 10), Encoding.DIRECT, 4, (16, 10), 2186),
    ((64, 32, 10), Encoding.EVENTS, 4, (8, 10), 1079),
    ((64, 32, 10), Encoding.EVENTS, 4, (4, 5), 749),
    ((64, 128, 10), Encoding.EVENTS, 4, (16, 10), 1581),
    ((64, 64, 32, 10), Encoding.EVENTS, 4, (16, 16, 10), 2387),
    ((256, 64, 10), Encoding.DIRECT, 3, (16, 10), 3203),
    ((128, 64, 10), Encoding.EVENTS, 8, (16, 10), 2210),
    ((64, 32, 10), Encoding.DIRECT, 8, (16, 10), 2799),
    ((16, 100, 4), Encoding.EVENTS, 2, (16, 4), 1038),
    ((784, 32, 10), Encoding.DIRECT, 4, (16, 10), 2977),
    ((64, 128, 10), Encoding.EVENTS, 4, (4, 2), 769),
    ((32, 16, 10), Encoding.EVENTS, 4, (1, 1), 498),
]


# The same on ECP5, in its look-up tables: one factor for all, so that the estimate is rougher.
PACKED_ECP5 = [
    ((64, 32, 10), Encoding.EVENTS, 6, (16, 10), 1676),
    ((64, 32, 10), Encoding.DIRECT, 4, (32, 10), 3671),
    ((64, 128, 10), Encoding.EVENTS, 4, (16, 10), 1428),
    ((64, 32, 10), Encoding.EVENTS, 4, (4, 5), 717),
    ((256, 64, 10), Encoding.DIRECT, 3, (64, 10), 6738),
    ((128, 64, 10), Encoding.EVENTS, 8, (64, 10), 4530),
]


# The same on the larger Gowin, carry chains included.
PACKED_GOWIN = [
    ((64, 32, 10), Encoding.EVENTS, 6, (16, 10), 1727),
    ((64, 32, 10), Encoding.DIRECT, 4, (32, 10), 3623),
    ((64, 128, 10), Encoding.EVENTS, 4, (16, 10), 1503),
    ((64, 32, 10), Encoding.EVENTS, 4, (4, 5), 874),
    ((256, 64, 10), Encoding.DIRECT, 3, (32, 10), 3959),
    ((128, 64, 10), Encoding.EVENTS, 8, (32, 10), 3088),
]


@pytest.mark.parametrize(("sizes", "encoding", "bits", "lanes", "luts"), PACKED_GOWIN, ids=str)
def test_gowin_within_a_sixth_of_what_was_packed(sizes, encoding, bits, lanes, luts):
    options = {"encoding": encoding, "weight_bits": bits, "lanes": lanes, "time_steps": 10}
    design = random_design(sizes, target="gowin", device="gw2ar-18c", **options)
    assert total_cells(design.complete_plan) == pytest.approx(luts, rel=1 / 6)


# The same on GateMate, in halves of a logic element.
PACKED_GATEMATE = [
    ((64, 32, 10), Encoding.EVENTS, 6, (16, 10), 2078),
    ((64, 32, 10), Encoding.DIRECT, 4, (32, 10), 5165),
    ((64, 128, 10), Encoding.EVENTS, 4, (16, 10), 2702),
    ((64, 32, 10), Encoding.EVENTS, 4, (4, 5), 1231),
    ((256, 64, 10), Encoding.DIRECT, 3, (32, 10), 6531),
    ((128, 64, 10), Encoding.EVENTS, 8, (32, 10), 3783),
]


@pytest.mark.parametrize(("sizes", "encoding", "bits", "lanes", "halves"), PACKED_GATEMATE, ids=str)
def test_gatemate_within_a_third_of_what_was_packed(sizes, encoding, bits, lanes, halves):
    design = random_design(sizes, target="gatemate", encoding=encoding, weight_bits=bits, lanes=lanes, time_steps=10)
    assert total_cells(design.complete_plan) == pytest.approx(halves, rel=1 / 3)


@pytest.mark.parametrize(("sizes", "encoding", "bits", "lanes", "luts"), PACKED_ECP5, ids=str)
def test_ecp5_within_a_third_of_what_was_packed(sizes, encoding, bits, lanes, luts):
    design = random_design(sizes, target="ecp5", encoding=encoding, weight_bits=bits, lanes=lanes, time_steps=10)
    assert total_cells(design.complete_plan) == pytest.approx(luts, rel=1 / 3)


@pytest.mark.parametrize(("sizes", "encoding", "bits", "lanes", "cells"), PACKED, ids=str)
def test_within_a_sixth_of_what_was_packed(sizes, encoding, bits, lanes, cells):
    design = random_design(sizes, encoding=encoding, weight_bits=bits, lanes=lanes, time_steps=10)
    assert total_cells(design.complete_plan) == pytest.approx(cells, rel=1 / 6)


def test_more_lanes_take_more_cells():
    plans = [random_design((64, 32, 10), lanes=(lanes, 10)).complete_plan for lanes in (1, 2, 4, 16, 32)]
    cells = [engine_cells(plan.engines[0]) for plan in plans]
    assert cells == sorted(cells)
