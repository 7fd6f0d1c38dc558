"""The report of a build."""

from __future__ import annotations

import json

import pytest

from snnc.compiler.backend.report import compile_report
from snnc.compiler.build.build_page import render_build_page
from snnc.compiler.build.report import Section, render_report, report_json, update_report
from snnc.compiler.design import Engines
from snnc.compiler.ir import Encoding
from snnc.sim.models.timing.estimate import estimate, expected
from tests.compiler.networks import random_design

DESIGN = random_design((784, 32, 10), encoding=Encoding.DIRECT, engines=Engines.SCATTER)
LOADED = random_design((784, 128, 10), encoding=Encoding.DIRECT)
SECTION = Section(title="Verification", summary="All equal.", rows=[("samples", "3")], facts={"samples": 3})


@pytest.fixture
def folder(tmp_path):
    report = compile_report(DESIGN)
    (tmp_path / "report.json").write_text(report_json(report))
    (tmp_path / "report.md").write_text(render_report(report))
    return tmp_path


def test_it_says_what_was_decided(folder):
    text = (folder / "report.md").read_text()
    plan = DESIGN.complete_plan
    assert plan.model_hash in text
    rows = {line.split("|")[1].strip(): line for line in text.splitlines() if line.startswith("| ")}
    for engine in plan.engines:
        for memory in engine.memories:
            row = rows[memory.name]
            assert f"{memory.bits_used:,}" in row
            assert f"{memory.bits_paid:,}" in row
            assert f"| {memory.blocks} | {memory.sprams} |" in row
    cycles = estimate(plan, expected(DESIGN.graph)).cycles
    assert f"{round(cycles, 1):,.0f} cycles" in text


def test_spram_is_named():
    text = render_report(compile_report(LOADED))
    assert "| SPRAM | 4 | 4 |" in text
    assert "25,088 words, `images/load.hex`" in text
    assert "| SPRAM | 0 | 4 |" in render_report(compile_report(DESIGN))


def test_multipliers_are_named():
    plan = LOADED.complete_plan
    assert plan.dsps
    report = compile_report(LOADED)
    assert f"| DSP | {plan.dsps} | 8 |" in render_report(report)
    assert f'<td>DSP</td><td class="n">{plan.dsps}</td><td class="n">8</td>' in render_build_page(report, {})
    # A build that was made before its report told them is still shown.
    del report["device"]["dsps"], report["device"]["dsps_needed"]
    assert "DSP" not in render_report(report)
    assert "<td>DSP" not in render_build_page(report, {})


@pytest.mark.parametrize("design", [DESIGN, LOADED], ids=["EBR", "SPRAM"])
def test_tables_are_tables(tmp_path, design):
    """Every row of a Markdown table has the columns of its heading, and an empty line ends it."""
    folder = tmp_path
    report = compile_report(design)
    (folder / "report.json").write_text(report_json(report))
    update_report(folder, SECTION)
    columns = None
    for line in (folder / "report.md").read_text().splitlines():
        if not line.startswith("|"):
            assert not columns or not line, f"{line!r} follows a table"
            columns = None
            continue
        columns = columns or line.count("|")
        assert line.count("|") == columns


def test_sections_come_and_are_replaced(folder):
    update_report(folder, SECTION)
    update_report(folder, Section(title="Synthesis", summary="Done.", facts={"lc": 7}))
    update_report(folder, Section(title="Verification", summary="Again equal.", facts={"samples": 4}))
    report = json.loads((folder / "report.json").read_text())
    assert {section["title"]: section["facts"] for section in report["sections"]} == {
        "Synthesis": {"lc": 7},
        "Verification": {"samples": 4},
    }
    text = (folder / "report.md").read_text()
    assert "Again equal." in text
    assert "All equal." not in text
    left = sorted(path.name for path in folder.iterdir())
    assert left == [".report.lock", "report.html", "report.json", "report.md"]  # the lock, and no half-written file


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"sections": 3}'])
def test_a_report_that_the_user_changed_stays(text, folder):
    (folder / "report.json").unlink()
    if text is not None:
        (folder / "report.json").write_text(text)
    update_report(folder, SECTION)
    assert text is None or (folder / "report.json").read_text() == text
