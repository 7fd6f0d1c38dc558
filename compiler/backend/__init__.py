"""The last pass, and what it writes: model, plan, Verilog, memory images, bench and report."""

from __future__ import annotations

import dataclasses
from types import MappingProxyType

from snnc.compiler.backend.bench import bench_files
from snnc.compiler.backend.images import memory_images
from snnc.compiler.backend.loading import with_load_image
from snnc.compiler.backend.report import compile_report
from snnc.compiler.backend.verilog import emit_verilog
from snnc.compiler.build.build_page import REPORT_PAGE, render_build_page
from snnc.compiler.build.folder import MODEL, PLAN
from snnc.compiler.build.report import REPORT_JSON, REPORT_MARKDOWN, render_report, report_json
from snnc.compiler.design import Design
from snnc.compiler.ir.model import model_to_bytes
from snnc.compiler.plan import plan_to_json

__all__ = ["emit"]


def emit(design: Design) -> Design:
    """Write everything down.

    Invariant: `files` holds the whole build but for its manifest, and follows from network and plan alone: the same
    design gives the same bytes.
    """
    plan = design.complete_plan
    report = compile_report(design)
    texts = {
        PLAN: plan_to_json(plan),
        **emit_verilog(plan),
        **with_load_image(plan, memory_images(plan, design.graph)),
        **bench_files(plan),
        REPORT_JSON: report_json(report),
        REPORT_MARKDOWN: render_report(report),
        REPORT_PAGE: render_build_page(report, {}),
    }
    files = {MODEL: model_to_bytes(design.graph), **{name: text.encode() for name, text in texts.items()}}
    return dataclasses.replace(design, files=MappingProxyType(files))
