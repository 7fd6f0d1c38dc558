"""Memories: the cheapest shape, what is given up when block RAM is short, and refusals with numbers."""

from __future__ import annotations

import dataclasses
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnc.compiler.design import Design, Engines, Options
from snnc.compiler.errors import FitError
from snnc.compiler.formats.random_network import RandomNetwork, random_graph
from snnc.compiler.ir import Encoding
from snnc.compiler.ir.model import model_hash
from snnc.compiler.lanes.area import engine_cells, total_cells
from snnc.compiler.lanes.fit import best_fit, lacking, place_anyway
from snnc.compiler.lanes.memories import block_memory, logic_cells, logic_memory, register_memory, spram_memory
from snnc.compiler.lanes.search import could_fit
from snnc.compiler.passes.bound import bound
from snnc.compiler.passes.place import place
from snnc.compiler.passes.schedule import schedule
from snnc.compiler.pipeline import passes_before, run_passes
from snnc.compiler.plan import MemoryKind, plan_from_json, plan_to_json
from snnc.compiler.targets import TARGETS, find_device, load_target
from tests.compiler.networks import design_of, random_design
from tests.networks import Conv, Full, spatial_chain

UP5K = find_device("ice40", "up5k")


@pytest.mark.parametrize(
    ("width", "depth", "blocks", "banks"),
    [
        (64, 1568, 28, 7),  # MNIST 784-32, 16 lanes of 4 bits
        (16, 256, 1, 1),
        (2, 2048, 1, 1),
        (17, 256, 2, 1),
        (16, 257, 2, 1),  # two blocks of 512 x 8 need no multiplexer, two banks of 256 x 16 do
        (1, 1, 1, 1),
        (3, 1025, 2, 1),
    ],
)
def test_the_cheapest_shape(width, depth, blocks, banks):
    memory = block_memory(UP5K, "m", width=width, depth=depth, bits_used=width * depth, banked=True)
    assert memory is not None
    assert (memory.blocks, memory.banks) == (blocks, banks)
    assert memory.bits_paid == blocks * 4096


@given(width=st.integers(1, 200), depth=st.integers(1, 5000))
def test_every_shape_holds_its_words(width, depth):
    memory = block_memory(UP5K, "m", width=width, depth=depth, bits_used=width * depth, banked=True)
    assert memory is not None
    rows = dict(UP5K.block_ram_modes)
    smallest = min(-(-depth // mode_depth) * -(-width // mode_width) for mode_depth, mode_width in UP5K.block_ram_modes)
    assert memory.blocks == smallest
    assert memory.banks == 1 or memory.bank_depth in rows
    assert memory.bits_used <= memory.bits_paid


def test_what_cannot_be_banked_must_fit_one_shape():
    assert block_memory(UP5K, "m", width=8, depth=2049, bits_used=1, banked=False) is None
    widest = block_memory(UP5K, "m", width=8, depth=2048, bits_used=1, banked=False)
    assert widest is not None
    assert widest.blocks == 4


@pytest.mark.parametrize(
    ("width", "depth", "sprams", "banks", "chunks"),
    [
        (64, 6272, 4, 1, 4),  # MNIST 784-128, 16 lanes of 4 bits
        (16, 16384, 1, 1, 1),
        (17, 16384, 2, 1, 2),
        (16, 16385, 2, 2, 1),
        (40, 20000, 6, 2, 3),
        (1, 1, 1, 1, 1),
    ],
)
def test_spram_holds_16_bits_of_16384_rows_a_block(width, depth, sprams, banks, chunks):
    memory = spram_memory(UP5K, "m", width=width, depth=depth, bits_used=width * depth)
    assert memory is not None
    assert (memory.kind, memory.blocks) == (MemoryKind.SPRAM, 0)
    assert (memory.sprams, memory.banks, memory.chunks) == (sprams, banks, chunks)
    assert memory.bits_paid == sprams * 2**18


def test_a_device_without_spram_has_none():
    assert spram_memory(find_device("ice40", "hx8k"), "m", width=16, depth=16, bits_used=1) is None


def test_weights_that_do_not_fit_block_ram_go_to_spram():
    design = random_design((784, 128, 10), encoding=Encoding.DIRECT)
    plan = design.complete_plan
    check(plan)
    hidden, readout = plan.engines
    assert design.lanes == (16, 10)
    assert hidden.projections[0].weights.kind is MemoryKind.SPRAM
    assert hidden.pipeline == 3  # one cycle, one behind the two products of a weight, one before the adder
    assert readout.projections[0].weights.kind is MemoryKind.EBR
    assert plan.sprams == 4
    assert plan.blocks <= 30
    assert plan.loaded == (hidden.projections[0].weights,)
    assert plan.load_words == 784 * 8 * 4


def test_spram_has_room_for_one_of_two_only():
    """Each takes four blocks: the second one stays in block RAM, and the sentence says what is there beside it."""
    design = schedule(bound(design_of(random_graph(RandomNetwork(architecture="100-320-64-10")))))
    few = dataclasses.replace(UP5K, block_rams=30, logic_cells=3000)
    plan = best_fit(design.on(few).with_lanes((16, 16, 10), (1, 1, 1)))
    check(plan)
    weights = [engine.projections[0].weights for engine in plan.engines]
    assert [memory.kind is MemoryKind.SPRAM for memory in weights] == [True, False, False]
    assert plan.sprams == 4
    assert lacking(plan, few).startswith(f"{plan.blocks} EBR (it has 30) beside 4 SPRAM")


def test_spram_before_block_ram_where_logic_is_short():
    """In block RAM the weights fit too, but their banks have to be joined."""
    design = schedule(
        bound(design_of(random_graph(RandomNetwork(architecture="784-32-10")), options=Options(lanes=(16, 10))))
    )
    roomy = design.complete_plan
    assert not roomy.loaded
    small = dataclasses.replace(UP5K, logic_cells=total_cells(roomy) - 1)
    tight = place(design.on(small)).complete_plan
    assert not lacking(tight, small)
    assert tight.loaded == (tight.engines[0].projections[0].weights,)


def test_logic_costs():
    assert logic_cells(logic_memory("m", width=40, depth=2, bits_used=1)) == 0
    assert logic_cells(logic_memory("m", width=40, depth=16, bits_used=1)) == 24
    assert logic_cells(logic_memory("m", width=40, depth=32, bits_used=1)) == 120
    assert logic_cells(register_memory("m", width=40, depth=3, bits_used=1)) == 48
    deeper = [logic_cells(logic_memory("m", width=8, depth=16 * k, bits_used=1)) for k in range(1, 20)]
    assert deeper == sorted(deeper)


def test_mnist_fits_the_up5k():
    design = random_design((784, 32, 10), encoding=Encoding.DIRECT)
    plan = design.complete_plan
    hidden, readout = plan.engines
    assert design.lanes == (16, 10)
    # The list of pixels takes four blocks, which the weights leave none of: they go to SPRAM.
    assert hidden.projections[0].weights.kind is MemoryKind.SPRAM
    assert (hidden.words, hidden.pipeline, hidden.projections[0].row_stride) == (2, 3, 2)
    assert readout.projections[0].weights.kind is MemoryKind.EBR
    assert plan.blocks == 8
    assert total_cells(plan) < 5280


def test_what_fills_the_block_ram_leaves_logic_for_the_rest():
    design = random_design((784, 32, 10), encoding=Encoding.DIRECT, engines=Engines.SCATTER)
    plan = design.complete_plan
    hidden, readout = plan.engines
    assert hidden.projections[0].weights.blocks == 28
    # Three more blocks would be one too many: the readout's weights become logic.
    assert readout.projections[0].weights.kind is MemoryKind.LUT
    assert plan.blocks == 28
    assert total_cells(plan) < 5280


@pytest.mark.parametrize(
    ("target", "device", "registered"),
    [
        ("ecp5", "25k", True),
        ("gowin", "gw2ar-18c", True),
        ("gowin", "gw1nr-9c", False),
        ("ice40", "up5k", False),
        ("gatemate", "ccgm1a1", False),
    ],
)
def test_rows_that_come_late_out_of_block_ram_pass_a_register(target, device, registered):
    hidden, readout = random_design((64, 32, 10), target=target, device=device, lanes=(16, 10)).complete_plan.engines
    for engine in (hidden, readout):
        assert engine.projections[0].weights.kind is MemoryKind.EBR
        assert engine.membrane.kind is MemoryKind.REGISTERS
        # One behind the memory, so that the way across the chip is a cycle of its own; and one before the adder.
        assert engine.projections[0].weights.registered == registered
        assert engine.registered == registered
        assert engine.pipeline == 1 + 2 * registered
    deep = random_design((64, 128, 10), target=target, device=device, lanes=(16, 10)).complete_plan.engines[0]
    assert deep.membrane.kind is MemoryKind.EBR
    assert deep.staged  # its adder has a register in front already
    assert not deep.registered


@pytest.mark.parametrize(("device", "late"), [("85k", True), ("hx8k", False)])
def test_a_spike_map_that_comes_late_has_a_register_and_one_of_banks_another(device, late):
    network = RandomNetwork(architecture="1x8x8-4c3-4c3-4c3-10", encoding=Encoding.DIRECT)
    options = Options(engines=Engines.GATHER, lanes=(4, 4, 4, 10), column_banks=(2, 1, 1, 1))
    target = "ecp5" if late else "ice40"
    design = design_of(random_graph(network), target=target, device=device, options=options)
    engines = run_passes(design, passes_before("emit")).complete_plan.engines
    maps = [engine.main.queue for engine in engines if engine.main.queue.steps is not None]
    assert [queue.registers for queue in maps] == ([2, 1, 1] if late else [0, 0, 0])
    assert [queue.latency for queue in maps] == ([4, 3, 3] if late else [2, 2, 2])


def test_roomy_networks_use_block_ram():
    hidden, readout = random_design((64, 32, 10)).complete_plan.engines
    assert hidden.projections[0].weights.kind is readout.projections[0].weights.kind is MemoryKind.EBR
    assert hidden.membrane.kind is readout.membrane.kind is MemoryKind.REGISTERS
    assert hidden.pipeline == readout.pipeline == 1
    deep = random_design((64, 128, 10)).complete_plan.engines[0]
    assert deep.membrane.kind is MemoryKind.EBR
    assert deep.constants.width == 3 * deep.lanes * deep.residual_bits


def test_little_block_ram_goes_where_it_saves_most():
    """With fewer and fewer blocks, logic grows, and the hardware's rules hold for every plan on the way."""
    bounded = schedule(bound(design_of(random_graph(RandomNetwork(architecture="64-128-10")))))
    before = None
    for blocks in range(40, -1, -1):
        device = dataclasses.replace(bounded.device, block_rams=blocks)
        plan = place_anyway(bounded.on(device))
        check(plan)
        assert plan.blocks <= blocks
        cells = total_cells(plan)
        assert before is None or cells >= before
        before = cells


def check(plan) -> None:
    """What the hardware takes for granted."""
    names = [memory.name for engine in plan.engines for memory in engine.memories]
    assert len(set(names)) == len(names)
    for position, engine in enumerate(plan.engines):
        (projection,) = engine.projections
        weights, digits = projection.weights, projection.digits
        spiking = engine.population.fires
        assert engine.words * engine.lanes >= engine.neurons > (engine.words - 1) * engine.lanes
        assert projection.row_stride >= engine.words
        assert weights.depth == projection.source_layout.neurons * projection.row_stride
        assert weights.width == engine.lanes * projection.weight_bits
        assert engine.staged == (engine.membrane.kind is MemoryKind.EBR and engine.words >= 3)
        listing = engine.kind.kind == "pixel_list"
        assert engine.pipeline == 1 + (weights.banks > 1) + (digits is not None) + engine.staged + 2 * listing
        assert weights.kind in (MemoryKind.EBR, MemoryKind.SPRAM) or weights.banks == 1
        assert all(memory is weights or not memory.sprams for memory in engine.memories)
        assert engine.membrane.depth == (1 if listing else engine.words)
        assert engine.words == engine.constants.depth
        assert engine.membrane.width == engine.lanes * engine.residual_bits
        assert engine.membrane.kind is not MemoryKind.EBR or (spiking and engine.words >= 2)
        fields = 1 + spiking + (engine.membrane.kind is MemoryKind.EBR or listing)
        assert engine.constants.width == fields * engine.membrane.width
        assert engine.constants.banks == 1
        assert all(memory.bits_used <= memory.bits_paid for memory in engine.memories)
        if position:
            before = plan.engines[position - 1]
            assert projection.source_layout == before.layout
            assert projection.queue.depth >= before.pipeline + 2
            assert digits is None
        assert (digits is not None or listing) == (position == 0 and plan.input.encoding is Encoding.DIRECT)


shapes = st.lists(st.integers(1, 90), min_size=2, max_size=4).map(tuple)


@given(
    shape=shapes, encoding=st.sampled_from(Encoding), bits=st.integers(2, 8), device=st.sampled_from(["hx8k", "lp1k"])
)
def test_every_plan_keeps_the_rules(shape, encoding, bits, device):
    graph = random_graph(
        RandomNetwork(architecture="-".join(map(str, shape)), encoding=encoding, weight_bits=bits, time_steps=3)
    )
    design = schedule(bound(design_of(graph, device=device)))
    plan = place_anyway(design)
    check(plan)
    assert plan.model_hash == model_hash(graph)
    assert plan_from_json(plan_to_json(plan)) == plan


def test_a_stride_of_a_power_of_two_only_where_it_is_free():
    (hidden, _) = random_design((64, 24, 10), lanes=(8, 10)).complete_plan.engines  # 3 words: 192 or 256 rows
    assert hidden.projections[0].row_stride == 4
    (hidden, _) = random_design((80, 24, 10), lanes=(8, 10)).complete_plan.engines  # 240 rows of 256 x 16, or 320
    assert (hidden.words, hidden.projections[0].row_stride) == (3, 3)


@pytest.mark.parametrize("device", load_target("ice40").devices)
def test_a_network_that_fits_nowhere_is_refused_with_numbers(device):
    graph = random_graph(RandomNetwork(architecture="784-512-10"))
    design = schedule(bound(design_of(graph, device=device)))
    with pytest.raises(FitError) as caught:
        place(design)
    message = str(caught.value)
    assert f"({device})" in message
    assert f"EBR (it has {design.device.block_rams})" in message
    assert "'hidden0.weights' with 1,605,632 bits" in message
    assert ("which would take 8 SPRAM (it has 4)" in message) == bool(design.device.spram_blocks)
    assert "--weight-bits" in message


def test_too_many_cells_are_refused_with_numbers():
    graph = random_graph(RandomNetwork(architecture="64-64-10"))
    design = schedule(bound(design_of(graph, device="hx1k", options=Options(lanes=(32, 10)))))
    with pytest.raises(FitError, match=r"32, 10 lanes: it needs .*about [\d,]+ LCs \(it has 1,280\)"):
        place(design)


def test_ecp5_is_refused_in_its_own_units():
    design = schedule(
        bound(design_of(random_graph(RandomNetwork(architecture="784-2048-10")), target="ecp5", device="12k"))
    )
    with pytest.raises(FitError, match=r"LFE5U-12F \(12k\) with .* lanes: it needs \d+ EBR \(it has 32\)"):
        place(design)
    small = dataclasses.replace(design.device, logic_cells=100)
    with pytest.raises(FitError, match=r"about [\d,]+ LUTs \(it has 100\)"):
        place(design.on(small))
    # A plan that came along is checked, too.
    with pytest.raises(FitError, match=r"about [\d,]+ LUTs \(it has 100\)"):
        place(dataclasses.replace(design, device=small))


@pytest.mark.parametrize(
    ("width", "depth", "blocks", "banks"),
    [
        (64, 1568, 8, 1),  # 2,048 words of nine bits: no multiplexer
        (36, 512, 1, 1),
        (256, 784, 15, 1),
        (232, 1568, 26, 1),
        (4, 4096, 1, 1),
        (9, 2049, 2, 2),
    ],
)
def test_the_cheapest_shape_of_an_ecp5(width, depth, blocks, banks):
    memory = block_memory(find_device("ecp5"), "m", width=width, depth=depth, bits_used=width * depth, banked=True)
    assert memory is not None
    assert (memory.blocks, memory.banks) == (blocks, banks)
    assert memory.bits_paid == blocks * 18432


def test_column_banks_share_membranes_out_and_copy_weights():
    graph = spatial_chain((2, 9, 9), [Conv(channels=12), Full(shape=(10, 1, 1))])
    device = find_device("ecp5", "85k")
    single, banked = (
        place(
            schedule(
                bound(
                    dataclasses.replace(
                        design_of(graph, options=Options(lanes=(6, 10), column_banks=banks)), device=device
                    )
                )
            )
        ).complete_plan.engines[0]
        for banks in ((1, 1), (4, 1))
    )
    assert (single.layout, single.words) == (banked.layout, banked.words)
    assert (single.width, banked.width) == ("6", "6x4")
    assert banked.bank_layout == dataclasses.replace(single.layout, columns=3)
    assert single.membrane.depth == single.layout.depth
    assert banked.membrane.depth == banked.bank_layout.depth < single.membrane.depth / 3
    assert (banked.membrane.copies, banked.membrane.width) == (4, single.membrane.width)
    assert banked.membrane.bits_used == single.membrane.bits_used
    weights = single.main.weights, banked.main.weights
    assert (weights[1].copies, weights[1].blocks, weights[1].depth) == (4, 4 * weights[0].blocks, weights[0].depth)
    assert weights[1].bits_paid == 4 * weights[0].bits_paid
    assert banked.pipeline == single.pipeline + 1
    device = find_device("ice40")
    assert engine_cells(banked, device) > 2 * engine_cells(single, device)


def test_a_refusal_names_the_smallest_device_of_any_family_that_takes_the_network() -> None:
    design = random_design_of("784-128-64-10", device="hx1k")
    with pytest.raises(FitError, match="the smallest that takes it is") as caught:
        place(schedule(design))
    found = re.search(r"--target (\w+) --device ([\w-]+)\)", str(caught.value))
    assert found is not None
    device = find_device(found[1], found[2])
    assert could_fit(design.on(device))
    smaller = [
        other
        for target in TARGETS
        for other in load_target(target).devices.values()
        if other.logic_cells / other.logic_scale < device.logic_cells / device.logic_scale
    ]
    assert smaller
    assert not any(could_fit(design.on(other)) for other in smaller)


def test_a_refusal_says_where_no_device_of_any_family_would_do() -> None:
    with pytest.raises(FitError, match="no device of any family takes this one"):
        place(schedule(random_design_of("2048-4096-10", device="hx1k")))


def random_design_of(architecture: str, *, device: str) -> Design:
    graph = random_graph(RandomNetwork(architecture=architecture))
    return bound(design_of(graph, device=device))
