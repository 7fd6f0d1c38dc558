"""What two builds say of themselves, side by side."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from snnc.compiler.build.differences import MOST_BYTES, Row, compared, facts_of, read_account
from snnc.compiler.build.pages import render_differences
from snnc.compiler.errors import BuildError

REPORT = {
    "network": {"name": "digits", "hash": "a" * 64, "time_steps": 4},
    "layers": [{"name": "hidden0", "weight_bits": 4, "lanes": 16}, {"name": "readout", "weight_bits": 4}],
    "memories": [{"name": "hidden0.weights", "kind": "ebr", "blocks": 4}],
    "prediction": {"cycles": 200.0},
    "device": {"title": "UP5K", "blocks_needed": 7, "cells_needed": 2000},
    "sections": [
        {"title": "Verification", "rows": [["samples", "20"], ["simulation", "9"]], "facts": {"cycles_mean": 100.0}},
        {"title": "Synthesis", "rows": [], "facts": {"median_fmax_mhz": 40.0}},
    ],
}


def account(folder: Path, report: object, **manifest: object):
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps({"format": "snnc-build", "source": "a.pt", **manifest}))
    (folder / "report.json").write_text(json.dumps(report))
    return read_account(folder)


def rows(before, after) -> dict[tuple[str, str], Row]:
    return {(group.title, row.what): row for group in compared(before, after) for row in group.rows}


def test_a_build_is_the_same_as_itself(tmp_path):
    one = account(tmp_path / "a", REPORT)
    found = compared(one, one)
    assert all(row.same for group in found for row in group.rows)
    assert [group.title for group in found] == [
        *("Build", "Network", "Layers", "Area", "Time", "Memories", "Verification", "Synthesis"),
    ]


def test_what_changed_is_found_where_it_stands(tmp_path):
    changed = json.loads(json.dumps(REPORT))
    changed["layers"][0]["lanes"] = 32
    changed["layers"][1]["name"] = "out"
    changed["prediction"]["cycles"] = 150
    changed["sections"][0]["facts"]["cycles_mean"] = 80.0
    changed["sections"][0]["rows"] = [["samples", "20"], ["simulation", "1"]]
    found = rows(account(tmp_path / "a", REPORT), account(tmp_path / "b", changed, source="b.pt"))
    different = {key: (row.before, row.after, row.texts[2]) for key, row in found.items() if not row.same}
    assert different == {
        ("Build", "source"): ("a.pt", "b.pt", ""),
        ("Layers", "hidden0: lanes"): (16, 32, "+100.0%"),
        ("Layers", "readout: weight bits"): (4, None, ""),
        ("Layers", "out: weight bits"): (None, 4, ""),
        ("Time", "cycles, estimated"): (200.0, 150, "-25.0%"),
        ("Time", "cycles, simulated mean"): (100.0, 80.0, "-20.0%"),
        ("Time", "a mean sample, us"): (2.5, 2.0, "-20.0%"),
    }


def test_means_of_more_samples_are_told_from_means_of_the_same_ones(tmp_path):
    changed = json.loads(json.dumps(REPORT))
    changed["sections"][0]["facts"] |= {"samples": 1000, "cycles_mean": 80.0}
    found = compared(account(tmp_path / "a", REPORT), account(tmp_path / "b", changed))
    (time,) = [group for group in found if group.title == "Time"]
    different = [row.what for row in time.rows if not row.same]
    assert different[:2] == ["samples, simulated", "cycles, simulated mean"]


def test_a_build_of_another_release_says_what_it_can(tmp_path):
    """One that knows less, and things that have another form."""
    strange = {"network": {"name": ["digits"], "hash": 3}, "layers": "none", "sections": [{"title": 1}, "x", {"a": 2}]}
    found = rows(account(tmp_path / "a", strange, version=0), account(tmp_path / "b", REPORT))
    assert found["Network", "name"].texts == ("digits", "digits", "")
    assert found["Time", "cycles, estimated"].texts == ("not said", "200.0", "")
    assert found["Layers", "hidden0: lanes"].before is None
    for fact in facts_of(compared(account(tmp_path / "c", {}), account(tmp_path / "d", {}))):
        assert fact["same"]


@pytest.mark.parametrize(
    ("name", "contents", "says"),
    [
        ("manifest.json", b"{", "is damaged: it is no JSON object; compile again"),
        ("manifest.json", b"{}", "is no build folder of snnc; make one with 'snnc compile'"),
        ("report.json", b"[" * 100_000, "is damaged"),
        ("report.json", b" " * (MOST_BYTES + 1), "has more than 16,777,216 bytes"),
        ("report.json", None, "cannot be read"),
    ],
)
def test_what_is_no_report_is_refused(tmp_path, name, contents, says):
    account(tmp_path / "a", REPORT)
    file = tmp_path / "a" / name
    file.unlink()
    if contents is not None:
        file.write_bytes(contents)
    with pytest.raises(BuildError, match=says):
        read_account(tmp_path / "a")


def test_a_page_shows_names_as_text(tmp_path):
    named = {"network": {"name": "<script>alert(1)</script>\x1b[31m", "time_steps": 4}}
    one, other = account(tmp_path / "a", named), account(tmp_path / "b", REPORT)
    page = render_differences(compared(one, other), before=one.path, after=other.path)
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "\x1b" not in page
    assert len(page) < 100_000


@pytest.mark.parametrize(
    ("before", "after", "texts"),
    [
        (1234567, 1234568, ("1,234,567", "1,234,568", "+0.0%")),
        (0, 5, ("0", "5", "")),
        (0.51234, 102.25, ("0.512", "102.2", "+19857.5%")),
        ("x" * 200, True, ("x" * 120 + "...", "True", "")),
    ],
)
def test_values_are_shown_for_people(before, after, texts):
    assert Row(what="", before=before, after=after).texts == texts
