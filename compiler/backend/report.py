"""What the compiler says of a build in its report."""

from __future__ import annotations

from typing import Any

from snnc.compiler import __version__
from snnc.compiler.contract import SEMANTICS_VERSION, TIMING_VERSION
from snnc.compiler.design import Design
from snnc.compiler.ir import Graph
from snnc.compiler.lanes.area import total_cells
from snnc.compiler.plan import EnginePlan, MemoryPlan, Range
from snnc.sim.models.timing.estimate import TYPICAL_DENSITY, TYPICAL_FIRING, estimate, expected

__all__ = ["compile_report"]


def compile_report(design: Design) -> dict[str, Any]:
    """The facts of a compiled design; plain values only."""
    plan, device = design.complete_plan, design.device
    mean = estimate(plan, expected(design.graph))
    return {
        "versions": {"snnc": __version__, "semantics": SEMANTICS_VERSION, "timing": TIMING_VERSION},
        "network": {
            "name": plan.name,
            "hash": plan.model_hash,
            "time_steps": plan.time_steps,
            "input": {
                "name": plan.input.name,
                "shape": plan.input.layout.shape,
                "encoding": plan.input.encoding.value,
                "addresses": plan.input.layout.neurons,
                "bits": plan.input.value_bits,
            },
            "rewrites": list(design.rewrites),
            "notes": list(design.notes),
        },
        "rival": None if design.graph.rival is None else design.graph.rival.facts,
        "layers": [_layer(engine, mean.operations[engine.name]) for engine in plan.engines],
        "memories": [_memory(engine, memory) for engine in plan.engines for memory in engine.memories],
        "prediction": {
            "activity": _activity(design.graph),
            "time_steps": plan.time_steps,
            "cycles": round(mean.cycles, 1),
            "busiest": mean.busiest,
            "operations": round(mean.bound, 1),
        },
        "device": {
            "family": device.family,
            "name": device.name,
            "title": device.title,
            "block_name": device.block_ram_name,
            "blocks_needed": plan.blocks,
            "blocks": device.block_rams,
            "sprams_needed": plan.sprams,
            "sprams": device.spram_blocks,
            "dsps_needed": plan.dsps,
            "dsps": device.dsps,
            "load_words": plan.load_words,
            "cells_needed": total_cells(plan),
            "cell": device.logic_name,
            "cells": device.logic_cells,
        },
        "sections": [],
    }


def _activity(graph: Graph) -> dict[str, Any]:
    """What the prediction takes the network to do."""
    if (record := graph.activity) is None:
        return {"density": TYPICAL_DENSITY, "firing": TYPICAL_FIRING}
    spikes = {name: float(events.sum(axis=(1, 2)).mean()) for name, events in record.events.items()}
    return {
        "data": record.data,
        "samples": record.samples,
        "firing": {name: mean / graph.population(name).size for name, mean in spikes.items()},
    }


def _layer(engine: EnginePlan, operations: float) -> dict[str, Any]:
    neuron = "readout" if engine.leak_shift is None else f"readout of leak shift {engine.leak_shift}"
    if engine.reset is not None:
        neuron = "IF" if engine.leak_shift is None else f"LIF of leak shift {engine.leak_shift}"
        neuron += f", {engine.reset.value} reset" + (", floor" if engine.population.floor else "")
    return {
        "name": engine.name,
        "shape": f"{' + '.join(p.source_layout.shape for p in reversed(engine.projections))} to {engine.layout.shape}",
        "inputs": sum(projection.source_layout.neurons for projection in engine.projections),
        "neurons": engine.neurons,
        "neuron": neuron,
        "engine": engine.kind.kind,
        "sources": [projection.source for projection in reversed(engine.projections)],
        "weight_bits": max(projection.weight_bits for projection in engine.projections),
        "lanes": engine.lanes,
        "column_banks": engine.column_banks,
        "words": engine.words,
        "pipeline": engine.pipeline,
        "operations": round(operations, 1),
        "input_current": _range(engine.population.input_current),
        "before_reset": _range(engine.population.before_reset),
        "after_reset": _range(engine.population.after_reset),
        "residual_bits": engine.residual_bits,
    }


def _range(bounds: Range) -> str:
    return f"{bounds.low} .. {bounds.high}"


def _memory(engine: EnginePlan, memory: MemoryPlan) -> dict[str, Any]:
    return {
        "name": memory.name,
        "layer": engine.name,
        "kind": memory.kind.value,
        "width": memory.width,
        "depth": memory.depth,
        "banks": memory.banks,
        "blocks": memory.blocks,
        "sprams": memory.sprams,
        "bits_used": memory.bits_used,
        "bits_paid": memory.bits_paid,
    }
