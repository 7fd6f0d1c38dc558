"""The report of a build: ``report.json`` holds the facts, ``report.md`` shows them.

`snnc verify` and `snnc synth` add sections with `update_report`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from snnc.compiler import __version__
from snnc.compiler.artefacts import replace_file
from snnc.compiler.backend.templates import render
from snnc.compiler.design import Design
from snnc.compiler.passes.area import total_cells
from snnc.compiler.plan import SEMANTICS_VERSION, EnginePlan, MemoryPlan, Range
from snnc.sim.estimate import TYPICAL_DENSITY, TYPICAL_FIRING, assumed, estimate

__all__ = [
    "REPORT_JSON",
    "REPORT_MARKDOWN",
    "Section",
    "compile_report",
    "render_report",
    "report_json",
    "update_report",
]

REPORT_JSON: Final = "report.json"
REPORT_MARKDOWN: Final = "report.md"

_TEMPLATE: Final = "report.md.j2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What a later command found out.

    Attributes
    ----------
    title
        The heading; a section of the same title is replaced.
    summary
        A sentence or two, Markdown.
    rows
        A table of names and values, for people.
    facts
        The same and more, for programs; plain values only.
    """

    title: str
    summary: str
    rows: Sequence[tuple[str, str]] = ()
    facts: Mapping[str, Any]


def compile_report(design: Design) -> dict[str, Any]:
    """The facts of a compiled design; plain values only."""
    plan, device = design.complete_plan, design.device
    mean = estimate(plan, assumed(plan, density=TYPICAL_DENSITY, firing=TYPICAL_FIRING))
    return {
        "versions": {"snnc": __version__, "semantics": SEMANTICS_VERSION},
        "network": {
            "name": plan.name,
            "hash": plan.model_hash,
            "time_steps": plan.time_steps,
            "input": {
                "encoding": plan.input.encoding.value,
                "addresses": plan.input.layout.neurons,
                "bits": plan.input.value_bits,
            },
            "rewrites": list(design.rewrites),
        },
        "layers": [_layer(engine, mean.operations[engine.name]) for engine in plan.engines],
        "memories": [_memory(memory) for engine in plan.engines for memory in engine.memories],
        "prediction": {
            "density": TYPICAL_DENSITY,
            "firing": TYPICAL_FIRING,
            "time_steps": plan.time_steps,
            "cycles": round(mean.cycles, 1),
            "busiest": mean.busiest,
        },
        "device": {
            "family": device.family,
            "name": device.name,
            "title": device.title,
            "blocks_needed": plan.blocks,
            "blocks": device.block_rams,
            "sprams_needed": plan.sprams,
            "sprams": device.spram_blocks,
            "load_words": plan.load_words,
            "cells_needed": total_cells(plan),
            "cell": device.logic_name,
            "cells": device.logic_cells,
        },
        "sections": [],
    }


def render_report(report: Mapping[str, Any]) -> str:
    """The report as Markdown."""
    return render(_TEMPLATE, report)


def update_report(folder: Path, section: Section) -> None:
    """Put a section into the report of the build in `folder`, in the place of an earlier one of that title."""
    path = folder / REPORT_JSON
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        sections = [known for known in report["sections"] if known["title"] != section.title]
    except (OSError, ValueError, KeyError, TypeError):
        # The user may do what he likes with the report: the result is in the command's own folder as well.
        return
    sections.append(
        {
            "title": section.title,
            "summary": section.summary,
            "rows": [list(row) for row in section.rows],
            "facts": dict(section.facts),
        }
    )
    report["sections"] = sections
    text = render_report(report)
    replace_file(path, report_json(report))
    replace_file(folder / REPORT_MARKDOWN, text)


def report_json(report: Mapping[str, Any]) -> str:
    """The report as text for programs."""
    return json.dumps(report, indent=2) + "\n"


def _layer(engine: EnginePlan, operations: float) -> dict[str, Any]:
    neuron = "readout"
    if engine.reset is not None:
        neuron = "IF" if engine.leak_shift is None else f"LIF of leak shift {engine.leak_shift}"
        neuron += f", {engine.reset.value} reset" + (", floor" if engine.floor else "")
    return {
        "name": engine.name,
        "shape": f"{' + '.join(p.source_layout.shape for p in reversed(engine.projections))} to {engine.layout.shape}",
        "inputs": sum(projection.source_layout.neurons for projection in engine.projections),
        "neurons": engine.neurons,
        "neuron": neuron,
        "weight_bits": max(projection.weight_bits for projection in engine.projections),
        "lanes": engine.lanes,
        "column_banks": engine.column_banks,
        "words": engine.words,
        "pipeline": engine.pipeline,
        "operations": round(operations, 1),
        "input_current": _range(engine.input_current),
        "before_reset": _range(engine.before_reset),
        "after_reset": _range(engine.after_reset),
        "residual_bits": engine.residual_bits,
    }


def _range(bounds: Range) -> str:
    return f"{bounds.low} .. {bounds.high}"


def _memory(memory: MemoryPlan) -> dict[str, Any]:
    return {
        "name": memory.name,
        "kind": memory.kind.value,
        "width": memory.width,
        "depth": memory.depth,
        "banks": memory.banks,
        "blocks": memory.blocks,
        "sprams": memory.sprams,
        "bits_used": memory.bits_used,
        "bits_paid": memory.bits_paid,
    }
