"""How many pixels come in a beat, and what of it a plan refuses."""

from __future__ import annotations

import dataclasses

import pytest

from snnc.compiler.design import Engines
from snnc.compiler.ir import Encoding, Graph
from snnc.compiler.lanes.port import port_lanes
from snnc.compiler.plan import InputPlan, LayoutPlan
from tests.networks import Conv, Full, compile_graph, spatial_chain

NOBODY: frozenset[str] = frozenset()


def network(channels: int, *, bits: int = 4, size: int = 8, encoding: Encoding = Encoding.DIRECT) -> Graph:
    return spatial_chain(
        (channels, size, size), [Conv(channels=6), Full(shape=(4, 1, 1))], encoding=encoding, value_bits=bits
    )


@pytest.mark.parametrize(("channels", "lanes"), [(1, 1), (2, 2), (3, 3), (4, 4), (5, 1), (6, 2), (8, 4), (9, 1)])
def test_all_channels_of_few_or_a_power_of_two(channels: int, lanes: int) -> None:
    assert port_lanes(network(channels), NOBODY) == lanes


@pytest.mark.parametrize(
    ("channels", "bits", "size", "lanes"), [(3, 8, 4, 3), (3, 8, 64, 1), (4, 8, 8, 2), (4, 7, 8, 2)]
)
def test_a_beat_has_at_most_32_bits(channels: int, bits: int, size: int, lanes: int) -> None:
    graph = network(channels, bits=bits, size=size)
    assert port_lanes(graph, NOBODY) == lanes
    plan = compile_graph(graph, target="ecp5", device="25k", lanes=(2, 2)).complete_plan
    assert plan.input.layout.address_bits + 3 + plan.input.beat_value_bits <= 32


def test_one_where_pixels_are_skipped_or_are_no_images() -> None:
    graph = network(3)
    assert port_lanes(graph, frozenset(["hidden0"])) == 1
    assert port_lanes(network(3, encoding=Encoding.EVENTS), NOBODY) == 1
    dense = spatial_chain((3, 4, 4), [Full(shape=(3, 2, 2)), Full(shape=(4, 1, 1))], encoding=Encoding.DIRECT)
    assert port_lanes(dense, NOBODY) == 1


def test_the_plan_says_so_and_the_image_lies_in_such_words() -> None:
    wide = compile_graph(network(3), lanes=(2, 2), engines=Engines.SCATTER).complete_plan
    assert (wide.input.layout.lanes, wide.engines[0].main.source_layout.lanes) == (3, 3)
    pixels = next(memory for memory in wide.engines[0].memories if memory.name.endswith("pixels"))
    assert (pixels.width, pixels.depth) == (12, 64)
    narrow = compile_graph(network(3), lanes=(2, 2), engines=Engines.SCATTER, wide_port=False).complete_plan
    assert narrow.input.layout.lanes == 1


@pytest.mark.parametrize(
    ("channels", "lanes", "encoding", "sentence"),
    [
        (4, 3, Encoding.DIRECT, "is 3, which does not share out 4 channels"),
        (9, 3, Encoding.DIRECT, "is 3, which does not share out 9 channels"),
        (2, 2, Encoding.EVENTS, "is 2; an input of events has 1"),
    ],
)
def test_what_a_plan_refuses(channels: int, lanes: int, encoding: Encoding, sentence: str) -> None:
    layout = LayoutPlan(channels=channels, rows=2, columns=2, lanes=lanes)
    faults = list(InputPlan(name="input", encoding=encoding, layout=layout, value_bits=4).faults())
    assert [(fault.field, fault.sentence) for fault in faults] == [("layout.lanes", sentence)]


def test_an_engine_that_takes_one_pixel_is_not_sent_several() -> None:
    plan = compile_graph(network(2), lanes=(2, 2), engines=Engines.GATHER, target="ecp5", device="25k").complete_plan
    assert plan.input.layout.lanes == 1
    wide = dataclasses.replace(plan.input, layout=dataclasses.replace(plan.input.layout, lanes=2))
    main = dataclasses.replace(plan.engines[0].main, source_layout=wide.layout)
    first = dataclasses.replace(plan.engines[0], projections=(main,))
    faults = dataclasses.replace(plan, input=wide, engines=(first, *plan.engines[1:])).faults()
    assert any(fault.field == "input.layout.lanes" and "takes one pixel" in fault.sentence for fault in faults)
