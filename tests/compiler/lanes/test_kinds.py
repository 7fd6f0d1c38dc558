"""Which kinds of engines are chosen, and what is said of the choice."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Final

import pytest

from snnc.compiler.design import Design, Engines, Objective, Options
from snnc.compiler.errors import OptionError
from snnc.compiler.ir import Encoding, Graph
from snnc.compiler.lanes.area import total_cells
from snnc.compiler.lanes.explain import explained
from snnc.compiler.lanes.fit import lacking
from snnc.compiler.lanes.kinds import fits_somehow
from snnc.compiler.lanes.search import PRICE, cost_of
from snnc.compiler.passes.bound import bound
from snnc.compiler.passes.schedule import schedule
from snnc.compiler.pipeline import begin, passes_before, run_passes
from snnc.compiler.targets import find_device
from snnc.rtl.engines.image.plan import ImageKind
from snnc.sim.models.timing.estimate import estimate, expected
from tests.compiler.networks import design_of
from tests.networks import Conv, Full, Pool, spatial_chain

STUDENTS: Final = Path(__file__).parents[3] / "examples" / "students"

CHIPS: Final = {
    "cifar10-conv-int4": ("ecp5", "85k"),
    "digits-64-32-10-int4": ("ice40", "up5k"),
    "fashion-mnist-conv-int4": ("ecp5", "45k"),
    "mnist-784-128-10-int4": ("ice40", "up5k"),
    "mnist-784-32-10-int4": ("ice40", "up5k"),
    "mnist-a2-160-100-10-int4": ("ice40", "up5k"),
    "mnist-conv-int4": ("ice40", "up5k"),
    "mnist-conv-ternary": ("ice40", "up5k"),
    "spoken-digits-conv-int4": ("ecp5", "25k"),
}


def network() -> Graph:
    layers: list[Conv | Full | Pool] = [
        Conv(channels=6),
        Conv(channels=8, stride=(2, 2)),
        Pool(kernel=(2, 2)),
        Conv(channels=5),
        Full(shape=(4, 1, 1)),
    ]
    return spatial_chain((1, 8, 8), layers, encoding=Encoding.DIRECT)


def scheduled(target: str = "ecp5", device: str = "25k", **options: Any) -> Design:
    return schedule(bound(design_of(network(), target=target, device=device, options=Options(**options))))


def kinds(design: Design) -> list[str]:
    return [engine.kind.kind for engine in design.complete_plan.engines]


@pytest.mark.parametrize("objective", Objective)
@pytest.mark.parametrize("device", ["25k", "85k"])
def test_auto_is_as_good_as_either(device: str, objective: Objective) -> None:
    costs = {}
    for engines in Engines:
        design = scheduled(device=device, engines=engines, objective=objective)
        costs[engines] = cost_of(design.complete_plan, objective, expected(design.graph))
        if engines is Engines.GATHER:
            assert kinds(design) == ["image", "gather", "gather", "gather", "scatter"]
        if engines is Engines.SCATTER:
            assert kinds(design) == ["image", *["scatter"] * 4]
    assert costs[Engines.AUTO] <= min(costs.values())


def test_what_was_taken_is_among_what_was_considered_and_fits() -> None:
    design = scheduled()
    plan = design.complete_plan
    (taken,) = (one for one in design.considered if frozenset(one.gathered) == design.gathered)
    assert taken.widths == tuple(engine.width for engine in plan.engines)
    assert (taken.cells, taken.blocks, taken.sprams) == (total_cells(plan), plan.blocks, plan.sprams)
    assert taken.cycles == estimate(plan, expected(design.graph)).cycles
    assert taken.lacks == lacking(plan, design.device) == ""
    assert {len(one.gathered) for one in design.considered} >= {0, 3}


def test_what_skips_pixels_is_weighed_against_what_does_not() -> None:
    """Of the best set of layers that gather; where nobody left a choice, it is not."""
    design = scheduled()
    sets = {frozenset(one.gathered) for one in design.considered}
    skipping = [one for one in sets if "hidden0" in one]
    assert any(one - {"hidden0"} in sets for one in skipping if len(one) > 1)
    (image,) = (e for e in scheduled(engines=Engines.SCATTER).complete_plan.engines if isinstance(e.kind, ImageKind))
    assert isinstance(image.kind, ImageKind)
    assert image.kind.marks is None
    gathered = scheduled(engines=Engines.GATHER).complete_plan.engines[0]
    assert isinstance(gathered.kind, ImageKind)
    assert gathered.kind.marks is not None


@pytest.mark.parametrize("units", [1, 2, 4, 8])
@pytest.mark.parametrize(("target", "device"), [("ice40", "up5k"), ("ecp5", "12k"), ("ecp5", "25k")])
def test_units_share_the_multipliers(target: str, device: str, units: int) -> None:
    design = scheduled(
        target=target, device=device, lanes=(6, 8, 8, 5, 4), column_banks=(units, 1, 1, 1, 1), engines=Engines.GATHER
    )
    image, there = design.complete_plan.engines[0], design.device.dsps // units
    assert image.units == units
    if target == "ice40":
        assert image.kind.in_multipliers == min(6, 2 * there)
    else:  # of several units, all lanes or none; two share one where there is not one for each
        assert image.kind.in_multipliers == (6 if 2 * there >= 6 else 0)
        assert image.kind.lanes_each == (1 if there >= 6 else 2)
    assert image.dsps == units * -(-image.kind.in_multipliers // image.kind.lanes_each) <= design.device.dsps
    without = schedule(bound(design_of(network(), target="ice40", device="up5k", options=Options(dsp=False))))
    assert without.complete_plan.dsps == 0


@pytest.mark.parametrize(
    ("weight_bits", "value_bits", "pairs"), [(4, 8, True), (5, 8, True), (6, 7, False), (8, 2, True), (8, 3, False)]
)
def test_products_of_two_lanes_are_one_where_both_weights_stand_in_its_factor(
    weight_bits: int, value_bits: int, pairs: bool
) -> None:
    assert find_device("ecp5").pairs_products(weight_bits, value_bits) is pairs
    assert not find_device("ice40", "up5k").pairs_products(weight_bits, value_bits)


def test_the_fewest_cycles_have_a_price() -> None:
    design = scheduled()
    plan, activity = design.complete_plan, expected(design.graph)
    cycles = estimate(plan, activity).cycles
    assert cost_of(plan, Objective.LATENCY, activity) == pytest.approx(cycles * total_cells(plan) ** PRICE)
    assert 1.04 < 2**PRICE < 1.05


def test_lanes_choose_the_engines_that_can_have_them() -> None:
    # An iCE40 scatters onto one column at a time; what gathers has units on every chip.
    design = scheduled(target="ice40", device="hx8k", lanes=(6, 8, 8, 5, 4), column_banks=(1, 2, 1, 1, 1))
    assert kinds(design)[:2] == ["image", "gather"]
    assert all(one.gathered for one in design.considered)
    with pytest.raises(OptionError, match="columns at once for layer 'hidden1' on hx8k"):
        scheduled(target="ice40", device="hx8k", lanes=(6, 8, 8, 5, 4), column_banks=(1, 64, 1, 1, 1))


def test_a_device_takes_what_any_kind_of_engine_makes_fit() -> None:
    """Scattered, every layer but the readout has its membranes in block RAM; gathered, none."""
    design = bound(design_of(network(), target="ice40", device="hx8k"))
    most = design.device.block_rams
    fits = {}
    for engines in (Engines.SCATTER, Engines.AUTO):
        asked = dataclasses.replace(design, options=Options(engines=engines))
        sizes = (dataclasses.replace(design.device, block_rams=blocks) for blocks in range(most))
        fits[engines] = [fits_somehow(asked.on(device)) for device in sizes]
    assert fits[Engines.AUTO].index(True) <= fits[Engines.SCATTER].index(True)


def test_each_layer_says_what_it_takes_and_what_hinders_it() -> None:
    design = scheduled(objective=Objective.BALANCED)
    plan = design.complete_plan
    layers = explained(design)
    assert [layer.name for layer in layers] == [engine.name for engine in plan.engines]
    assert [layer.kind for layer in layers] == kinds(design)
    assert sum(layer.blocks for layer in layers) == plan.blocks
    assert sum(layer.cells for layer in layers) == pytest.approx(total_cells(plan), abs=len(layers))
    reasons = {layer.wider.reason for layer in layers if layer.wider is not None}
    assert reasons == {"no better for balanced"}
    given = scheduled(lanes=(1, 1, 1, 1, 4))
    *hidden, readout = explained(given)
    assert readout.wider is None  # all four logits at a time
    for layer in hidden:
        assert layer.wider is not None
        assert (layer.width, layer.wider.width, layer.wider.reason) == ("1", "2", "the lanes were given")
    full = dataclasses.replace(design, device=dataclasses.replace(design.device, block_rams=plan.blocks))
    lacks = [layer.wider.lacks for layer in explained(full) if layer.wider is not None]
    assert any(f"EBR (it has {plan.blocks})" in one for one in lacks)


@pytest.mark.heavy
def test_auto_costs_no_student_that_ships_cycles() -> None:
    better = 0
    for name, (target, device) in CHIPS.items():
        chip = find_device(target, device)
        bounded = run_passes(begin(STUDENTS / f"{name}.pt", chip, Options()), passes_before("schedule"))
        found = {}
        for engines in (Engines.SCATTER, Engines.AUTO):
            design = schedule(dataclasses.replace(bounded, options=Options(engines=engines)))
            plan = design.complete_plan
            assert not lacking(plan, chip)
            cycles = estimate(plan, expected(design.graph)).cycles
            found[engines] = cycles, cycles * total_cells(plan)
        assert all(now <= before for now, before in zip(found[Engines.AUTO], found[Engines.SCATTER], strict=True)), name
        better += found[Engines.AUTO] < found[Engines.SCATTER]
    assert 2 * better >= len(CHIPS)
