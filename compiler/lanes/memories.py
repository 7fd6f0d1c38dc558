"""The ways to build one memory, and what each costs."""

from __future__ import annotations

import dataclasses
from typing import Final

from snnc.compiler.plan import LayoutPlan, MemoryKind, MemoryPlan, unsigned_bits
from snnc.compiler.plan.projections import map_depth
from snnc.compiler.targets import Device

__all__ = [
    "RING_WORDS",
    "TINY_LOGIC",
    "block_memory",
    "deep_memory",
    "logic_cells",
    "logic_memory",
    "map_memory",
    "paired_memory",
    "queue_memories",
    "register_memory",
    "side_by_side",
    "spram_memory",
    "weights_in_logic",
]

TINY_LOGIC: Final = 48
"""Logic cells of a read-only memory that is not worth a block RAM."""

RING_WORDS: Final = 4
"""Membranes of at most so many words stay in flip-flops, which need no address."""

MARKER_BITS: Final = 2
"""Of a spike word."""

_FEW_WORDS: Final = 8
"""Of a queue that flip-flops hold for less than a block RAM is worth."""

_LUT_ROWS: Final = 16
"""Words of one bit that a look-up table with four inputs holds."""

_LOGIC_BANK: Final = 256
"""Words of such a memory in a bank."""

_LUT_JOIN: Final = 0.5
"""Further cells per look-up table of a deep read-only memory, for the multiplexers that join them."""

_LUT_SHALLOW: Final = 0.6
"""Cells per bit of at most 16 words: some bits are the same as others, or constant."""

_BANK_JOIN: Final = 0.75
"""Cells per bit and further bank."""

_RING_WORD: Final = 0.6
"""Cells per bit of a ring's words but its last, which shares the adder's cells: some share a cell with other logic."""


def block_memory(
    device: Device, name: str, *, width: int, depth: int, bits_used: int, banked: bool
) -> MemoryPlan | None:
    """In block RAM, in the shape that takes the fewest blocks, then the fewest banks; None where no shape will do.

    Synthesis finds the shape again from a bank's depth, so that a bank never has more words than one block.
    """
    best: MemoryPlan | None = None
    for mode_depth, mode_width in device.block_ram_modes:
        banks = -(-depth // mode_depth)
        if banks > 1 and not banked:
            continue
        blocks = banks * -(-width // mode_width)
        plan = MemoryPlan(
            name=name,
            kind=MemoryKind.EBR,
            width=width,
            depth=depth,
            bank_depth=mode_depth if banks > 1 else depth,
            blocks=blocks,
            bits_used=bits_used,
            bits_paid=blocks * device.block_ram_bits,
        )
        if best is None or (blocks, banks) < (best.blocks, best.banks):
            best = plan
    return best


def deep_memory(device: Device, name: str, *, width: int, depth: int, bits_used: int) -> MemoryPlan:
    """Block RAM that is written, too: synthesis joins the blocks where it is deeper than one."""
    memory = block_memory(device, name, width=width, depth=depth, bits_used=bits_used, banked=True)
    assert memory is not None
    return memory


def spram_memory(device: Device, name: str, *, width: int, depth: int, bits_used: int) -> MemoryPlan | None:
    """In SPRAM, a block for every 16 bits of a row and every 16,384 rows; None where the device has none."""
    if not device.spram_blocks:
        return None
    block_depth, block_width = device.spram_mode
    sprams = -(-width // block_width) * -(-depth // block_depth)
    return MemoryPlan(
        name=name,
        kind=MemoryKind.SPRAM,
        width=width,
        depth=depth,
        bank_depth=min(depth, block_depth),
        blocks=0,
        sprams=sprams,
        bits_used=bits_used,
        bits_paid=sprams * block_depth * block_width,
    )


def logic_memory(name: str, *, width: int, depth: int, bits_used: int) -> MemoryPlan:
    """Read-only, as logic."""
    return _plain(MemoryKind.LUT, name, width, depth, bits_used)


def weights_in_logic(device: Device, name: str, *, width: int, depth: int, bits_used: int) -> MemoryPlan:
    """The same; where block RAM is late, and other paths are faster, a deep one is read in three cycles, by banks."""
    memory = logic_memory(name, width=width, depth=depth, bits_used=bits_used)
    if not device.late_block_ram or depth <= _LOGIC_BANK:
        return memory
    return dataclasses.replace(memory, bank_depth=_LOGIC_BANK, registered=True)


def register_memory(name: str, *, width: int, depth: int, bits_used: int) -> MemoryPlan:
    """In flip-flops."""
    return _plain(MemoryKind.REGISTERS, name, width, depth, bits_used)


def paired_memory(
    device: Device, name: str, *, width: int, depth: int, bits_used: int, copies: int
) -> MemoryPlan | None:
    """Read-only block RAM for so many readers, of which two share each; None where the device has no second port."""
    if not device.paired_modes or copies % 2:
        return None
    paired = dataclasses.replace(device, block_ram_modes=device.paired_modes)
    return side_by_side(deep_memory(paired, name, width=width, depth=depth, bits_used=bits_used), copies // 2)


def side_by_side(memory: MemoryPlan, copies: int) -> MemoryPlan:
    """`memory` for each of so many column banks. A state is shared out among them, a parameter is in all."""
    blocks, paid = copies * memory.blocks, copies * memory.bits_paid
    return dataclasses.replace(memory, copies=copies, blocks=blocks, bits_paid=paid)


def queue_memories(device: Device, name: str, source: LayoutPlan, depth: int) -> tuple[MemoryPlan, ...]:
    """A queue of so many spike words of `source`: in block RAM, or for a few words in flip-flops."""
    width = source.lanes + source.address_bits + MARKER_BITS
    block = block_memory(device, name, width=width, depth=depth, bits_used=depth * width, banked=True)
    assert block is not None
    registers = register_memory(name, width=width, depth=depth, bits_used=depth * width)
    return (registers, block) if depth <= _FEW_WORDS else (block,)


def map_memory(
    device: Device, name: str, source: LayoutPlan, steps: int, *, writers: int = 1, readers: int = 1
) -> MemoryPlan:
    """A spike map of so many steps: a bank for each unit that writes, all of them for each that reads."""
    depth = max(2, map_depth(source.in_banks(writers), steps))
    bank = deep_memory(device, name, width=source.lanes, depth=depth, bits_used=steps * source.neurons)
    return side_by_side(bank, writers * readers)


def logic_cells(memory: MemoryPlan) -> int:
    """Estimated logic cells of a memory itself; see `snnc.compiler.lanes.area`."""
    match memory.kind:
        case MemoryKind.EBR:
            return round(memory.width * (memory.banks - 1) * _BANK_JOIN)
        case MemoryKind.SPRAM:
            # The loader's address or the walker's, a cell per bit.
            return unsigned_bits(memory.depth - 1) + round(memory.width * (memory.banks - 1) * _BANK_JOIN)
        case MemoryKind.REGISTERS:
            return round(memory.width * (memory.depth - 1) * _RING_WORD)
        case MemoryKind.LUT:
            if memory.depth <= 2:
                return 0
            tables = -(-memory.depth // _LUT_ROWS)
            return round(memory.width * (tables * (1 + _LUT_JOIN) if tables > 1 else _LUT_SHALLOW))


def _plain(kind: MemoryKind, name: str, width: int, depth: int, bits_used: int) -> MemoryPlan:
    return MemoryPlan(
        name=name,
        kind=kind,
        width=width,
        depth=depth,
        bank_depth=depth,
        blocks=0,
        bits_used=bits_used,
        bits_paid=width * depth,
    )
