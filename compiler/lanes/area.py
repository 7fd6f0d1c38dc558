"""Logic cells, estimated from a plan, so that what cannot fit is refused before a minute of synthesis.

A plan has so much of each *term* that follows the hardware's structure: so many units that gather, bits of membranes,
lanes that a serialiser looks through. What one of each takes differs from family to family (`Target.logic`), since
carry chains, multiplexers and flip-flops share a cell in one and not in another. `benchmarks/logic.py` fits it to what
nextpnr packs of the designs in `benchmarks/packed`, with the serial shell, and says how far off the estimate is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from snnc.compiler.ir.neurons import Reset
from snnc.compiler.lanes.memories import MARKER_BITS, logic_cells
from snnc.compiler.plan import EnginePlan, MemoryKind, MemoryPlan, Plan, ProjectionPlan, unsigned_bits
from snnc.compiler.targets import Device, load_target
from snnc.rtl.engines import witness

__all__ = ["engine_cells", "shifter_bits", "terms_of", "total_cells"]


def total_cells(plan: Plan) -> int:
    """Estimated logic cells, in the device's own kind, of the core in its serial shell."""
    logic = load_target(plan.target).logic
    return round(sum(_cells(engine, logic) for engine in plan.engines))


def engine_cells(engine: EnginePlan, device: Device) -> int:
    """The same of one engine, its memories included; of the readout, with its port and the shell."""
    return round(_cells(engine, load_target(device.family).logic))


def _cells(engine: EnginePlan, logic: Mapping[str, float]) -> float:
    return sum(logic.get(term, 0) * amount for term, amount in terms_of(engine).items())


def terms_of(engine: EnginePlan) -> Mapping[str, float]:
    """How much there is of everything in an engine that takes logic, by the term's name."""
    found: Counter[str] = Counter()
    for term, amount in (*_of_every_kind(engine), *witness(engine.kind, "cells").terms(engine)):
        found[term] += amount
    return {term: amount for term, amount in found.items() if amount}


def shifter_bits(engine: EnginePlan, value_bits: int) -> int:
    """Bits of all levels of what brings a unit's weights to the position of a digit."""
    return engine.lanes * (engine.main.weight_bits + value_bits) * unsigned_bits(value_bits)


def _of_every_kind(engine: EnginePlan) -> Iterator[tuple[str, float]]:
    bits = engine.column_banks * engine.lanes * engine.residual_bits
    yield "pass bit", bits * (len(engine.passes) - 1)
    yield "hard reset bit", bits * (engine.reset is Reset.HARD)
    # Of a single group the constants are none of a memory's, but part of the logic that adds them.
    yield "group bit", bits * (engine.layout.groups > 1)
    yield "stage bit", engine.units * engine.pipeline * engine.layout.address_bits
    yield "side", len(engine.projections) - 1
    yield "side bit", bits * (len(engine.projections) - 1)
    for projection in engine.projections:
        yield from _of_projection(engine, projection)
    if not engine.population.fires:
        yield "readout", 1  # with the serial shell
        yield "readout bit", bits
        yield "exit", engine.population.exit is not None
    for memory in engine.memories:
        yield _term_of(engine, memory), memory.copies * logic_cells(memory)


def _of_projection(engine: EnginePlan, projection: ProjectionPlan) -> Iterator[tuple[str, float]]:
    queue, source = projection.queue, projection.source_layout
    addresses = unsigned_bits(projection.weights.depth - 1) + engine.layout.address_bits + source.address_bits
    yield f"{projection.walk.kind} address bit", engine.units * addresses
    if queue.memory is None:
        yield "queue bit", queue.depth * (source.lanes + source.address_bits + MARKER_BITS)
    elif queue.steps is None:
        yield "queue", 1
    else:
        yield "map", 1
        yield "map lane", queue.memory.copies * source.lanes  # who reads chooses among the banks of who writes
    yield "delay", projection.delay > 0
    yield "source lane", engine.units * source.lanes


def _term_of(engine: EnginePlan, memory: MemoryPlan) -> str:
    match memory.kind:
        case MemoryKind.LUT:
            # Neurons' constants have many bits alike, weights have not.
            return "constant cell" if memory is engine.constants else "table cell"
        case MemoryKind.REGISTERS:
            return "ring cell"
        case MemoryKind.EBR | MemoryKind.SPRAM:
            return "memory cell"
