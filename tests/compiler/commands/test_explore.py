"""``snnc explore``."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from snnc.compiler.cli import cli, run
from snnc.compiler.explore.results import RESULTS

SMALL = ("--samples", "60", "--timed", "2", "--devices", "up5k,gw1nr-9c", "--objective", "latency,area", "--jobs", "1")


@pytest.fixture
def student(repository):
    return str(repository / "examples" / "students" / "digits-64-32-10-int4.pt")


def explored(student, folder, *options):
    said = CliRunner().invoke(cli, ["explore", student, *SMALL, "-o", str(folder), *options], catch_exceptions=False)
    with (folder / "points.csv").open() as file:
        return said, list(csv.DictReader(file))


def test_a_table_a_file_and_a_page(student, tmp_path):
    said, rows = explored(student, tmp_path, "--time-steps", "1,2", "--weight-bits", "2,4", "--all")
    assert said.exit_code == 0
    assert "16 points, of which 16 fit" in said.output
    assert [(row["weight_bits"], row["time_steps"], row["device"], row["chosen_by"]) for row in rows[:3]] == [
        ("2", "1", "up5k", "latency"),
        ("2", "1", "up5k", "area"),
        ("2", "1", "gw1nr-9c", "latency"),
    ]
    assert any(row["pareto"] == "1" for row in rows)
    page = (tmp_path / "explore.html").read_text()
    assert "http" not in re.sub(r'"http://www.w3.org/2000/svg"', "", page)  # nothing is fetched
    (held,) = re.findall(r'<script type="application/json" id="data">(.*)</script>', page)
    data = json.loads(held)
    assert sorted(point["command"] for point in data["points"]) == sorted(row["command"] for row in rows)


def test_early_exits_are_an_axis(student, tmp_path):
    said, rows = explored(student, tmp_path, "--time-steps", "1,4", "--early-exit", "none,99@1+2,99@1", "--all")
    assert "16 points" in said.output
    assert [(row["time_steps"], row["early_exit"]) for row in rows[::4]] == [
        *(("1", ""), ("4", ""), ("4", "99@1+2"), ("4", "99@1"))
    ]
    whole, sooner, _ = (float(row["cycles"]) for row in rows[4::4])
    assert sooner < whole
    assert all((" early-exit " in row["command"]) == bool(row["early_exit"]) for row in rows)
    assert "early exit" in said.output
    assert "99@1+2" in said.output
    assert '<th scope="col">early exit</th>' in (tmp_path / "explore.html").read_text()
    before = (tmp_path / RESULTS).read_bytes()
    _, again = explored(student, tmp_path, "--time-steps", "4", "--early-exit", "99@1", "--all")
    assert [row | {"pareto": ""} for row in again] == [row | {"pareto": ""} for row in rows[12:]]
    assert (tmp_path / RESULTS).read_bytes() == before


def test_what_is_known_is_not_found_out_again(student, tmp_path, monkeypatch):
    explored(student, tmp_path, "--time-steps", "1")
    before = (tmp_path / RESULTS).read_bytes()
    monkeypatch.setattr("snnc.compiler.commands.explore.measured", None)
    monkeypatch.setattr("snnc.compiler.commands.explore.planned", None)
    explored(student, tmp_path, "--time-steps", "1", "--mhz", "up5k=20")
    assert (tmp_path / RESULTS).read_bytes() == before


def test_a_budget_names_one_or_says_what_is_missed(student, tmp_path, capsys):
    said, rows = explored(student, tmp_path, "--time-steps", "1", "--budget", ">=50% accuracy, <=90% logic of up5k")
    assert said.exit_code == 0
    cheapest = min((row for row in rows if row["device"] == "up5k"), key=lambda row: int(row["logic_cells"]))
    take = next(line for line in said.output.splitlines() if line.startswith("Take"))
    assert f"about {int(cheapest['logic_cells']):,} LCs" in take
    assert f"  {cheapest['command']}\n" in said.output
    assert run(["explore", student, *SMALL, "-o", str(tmp_path), "--time-steps", "1", "--budget", "<=1ns"]) == 1
    assert "The nearest misses <=1ns" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--devices", "z80"], "--devices has no 'z80'"),
        (["--objective", "beauty"], "--objective has no 'beauty'"),
        (["--weight-bits", "9"], "--weight-bits '9' is no list of numbers from 1 to 8"),
        (["--mhz", "25k=60"], "--mhz '25k=60' is no clock"),
        (["--early-exit", "none,101"], "--early-exit '101' is neither none nor an agreement in percent"),
        (["--early-exit", "99@"], "--early-exit '99@' is neither none nor an agreement"),
        (["--budget", "cheap"], "--budget: 'cheap' is no term"),
        (["--dataset", "nothing"], "There is no data set called 'nothing'"),
    ],
)
def test_bad_input_is_one_sentence(student, tmp_path, capsys, options, sentence):
    assert run(["explore", student, *SMALL, "-o", str(tmp_path / "out"), *options]) == 1
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.heavy
def test_killed_and_resumed_in_processes_it_is_the_same_table(student, tmp_path):
    axes = ("--time-steps", "1,2", "--weight-bits", "2,3,4", "--jobs", "2")
    explored(student, tmp_path / "whole", *axes)
    command = [
        sys.executable,
        "-P",
        "-c",
        "from snnc.compiler.cli import main; main()",
        "explore",
        student,
        *SMALL,
        *axes,
    ]
    for wanted in (2, 8, 14):
        process = subprocess.Popen([*command, "-o", str(tmp_path / "part")], env=os.environ, stdout=subprocess.DEVNULL)
        results = tmp_path / "part" / RESULTS
        while process.poll() is None and not (results.exists() and results.read_bytes().count(b"\n") >= wanted):
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert results.read_bytes().count(b"\n") < 31  # none of them was allowed to end
    explored(student, tmp_path / "part", *axes)
    names = ("points.csv", "explore.html")
    assert [(tmp_path / "part" / name).read_bytes() for name in names] == [
        (tmp_path / "whole" / name).read_bytes() for name in names
    ]
