"""The estimate of logic cells against what nextpnr packed."""

from __future__ import annotations

import pytest

from snnc.compiler.commands.compile import parse_lanes
from snnc.compiler.design import Engines, Options
from snnc.compiler.formats import RandomNetwork
from snnc.compiler.ir import Encoding
from snnc.compiler.lanes.area import engine_cells, total_cells
from snnc.compiler.pipeline import begin, passes_before, run_passes
from snnc.compiler.targets import find_device
from tests.compiler.networks import random_design

# Measured with Yosys 0.70 and nextpnr 0.11, serial shell included, random networks of T_max 10.
PACKED = [
    ((64, 32, 10), Encoding.EVENTS, 6, (16, 10), 1324),
    ((64, 32, 10), Encoding.DIRECT, 4, (16, 10), 2264),
    ((64, 32, 10), Encoding.EVENTS, 4, (8, 10), 1079),
    ((64, 32, 10), Encoding.EVENTS, 4, (4, 5), 749),
    ((64, 128, 10), Encoding.EVENTS, 4, (16, 10), 1581),
    ((64, 64, 32, 10), Encoding.EVENTS, 4, (16, 16, 10), 2387),
    ((256, 64, 10), Encoding.DIRECT, 3, (16, 10), 1860),
    ((128, 64, 10), Encoding.EVENTS, 8, (16, 10), 2210),
    ((64, 32, 10), Encoding.DIRECT, 8, (16, 10), 2883),
    ((16, 100, 4), Encoding.EVENTS, 2, (16, 4), 1038),
    ((784, 32, 10), Encoding.DIRECT, 4, (16, 10), 1907),
    ((64, 128, 10), Encoding.EVENTS, 4, (4, 2), 769),
    ((32, 16, 10), Encoding.EVENTS, 4, (1, 1), 498),
]

# With the UP5K's multipliers.
PACKED_SUMMING = [("digits-64-32-10-int4.pt", 1552), ("mnist-784-128-10-int4.pt", 2300)]


# The same for convolutional ones, random with T_max 4 and the student that ships, scattered and gathered.
MNIST = "mnist-conv-int4.pt"
PACKED_CONVOLUTIONS = [
    ("2x16x16-8c3-16c3s2-10", Encoding.EVENTS, 4, 4, Engines.SCATTER, "8,16,10", 2116),
    ("2x16x16-8c3-16c3s2-10", Encoding.EVENTS, 4, 4, Engines.SCATTER, "4,3,1", 1474),
    ("1x28x28-12c3s2-m2-24c3-10", Encoding.DIRECT, 4, 4, Engines.SCATTER, "12,6,12,4", 4510),
    ("1x28x28-12c3s2-m2-24c3-10", Encoding.DIRECT, 4, 4, Engines.SCATTER, "1,1,1,1", 2192),
    ("1x20x20-12c3s2-16c3-24c3s2-10", Encoding.DIRECT, 4, 4, Engines.GATHER, "6,16,12,5", 2704),
    ("1x20x20-12c3s2-16c3-24c3s2-10", Encoding.DIRECT, 2, 3, Engines.GATHER, "12x2,16x2,24,10", 5907),
    ("3x16x16-16c3-24c3s2-10", Encoding.DIRECT, 4, 4, Engines.GATHER, "1,2,1", 1760),
    ("1x16x16-8c3-m2-16c3-10", Encoding.DIRECT, 4, 5, Engines.GATHER, "8x2,8,16,10", 3719),
    (MNIST, Encoding.DIRECT, 1, 2, Engines.SCATTER, "1,1,1,1", 2081),
    (MNIST, Encoding.DIRECT, 2, 3, Engines.SCATTER, "24,16,12,5", 4456),
    (MNIST, Encoding.DIRECT, 4, 4, Engines.SCATTER, "4,4,5,4", 2825),
    (MNIST, Encoding.DIRECT, 4, 4, Engines.GATHER, "24,32,16,10", 4483),
    (MNIST, Encoding.DIRECT, 1, 4, Engines.GATHER, "24,16,12,5", 3575),
]


@pytest.mark.parametrize(("student", "cells"), PACKED_SUMMING)
def test_students_in_multipliers_within_a_tenth_of_what_was_packed(repository, student, cells):
    source = repository / "examples" / "students" / student
    design = run_passes(begin(source, find_device("ice40", "up5k"), Options()), passes_before("emit"))
    assert design.complete_plan.dsps == 8
    assert total_cells(design.complete_plan) == pytest.approx(cells, rel=0.1)


@pytest.mark.parametrize(("network", "encoding", "steps", "bits", "engines", "lanes", "cells"), PACKED_CONVOLUTIONS)
def test_convolutions_within_a_tenth_of_what_was_packed(
    repository, network, encoding, steps, bits, engines, lanes, cells
):
    widths = parse_lanes(lanes)
    options = Options(
        time_steps=steps,
        weight_bits=bits,
        engines=engines,
        lanes=tuple(count for count, _ in widths),
        column_banks=tuple(banks for _, banks in widths),
    )
    student = network == MNIST
    source = (
        repository / "examples" / "students" / network
        if student
        else RandomNetwork(architecture=network, encoding=encoding, weight_bits=bits, time_steps=steps)
    )
    device = find_device("ice40", "up5k" if student else "hx8k")
    design = run_passes(begin(source, device, options), passes_before("place"))
    assert total_cells(design.complete_plan) == pytest.approx(cells, rel=0.1)


# The same on ECP5, in its look-up tables: one factor for all, so that the estimate is rougher.
PACKED_ECP5 = [
    ((64, 32, 10), Encoding.EVENTS, 6, (16, 10), 1676),
    ((64, 32, 10), Encoding.DIRECT, 4, (32, 10), 4305),
    ((64, 128, 10), Encoding.EVENTS, 4, (16, 10), 1428),
    ((64, 32, 10), Encoding.EVENTS, 4, (4, 5), 717),
    ((256, 64, 10), Encoding.DIRECT, 3, (64, 10), 7547),
    ((128, 64, 10), Encoding.EVENTS, 8, (64, 10), 4530),
]


# Students whose layers gather, as they were packed with their serial shells; the second with an early exit, which takes
# some 30.
PACKED_STUDENTS = [
    (MNIST, "ecp5", "25k", "24x2,32x4,48x2,10", 13389, 1 / 10),
    (MNIST, "ecp5", "45k", "24x4,32x4,48x4,10", 21224, 1 / 10),
    (MNIST, "ecp5", "25k", "8,16,12,5", 3384, 1 / 4),
    ("fashion-mnist-conv-int4.pt", "ecp5", "45k", "24x2,48x4,64x2,64x2,10", 22813, 1 / 10),
    ("cifar10-conv-int4.pt", "ecp5", "85k", "32x4,64x4,96x2,112x2,96x2,10", 36317, 1 / 10),
    (MNIST, "gowin", "gw2ar-18c", "24x2,32x4,48,10", 13888, 1 / 10),
]


@pytest.mark.parametrize(("student", "target", "device", "lanes", "luts", "within"), PACKED_STUDENTS)
def test_students_of_other_families_near_what_was_packed(repository, student, target, device, lanes, luts, within):
    counts, banks = zip(*parse_lanes(lanes), strict=True)
    options = Options(engines=Engines.GATHER, lanes=counts, column_banks=banks)
    source = repository / "examples" / "students" / student
    design = run_passes(begin(source, find_device(target, device), options), passes_before("emit"))
    assert total_cells(design.complete_plan) == pytest.approx(luts, rel=within)


# The same on the larger Gowin, carry chains included.
PACKED_GOWIN = [
    ((64, 32, 10), Encoding.EVENTS, 6, (16, 10), 1727),
    ((64, 32, 10), Encoding.DIRECT, 4, (32, 10), 4270),
    ((64, 128, 10), Encoding.EVENTS, 4, (16, 10), 1503),
    ((64, 32, 10), Encoding.EVENTS, 4, (4, 5), 874),
    ((256, 64, 10), Encoding.DIRECT, 3, (32, 10), 4104),
    ((128, 64, 10), Encoding.EVENTS, 8, (32, 10), 3088),
]


@pytest.mark.parametrize(("sizes", "encoding", "bits", "lanes", "luts"), PACKED_GOWIN, ids=str)
def test_gowin_within_a_sixth_of_what_was_packed(sizes, encoding, bits, lanes, luts):
    options = {"encoding": encoding, "weight_bits": bits, "lanes": lanes, "time_steps": 10, "engines": Engines.SCATTER}
    design = random_design(sizes, target="gowin", device="gw2ar-18c", **options)
    assert total_cells(design.complete_plan) == pytest.approx(luts, rel=1 / 6)


# The same on GateMate, in halves of a logic element.
PACKED_GATEMATE = [
    ((64, 32, 10), Encoding.EVENTS, 6, (16, 10), 2078),
    ((64, 32, 10), Encoding.DIRECT, 4, (32, 10), 5978),
    ((64, 128, 10), Encoding.EVENTS, 4, (16, 10), 2702),
    ((64, 32, 10), Encoding.EVENTS, 4, (4, 5), 1231),
    ((256, 64, 10), Encoding.DIRECT, 3, (32, 10), 7204),
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
    cells = [engine_cells(plan.engines[0], find_device(plan.target, plan.device)) for plan in plans]
    assert cells == sorted(cells)
