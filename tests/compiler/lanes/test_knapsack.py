"""Which memories get block RAM."""

from __future__ import annotations

import dataclasses

import pytest

from snnc.compiler.lanes.knapsack import chosen
from snnc.compiler.lanes.memories import block_memory, logic_memory, side_by_side
from snnc.compiler.plan import MemoryKind, MemoryPlan
from snnc.compiler.targets import find_device

UP5K = find_device("ice40", "up5k")


def choices(name: str, *, width: int, copies: int) -> tuple[MemoryPlan, MemoryPlan]:
    block = block_memory(UP5K, name, width=width, depth=200, bits_used=1, banked=False)
    assert block is not None
    logic = logic_memory(name, width=width, depth=200, bits_used=1)
    return side_by_side(block, copies), side_by_side(logic, copies)


@pytest.mark.parametrize(("blocks", "in_logic"), [(3, set()), (2, {"alone"}), (1, {"alone", "double"})])
def test_what_is_given_up_costs_logic_in_every_copy(blocks: int, in_logic: set[str]) -> None:
    """A block of the two copies saves 14 bits in logic, and not 7, which would be less than the 10 of the other."""
    menu = {"alone": choices("alone", width=10, copies=1), "double": choices("double", width=14, copies=2)}
    taken = chosen(menu, dataclasses.replace(UP5K, block_rams=blocks, spram_blocks=0))
    assert {name for name, memory in taken.items() if memory.kind is MemoryKind.LUT} == in_logic
