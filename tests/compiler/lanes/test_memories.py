"""What the ways to build a memory cost; shapes are in `tests.compiler.passes.test_place`."""

from __future__ import annotations

import pytest

from snnc.compiler.lanes.memories import (
    logic_cells,
    map_memory,
    paired_memory,
    queue_memories,
    side_by_side,
    spram_memory,
)
from snnc.compiler.plan import LayoutPlan, MemoryKind
from snnc.compiler.targets import find_device

UP5K = find_device("ice40", "up5k")


def test_a_queue_of_a_few_words_may_be_in_flip_flops():
    source = LayoutPlan(channels=40, rows=1, columns=1, lanes=8)  # 5 words: 8 spikes, an address of 3 bits, a marker
    registers, block = queue_memories(UP5K, "q", source, 8)
    assert (registers.kind, block.kind) == (MemoryKind.REGISTERS, MemoryKind.EBR)
    for memory in (registers, block):
        assert (memory.width, memory.depth, memory.bits_used) == (13, 8, 8 * 13)
    (block,) = queue_memories(UP5K, "q", source, 9)
    assert (block.kind, block.bits_used, block.blocks) == (MemoryKind.EBR, 9 * 13, 1)


@pytest.mark.parametrize(("depth", "banks", "cells"), [(1024, 1, 10), (1025, 1, 11), (16384, 1, 14), (16385, 2, 27)])
def test_spram_costs_its_address_and_what_joins_its_banks(depth, banks, cells):
    memory = spram_memory(UP5K, "m", width=16, depth=depth, bits_used=1)
    assert memory is not None
    assert (memory.banks, logic_cells(memory)) == (banks, cells)


def test_a_parameter_is_in_every_column_bank():
    memory = spram_memory(UP5K, "m", width=16, depth=16, bits_used=1)
    assert memory is not None
    assert side_by_side(memory, 3).bits_paid == 3 * memory.bits_paid


def test_a_spike_map_pays_for_the_spikes_of_all_its_steps():
    layout = LayoutPlan(channels=6, rows=5, columns=4, lanes=6)
    memory = map_memory(UP5K, "spikes", layout, 3)
    assert memory.width == 6
    assert memory.bits_used == 3 * 6 * 5 * 4
    assert (memory.depth, memory.copies) == ((2 << 5) + (4 << 2) + 4, 1)


def test_a_spike_map_has_a_bank_for_each_writer_and_all_of_them_for_each_reader():
    layout = LayoutPlan(channels=6, rows=5, columns=6, lanes=6)
    memory = map_memory(UP5K, "spikes", layout, 3, writers=4, readers=2)
    assert memory.depth == (2 << 4) + (4 << 1) + 2  # one bit of the column is left of three
    assert (memory.copies, memory.blocks) == (8, 8)


def test_two_readers_share_a_memory_where_the_device_has_a_second_port():
    ecp5 = find_device("ecp5", "45k")
    deep = paired_memory(ecp5, "m", width=256, depth=576, bits_used=1, copies=4)
    assert deep is not None
    assert (deep.copies, deep.blocks) == (2, 2 * 15)
    # The widest shape has one port alone.
    flat = paired_memory(ecp5, "m", width=36, depth=100, bits_used=1, copies=2)
    assert flat is not None
    assert (flat.copies, flat.blocks) == (1, 2)
    assert paired_memory(UP5K, "m", width=16, depth=16, bits_used=1, copies=2) is None
