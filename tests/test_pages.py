"""The pages in a real browser: nothing fails, everything can be clicked, and it fits the screen.

Where there is no Chromium these tests are skipped, with that as the reason.
"""

from __future__ import annotations

import json
import re

import pytest
from click.testing import CliRunner

from snnc.compiler.build.build_page import SAMPLES, render_build_page
from snnc.compiler.build.folder import open_build
from snnc.compiler.cli import cli
from snnc.compiler.commands.verify import random_inputs
from snnc.sim.trust.observed import observed
from tests.browser import Browser, find_browser

PAGES = ("explore", "build", "differences")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    program = find_browser()
    if program is None:
        pytest.skip("no Chromium: install it (Debian: chromium), or name one in SNNC_CHROMIUM")
    opened = Browser(program, tmp_path_factory.mktemp("browser"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory, repository):
    """A page of each kind, by its name."""
    folder, run = tmp_path_factory.mktemp("pages"), CliRunner()

    def snnc(*words: str) -> None:
        said = run.invoke(cli, list(words), catch_exceptions=False)
        assert said.exit_code == 0, said.output

    student = str(repository / "examples" / "students" / "digits-64-32-10-int4.pt")
    axes = ("--samples", "50", "--timed", "2", "--devices", "up5k,25k,gw1nr-9c", "--time-steps", "1,2,4")
    exits = ("--early-exit", "none,99")
    snnc("explore", student, *axes, *exits, "--budget", ">=50% accuracy", "--jobs", "1", "-o", str(folder / "explore"))
    network = ("compile", "--random", "1x12x12-6c3s2-8c3-5", "--encoding", "direct", "--time-steps", "3")
    for bits in ("4", "2"):
        snnc(*network, "--weight-bits", bits, "-o", str(folder / bits))
    snnc("diff", str(folder / "4"), str(folder / "2"), "-o", str(folder / "differences.html"))
    build = open_build(folder / "4")
    seen = observed(build, random_inputs(build.plan, 30, time_steps=3, density=0.3, seed=2), time_steps=3)
    report = json.loads((folder / "4" / "report.json").read_text())
    report["sections"] = [{"title": "Verification", "summary": "", "rows": [], "facts": {}}]
    (folder / "build.html").write_text(render_build_page(report, {SAMPLES: seen}))
    return {
        "explore": folder / "explore" / "explore.html",
        "build": folder / "build.html",
        "differences": folder / "differences.html",
    }


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("name", PAGES)
def test_it_fits_the_screen_and_nothing_fails(browser, pages, name, width, dark):
    assert pages[name].stat().st_size < 2_000_000
    with browser.open(pages[name], width=width, dark=dark) as page:
        assert page.errors == []
        assert page.value("document.documentElement.scrollWidth") <= width
        ink, paper = (
            sum(map(int, re.findall(r"\d+", page.value(f"getComputedStyle(document.body).{what}"))[:3]))
            for what in ("color", "backgroundColor")
        )
        assert (ink > paper) == dark
        assert abs(ink - paper) > 3 * 150
        assert page.value("document.title") != ""


def test_pointing_at_a_dot_shows_its_plan_and_a_click_copies_its_command(browser, pages):
    with browser.open(pages["explore"]) as page:
        points = page.value("points.map((p) => [p.command, p.title, p.taken])")
        assert page.value("document.querySelectorAll('.dot').length") == len(points) == 45
        (taken,) = [command for command, _, chosen in points if chosen]
        assert page.value("document.querySelector('#command').textContent") == taken
        for k in (0, 20):
            page.point(f".dot[data-k='{k}']")
            # Another one may lie on top of it.
            at = page.value("now")
            assert page.value("document.querySelector('#plan h2').textContent").endswith(points[at][1])
            assert page.value("document.querySelector('#command').textContent") == points[at][0]
            page.click(f".dot[data-k='{k}']")
            assert (
                page.value("new Promise((done) => setTimeout(() => done(document.body.dataset.copied), 200))")
                == (points[page.value("now")][0])
            )
            assert page.value("document.querySelector('#told').textContent") == "Copied."
        assert page.errors == []


def test_it_goes_by_keyboard_alone(browser, pages):
    with browser.open(pages["explore"]) as page:
        page.value("document.querySelector('.dot[tabindex=\"0\"]').focus()")
        begun = page.value("now")
        page.press("ArrowLeft")
        page.press("ArrowRight")
        page.press("ArrowRight")
        other = page.value("now")
        assert other != begun or page.value("order.length - 1 === order.indexOf(now)")
        assert page.value("Number(document.activeElement.dataset.k)") == other
        page.press("Enter")
        assert page.value("new Promise((done) => setTimeout(() => done(document.body.dataset.copied), 200))") == (
            page.value("points[now].command")
        )
        assert page.errors == []


def test_axes_and_marks_can_be_chosen_and_devices_left_out(browser, pages):
    with browser.open(pages["explore"]) as page:
        every = page.value("document.querySelectorAll('.dot').length")
        page.click("#legend button")
        assert page.value("document.querySelector('#legend button').getAttribute('aria-pressed')") == "false"
        assert page.value("document.querySelectorAll('.dot').length") == every * 2 // 3
        page.click("#legend button")
        assert page.value("document.querySelectorAll('.dot').length") == every
        for one, value in (("x", "logic"), ("y", "energy"), ("by", "T")):
            page.value(f"(() => {{ $('{one}').value = '{value}'; $('{one}').dispatchEvent(new Event('change')); }})()")
        assert "modelled energy over logic cells" in page.value(
            "document.querySelector('#chart svg').getAttribute('aria-label')"
        )
        assert page.value("[...document.querySelectorAll('#legend button')].map((b) => b.textContent.trim())") == [
            *page.value("[...new Set(points.map((p) => String(p.T)))]")
        ]
        page.value("(() => { $('by').value = 'exit'; $('by').dispatchEvent(new Event('change')); })()")
        labels = page.value("[...document.querySelectorAll('#legend button')].map((b) => b.textContent.trim())")
        assert sorted(labels) == ["99", "none"]
        assert page.errors == []


def test_the_front_that_is_drawn_is_the_front(browser, pages):
    with browser.open(pages["explore"]) as page:
        drawn = page.value("front(axis('x'), axis('y'), shown()).map((k) => points[k].values)")
        values = page.value("points.map((p) => p.values)")
        on = {(one["time"], one["accuracy"]) for one in drawn}
        for one in values:
            beaten = any(
                other["time"] <= one["time"]
                and other["accuracy"] >= one["accuracy"]
                and (other["time"], other["accuracy"]) != (one["time"], one["accuracy"])
                for other in values
            )
            assert beaten == ((one["time"], one["accuracy"]) not in on)


def test_the_sums_of_a_timeline_are_the_cycles(browser, pages):
    with browser.open(pages["build"]) as page:
        cycles = page.value("document.querySelector('#sample-cycles').textContent")
        sums = page.value("[...document.querySelectorAll('#timeline-sums .sum')].map((cell) => cell.textContent)")
        assert len(sums) == sum(engine.units for engine in open_build(pages["build"].parent / "4").plan.engines)
        assert set(sums) == {cycles}
        page.click("nav a[href='#cycles']")
        assert page.value("location.hash") == "#cycles"
        assert page.errors == []


def test_what_is_the_same_can_be_unfolded(browser, pages):
    with browser.open(pages["differences"]) as page:
        shown = "document.querySelector('details tr.same').checkVisibility()"
        assert not page.value(shown)
        page.click("details summary")
        assert page.value(shown)
        assert page.errors == []
