"""Which plan a device gets, and what is said where there is none."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from snnc.compiler.design import Design, Objective, Options
from snnc.compiler.formats.random_network import RandomNetwork, random_graph
from snnc.compiler.ir import Encoding
from snnc.compiler.lanes.area import total_cells
from snnc.compiler.lanes.fit import best_fit, fitting, lacking, place_anyway
from snnc.compiler.passes.bound import bound
from snnc.compiler.passes.schedule import schedule
from tests.compiler.networks import design_of
from tests.networks import Conv, Full, compile_graph, spatial_chain


def scheduled(architecture: str, lanes: tuple[int, ...], *, device: str = "hx1k") -> Design:
    graph = random_graph(RandomNetwork(architecture=architecture))
    return schedule(bound(design_of(graph, device=device, options=Options(lanes=lanes))))


def on(design: Design, **limits: Any) -> Design:
    return design.on(dataclasses.replace(design.device, **limits))


def test_of_what_does_not_fit_the_plan_has_the_fewest_blocks_with_logic_enough():
    """Found by trying every number of blocks."""
    design = on(scheduled("64-64-10", (8, 10)), block_rams=1)
    cells = [total_cells(place_anyway(on(design, block_rams=blocks))) for blocks in range(40)]
    assert cells == sorted(cells, reverse=True)
    seen = set()
    for limit in sorted({*cells, *(count + 1 for count in cells)}):
        tight = on(design, logic_cells=limit)
        if fitting(tight) is not None:
            continue
        first = next((blocks for blocks in range(2, 40) if cells[blocks] <= limit), None)
        if first is None:
            continue
        plan = best_fit(tight)
        assert plan == place_anyway(on(design, block_rams=first, logic_cells=limit))
        # Exactly as many cells as there are is no lack.
        assert lacking(plan, tight.device) == f"{plan.blocks} EBR (it has 1)"
        seen.add(first)
    assert len(seen) >= 3


def test_where_no_number_of_blocks_helps_both_lacks_are_named():
    design = on(scheduled("64-64-10", (8, 10)), block_rams=1, logic_cells=10)
    plan = best_fit(design)
    cells = total_cells(plan)
    assert plan.blocks > 1
    assert lacking(plan, design.device) == f"{plan.blocks} EBR (it has 1) and about {cells:,} LCs (it has 10)"


@pytest.mark.parametrize("device", ["up5k", "hx8k"])
def test_what_fits_without_spram_has_none(device):
    """Its weights would take one block of it, if it were asked for."""
    design = scheduled("784-32-10", (4, 10), device=device)
    plan = fitting(design)
    assert plan is not None
    assert not plan.loaded
    if design.device.spram_blocks:
        assert place_anyway(on(design, spram_blocks=1)).sprams == 1


def test_without_a_choice_every_layer_has_one_column_bank():
    design = scheduled("64-64-10", (8, 10))
    assert place_anyway(dataclasses.replace(design, column_banks=())) == place_anyway(design)
    assert all(engine.column_banks == 1 for engine in place_anyway(design).engines)


def test_a_queue_holds_what_a_pipeline_gives_before_its_engine_stops():
    layers: list[Conv | Full] = [Conv(channels=6), Conv(channels=5, stride=(2, 2)), Full(shape=(5, 1, 1))]
    graph = spatial_chain((2, 6, 7), layers, encoding=Encoding.DIRECT)
    plan = place_anyway(compile_graph(graph, lanes=(4, 5, 5)))
    image, hidden, readout = plan.engines
    # The spike words of an engine that gathers an image come out of a memory, a cycle later.
    assert (image.pipeline, image.emission) == (2, 1)
    assert hidden.main.queue.depth == 5
    assert hidden.pipeline + hidden.emission <= 2
    assert readout.main.queue.depth == 4


def test_small_weights_stay_out_of_spram_where_block_ram_is_free():
    """Each word there is one more to load after every reset."""
    graph = random_graph(RandomNetwork(architecture="784-40-10-10"))
    options = Options(objective=Objective.AREA)
    plan = schedule(bound(design_of(graph, device="up5k", options=options))).complete_plan
    assert [memory.name for memory in plan.loaded] == ["hidden0.weights"]
    assert plan.blocks < 30
