"""From a complete design to the files of a build."""

from __future__ import annotations

from collections.abc import Mapping

from snnc.compiler.artefacts import MODEL, PLAN
from snnc.compiler.backend.bench import bench_files
from snnc.compiler.backend.images import memory_images
from snnc.compiler.backend.report import REPORT_JSON, REPORT_MARKDOWN, compile_report, render_report, report_json
from snnc.compiler.backend.verilog import emit_verilog
from snnc.compiler.design import Design
from snnc.compiler.model import model_to_bytes
from snnc.compiler.plan import plan_to_json

__all__ = ["emit"]


def emit(design: Design) -> Mapping[str, bytes]:
    """Every file of the build by its name relative to the build folder, but for the manifest."""
    plan = design.complete_plan
    report = compile_report(design)
    texts = {
        PLAN: plan_to_json(plan),
        **emit_verilog(plan),
        **memory_images(plan, design.graph),
        **bench_files(plan),
        REPORT_JSON: report_json(report),
        REPORT_MARKDOWN: render_report(report),
    }
    return {MODEL: model_to_bytes(design.graph), **{name: text.encode() for name, text in texts.items()}}
