"""The page of a build: what is on it, and that it is what the files say."""

from __future__ import annotations

import json
import re

import pytest
from click.testing import CliRunner

from snnc.compiler.build.build_page import SAMPLES, read_results, render_build_page
from snnc.compiler.build.drawing import Scale, areas, ticks
from snnc.compiler.build.folder import open_build
from snnc.compiler.cli import cli
from snnc.compiler.commands.verify import random_inputs
from snnc.sim.trust.observed import observed

NETWORKS = {
    "dense": ["--random", "24-16-4", "--weight-bits", "4"],
    "pixels": ["--random", "1x12x12-6c3s2-8c3-5", "--encoding", "direct", "--time-steps", "3"],
    "skip": ["--random", "1x8x8-4c3-4r3-3", "--encoding", "rate", "--time-steps", "2"],
    "gather": ["--random", "1x12x12-6c3s2-8c3-5", "--encoding", "direct", "--time-steps", "3", "--engines", "gather"],
}


def built(folder, options):
    said = CliRunner().invoke(cli, ["compile", *options, "-o", str(folder)], catch_exceptions=False)
    assert said.exit_code == 0, said.output
    return open_build(folder)


def report_of(folder):
    return json.loads((folder / "report.json").read_text())


@pytest.mark.parametrize("options", NETWORKS.values(), ids=NETWORKS)
def test_a_page_that_needs_nothing_but_itself(tmp_path, options):
    build = built(tmp_path, options)
    page = (tmp_path / "report.html").read_text()
    assert not re.search(r"(src|href)=\"?(https?:)?//|url\(|@import", page)
    report = report_of(tmp_path)
    for layer in report["layers"]:
        assert f"<b>{layer['name']}</b>{layer['shape'].split(' to ')[-1]}<br>{layer['engine']}" in page
    assert all(f"<tr><td>{memory['name']}</td>" in page for memory in report["memories"])
    assert "One sample, cycle by cycle" not in page
    # With what samples do; nothing is simulated here, which is what verify is for.
    inputs = random_inputs(build.plan, 12, time_steps=build.plan.time_steps, density=0.3, seed=1)
    seen = observed(build, inputs, time_steps=build.plan.time_steps)
    report["sections"] = [{"title": "Verification", "summary": "", "rows": [], "facts": {}}]
    page = render_build_page(report, {SAMPLES: json.loads(json.dumps(seen))})
    assert len(page) < 2_000_000
    sums = re.findall(r'<td class="n sum">([\d,]+)</td>', page)
    assert len(sums) == sum(engine.units for engine in build.plan.engines)
    assert {int(text.replace(",", "")) for text in sums} == {seen["cycles"][0]}
    assert f'<b id="sample-cycles">{seen["cycles"][0]:,}</b>' in page


@pytest.mark.heavy
def test_verify_puts_its_own_samples_on_the_page(tmp_path):
    built(tmp_path, NETWORKS["pixels"])
    said = CliRunner().invoke(cli, ["verify", str(tmp_path), "--samples", "5"], catch_exceptions=False)
    assert said.exit_code == 0
    result = json.loads((tmp_path / "verify" / "result.json").read_text())
    samples = json.loads((tmp_path / "verify" / "samples.json").read_text())
    assert sum(samples["cycles"]) == result["simulated_cycles"]
    assert (min(samples["cycles"]), max(samples["cycles"])) == (result["cycles_least"], result["cycles_most"])
    page = (tmp_path / "report.html").read_text()
    assert f'<b id="sample-cycles">{samples["cycles"][0]:,}</b>' in page
    assert 'href="verify/result.json"' in page


def test_what_is_of_another_network_or_damaged_is_not_shown(tmp_path):
    build = built(tmp_path, NETWORKS["dense"])
    (tmp_path / "verify").mkdir()
    (tmp_path / "synth").mkdir()
    (tmp_path / "verify" / "result.json").write_text(json.dumps({"model_hash": "other"}))
    (tmp_path / "synth" / "result.json").write_text("{")
    assert read_results(tmp_path, build.model_hash) == {}


def test_names_are_text_and_never_markup(tmp_path):
    built(tmp_path, NETWORKS["dense"])
    report = report_of(tmp_path)
    report["network"]["name"] = "<script>alert(1)</script>"
    assert "<script>" not in render_build_page(report, {})


def test_areas_fill_their_height_whatever_the_shares():
    first, second = areas([[3, 1], [0, 4], [2, 0]], stretch=4, total=10, height=8)
    assert first == "M0,8V2H4V8ZM8,8V0H10V8Z"
    assert second == "M0,2V0H4V2ZM4,8V0H8V8Z"


@pytest.mark.parametrize("values", [(0, 1), (7.0, 7.0), (-300, 12000), (0.001, 0.0042)])
def test_ticks_are_round_and_within(values):
    scale = Scale(values, 0, 100)
    found = ticks(scale)
    assert 2 <= len(found) <= 7
    assert all(scale.least <= value <= scale.most for value in found)
