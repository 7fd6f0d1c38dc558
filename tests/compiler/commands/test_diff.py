"""``snnc diff``."""

from __future__ import annotations

import json

from click.testing import CliRunner

from snnc.compiler.cli import cli


def compiled(run, folder, *options: str) -> str:
    path = str(folder)
    assert run.invoke(cli, ["compile", "--random", "12-8-4", "-o", path, *options]).exit_code == 0
    return path


def test_one_network_in_four_and_two_bits(tmp_path):
    run = CliRunner()
    four = compiled(run, tmp_path / "four", "--weight-bits", "4")
    two = compiled(run, tmp_path / "two", "--weight-bits", "2")
    page = tmp_path / "page.html"
    said = run.invoke(cli, ["diff", four, two, "-o", str(page)], catch_exceptions=False)
    assert said.exit_code == 0
    assert "weight bits" in said.output
    assert "facts differ" in said.output
    assert "time steps" not in said.output  # the same in both
    assert "time steps" in run.invoke(cli, ["diff", four, two, "--all"]).output
    assert page.read_text().startswith("<!DOCTYPE html>")
    facts = json.loads(run.invoke(cli, ["diff", four, two, "--json"]).output)
    bits = {fact["what"]: (fact["before"], fact["after"]) for fact in facts if fact["what"].endswith("weight bits")}
    assert bits == {"hidden0: weight bits": (4, 2), "readout: weight bits": (4, 2)}


def test_what_is_no_build_is_one_sentence(tmp_path):
    said = CliRunner().invoke(cli, ["diff", str(tmp_path), str(tmp_path)])
    assert said.exit_code == 1
    assert "manifest.json' cannot be read" in str(said.exception)
