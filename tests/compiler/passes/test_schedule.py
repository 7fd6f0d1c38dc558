"""Lanes."""

from __future__ import annotations

import dataclasses

import pytest

from snnc.compiler.design import Objective, Options
from snnc.compiler.errors import OptionError, UnsupportedError
from snnc.compiler.formats.random_network import RandomNetwork, random_graph
from snnc.compiler.formats.student import student_graph
from snnc.compiler.ir import Encoding, Graph, Projection
from snnc.compiler.lanes.area import total_cells
from snnc.compiler.lanes.fit import lacking
from snnc.compiler.lanes.search import column_banks
from snnc.compiler.passes import place as placing
from snnc.compiler.passes.bound import bound
from snnc.compiler.passes.normalise import normalise
from snnc.compiler.passes.quantise import quantise
from snnc.compiler.passes.schedule import schedule
from snnc.compiler.targets import find_device
from snnc.sim.models.timing.estimate import estimate, expected
from tests.compiler.networks import deep_checkpoint, design_of
from tests.networks import Conv, Full, Pool, spatial_chain

ECP5 = find_device("ecp5", "85k")


def scheduled(sizes, *, device=None, lanes=None, bits=4):
    graph = random_graph(RandomNetwork(architecture="-".join(map(str, sizes)), weight_bits=bits))
    return schedule(bound(design_of(graph, device=device, options=Options(lanes=lanes))))


@pytest.mark.parametrize(
    ("sizes", "lanes"),
    [
        ((64, 32, 10), (16, 10)),
        ((64, 10, 10), (10, 10)),
        ((64, 5, 3), (5, 3)),
        ((64, 1, 1), (1, 1)),
        ((64, 10), (10,)),
        ((20, 16, 26), (16, 13)),
        ((20, 16, 16), (16, 16)),
        ((20, 40, 40, 17), (14, 14, 9)),
    ],
    ids=str,
)
def test_up_to_sixteen_where_there_is_room(sizes, lanes):
    assert scheduled(sizes, device="hx8k").lanes == lanes


def test_a_family_says_how_wide_an_engine_may_be_unasked():
    graph = random_graph(RandomNetwork(architecture="64-128-40-10"))
    lanes = {
        device.family: schedule(bound(design_of(graph)).on(device)).lanes
        for device in (find_device("ice40", "hx8k"), find_device("ecp5", "85k"))
    }
    assert lanes == {"ice40": (16, 14, 10), "ecp5": (64, 40, 10)}


def test_a_small_device_gets_fewer():
    wide, narrow = scheduled((64, 64, 10)), scheduled((64, 64, 10), device="hx1k")
    assert sum(narrow.lanes) < sum(wide.lanes)
    assert not lacking(narrow.complete_plan, narrow.device)


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


@pytest.mark.parametrize(
    ("settings", "device"),
    [
        ({}, "hx8k"),
        ({"lanes": (8, 10)}, "hx8k"),
        ({}, "hx1k"),
        ({"objective": Objective.AREA}, "hx8k"),
    ],
    ids=str,
)
def test_the_plan_is_the_one_that_was_searched_by(monkeypatch, settings, device):
    """What `place` would make of the lanes alone is the plan that came with them; it takes that as it is."""
    design = design_of(random_graph(RandomNetwork(architecture="64-40-10")), device=device, options=Options(**settings))
    scheduled = schedule(bound(design))
    alone = placing.place(scheduled.with_lanes(scheduled.lanes, scheduled.column_banks))
    monkeypatch.setattr(placing, "best_fit", None)
    assert placing.place(scheduled).plan is scheduled.plan
    assert alone.plan == scheduled.plan is not None


def test_a_plan_goes_with_its_lanes_and_its_device():
    design = scheduled((64, 32, 10), device="hx8k")
    assert design.plan is not None
    assert design.on(ECP5).plan is design.with_lanes((4, 2), (1, 1)).plan is None
    for change in ({"device": ECP5}, {"lanes": (4, 2)}, {"column_banks": (2, 1)}):
        with pytest.raises(ValueError, match="another device or of other lanes"):
            dataclasses.replace(design, **change)


BUILT = (
    " is not built yet. {}, or use rate or events encoding. 'snnc evaluate' runs it in integers; --print-after bound "
    "shows its ranges."
)


def test_pixels_with_a_delay_are_refused():
    graph = random_graph(RandomNetwork(architecture="8-4-2", encoding=Encoding.DIRECT))
    late = dataclasses.replace(graph.projections[0], delay=1)
    refused(
        dataclasses.replace(graph, projections=(late, graph.projections[1])),
        "Layer 'hidden0' hears pixels with a delay; the hardware that holds them back"
        + BUILT.format("Leave the delay out"),
    )


def test_pixels_that_branch_are_refused():
    graph = random_graph(RandomNetwork(architecture="8-4-4-2", encoding=Encoding.DIRECT))
    skip = dataclasses.replace(graph.projections[0], target="hidden1")
    refused(
        with_projections(graph, skip),
        "Layer 'hidden0' hears the pixels as another projection does; the hardware of an image that branches"
        + BUILT.format("Let one layer hear the pixels, and what is behind it that layer"),
    )


def test_pixels_beside_spikes_are_refused():
    graph = random_graph(RandomNetwork(architecture="4-4-2", encoding=Encoding.DIRECT))
    loop = dataclasses.replace(graph.projections[0], source="hidden0", delay=1)
    refused(
        with_projections(graph, loop),
        "Layer 'hidden0' hears pixels beside spikes; the hardware of the two together"
        + BUILT.format("Let a layer of its own hear the pixels"),
    )


def test_delays_alone_before_all_that_hears_pixels_are_refused():
    graph = random_graph(RandomNetwork(architecture="4-4-4-2", encoding=Encoding.DIRECT))
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


WIDE = Conv(channels=12), Conv(channels=12), Full(shape=(10, 1, 1))


def convolutions(**settings):
    """Events, then two convolutions of 12 channels at 9 x 9."""
    graph = spatial_chain((2, 9, 9), WIDE, seed=1)
    return schedule(bound(dataclasses.replace(design_of(graph, options=Options(**settings)), device=ECP5)))


def test_objectives():
    designs = {objective: convolutions(objective=objective) for objective in Objective}
    found = {objective: design.complete_plan for objective, design in designs.items()}
    activity = expected(designs[Objective.LATENCY].graph)
    cycles = {objective: estimate(plan, activity).cycles for objective, plan in found.items()}
    cells = {objective: total_cells(plan) for objective, plan in found.items()}
    product = {objective: cycles[objective] * cells[objective] for objective in Objective}
    assert cycles[Objective.LATENCY] == min(cycles.values()) < cycles[Objective.AREA] / 10
    assert cells[Objective.AREA] == min(cells.values()) < cells[Objective.LATENCY] / 3
    assert product[Objective.BALANCED] == min(product.values())
    assert all(engine.lanes == engine.column_banks == 1 for engine in found[Objective.AREA].engines)
    assert [engine.width for engine in found[Objective.LATENCY].engines] == ["12x4", "12x4", "10"]


@pytest.mark.parametrize(
    ("layer", "columns", "possible"),
    [
        (Conv(channels=4), 9, [1, 2, 4]),
        (Conv(channels=4), 2, [1, 2]),
        (Conv(channels=4, kernel=(3, 5)), 9, [1, 2, 4, 8]),
        (Conv(channels=4, kernel=(3, 2)), 9, [1, 2]),
        (Conv(channels=4, stride=(1, 2)), 9, [1, 2]),  # one or two columns
        (Conv(channels=4, stride=(1, 3)), 9, [1]),
        (Conv(channels=4, dilation=(1, 2)), 9, [1]),  # every other column
        (Conv(channels=4, dilation=(1, 2), stride=(1, 2)), 9, [1, 2, 4]),
        (Conv(channels=4, dilation=(2, 1)), 9, [1, 2, 4]),
        (Pool(), 8, [1]),
        (Pool(kernel=(1, 3), stride=(1, 1)), 8, [1, 2, 4]),
        (Full(shape=(4, 3, 3)), 9, [1]),
    ],
    ids=str,
)
def test_column_banks_are_for_columns_that_an_event_reaches_side_by_side(layer, columns, possible):
    graph = spatial_chain((2, 8, columns), [layer, Full(shape=(3, 1, 1))])
    hidden, readout = graph.layers
    assert column_banks(graph, hidden, 2, ECP5) == possible
    assert column_banks(graph, hidden, 2, find_device("ice40", "hx8k")) == [1]
    assert column_banks(graph, readout, 1, ECP5) == [1]


def test_pixels_and_two_words_have_no_column_banks():
    pixels = spatial_chain((1, 9, 9), WIDE, encoding=Encoding.DIRECT)
    assert [column_banks(pixels, layer, 4, ECP5) for layer in pixels.layers] == [[1], [1, 2, 4], [1]]
    flat = spatial_chain((1, 1, 4), [Conv(channels=2, kernel=(1, 3), padding=(0, 0)), Full(shape=(2, 1, 1))])
    assert column_banks(flat, flat.layers[0], 2, ECP5) == [1]
    assert column_banks(flat, flat.layers[0], 1, ECP5) == [1, 2]


@pytest.mark.parametrize(
    ("wanted", "named"),
    [
        ((3, 1, 1), "--lanes gives 3 columns at once for layer 'hidden0' on 85k; 1 or 2 or 4 are possible there."),
        ((1, 8, 1), "--lanes gives 8 columns at once for layer 'hidden1' on 85k; 1 or 2 or 4 are possible there."),
        ((1, 1, 2), "--lanes gives 2 columns at once for layer 'readout' on 85k; only 1 is possible there."),
    ],
)
def test_impossible_column_banks_are_refused(wanted, named):
    with pytest.raises(OptionError) as caught:
        convolutions(lanes=(12, 12, 10), column_banks=wanted)
    assert str(caught.value) == named
