"""Logic cells, estimated from a plan, so that what cannot fit is refused before a minute of synthesis.

The terms follow the hardware's structure; their factors were fitted to what nextpnr packs on iCE40 for 13 fully
connected networks of 64-32-10 to 784-32-10 with 1 to 16 lanes, and for convolutional ones, scattered and gathered, with
1 to 32; the devices of another family say by how much to scale. The serial shell is included.
"""

from __future__ import annotations

from typing import Final

from snnc.compiler.lanes.memories import logic_cells
from snnc.compiler.plan import EnginePlan, Plan, unsigned_bits
from snnc.compiler.targets import Device, find_device
from snnc.rtl.engines import witness

__all__ = ["CURRENT_BIT", "engine_cells", "shifter_cells", "total_cells"]

STATE_BIT: Final = 2.3
"""Per bit of a membrane word: the adder with the ring's last word, and the choice of what is added."""

CURRENT_BIT: Final = 1.4
"""Per bit of a word of an image's stored current: the adder with the ring's last word."""

SHIFTER_BIT: Final = 0.9
"""Per bit of a shifted weight and per level of its shifter."""

QUEUE: Final = 60
"""A queue in block RAM: its addresses, its credits, and the words in front of and behind the memory."""

SIDE: Final = 130
"""A side projection's walker, queue and serialiser."""

JOIN_BIT: Final = 1.0
"""Per bit of a membrane word and side projection: the choice among rows, and its register."""

STAGE_BIT: Final = 0.4
"""Per bit of a membrane word and a register in front of the adder: most share a cell with the choice that they hold."""

FORWARD_BIT: Final = 2.4
"""The same where what is written is kept for a cycle and may come back."""

PASS_BIT: Final = 1.0
"""Per bit of a membrane word and further pass of a sweep: the choice of what is added."""

LOADER: Final = 40
"""What fills the SPRAM at start-up: its counters, whatever their widths."""


def total_cells(plan: Plan) -> int:
    """Estimated logic cells, in the device's own kind, of the core in its serial shell."""
    device = find_device(plan.target, plan.device)
    cells = sum(engine_cells(engine, device) for engine in plan.engines) + LOADER * bool(plan.loaded)
    return round(device.logic_scale * cells)


def engine_cells(engine: EnginePlan, device: Device) -> int:
    """Estimated logic cells of one engine, its memories included, in such of which the device has `logic_scale`."""
    bits = engine.column_banks * engine.lanes * engine.residual_bits
    cells = device.engine + STATE_BIT * bits
    cells += (SIDE + JOIN_BIT * bits) * (len(engine.projections) - 1)
    queues = [projection.queue for projection in engine.projections if projection.queue.steps is None]
    cells += QUEUE * sum(queue.memory is not None and queue.memory.blocks > 0 for queue in queues)
    cells += PASS_BIT * bits * (len(engine.passes) - 1)
    if engine.staged:
        cells += (FORWARD_BIT if engine.forwards else STAGE_BIT) * bits
    cells += sum(memory.copies * logic_cells(memory) for memory in engine.memories)
    for part in witness(engine.kind, "cells").further_cells(engine, device):
        cells += part
    return round(cells)


def shifter_cells(engine: EnginePlan, value_bits: int) -> float:
    """What brings a weight to the position of a digit."""
    return SHIFTER_BIT * engine.lanes * (engine.main.weight_bits + value_bits) * unsigned_bits(value_bits)
