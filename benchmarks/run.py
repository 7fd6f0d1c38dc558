"""Measures what the README's table states, on this machine, and prints it.

    make benchmarks                        what needs no data set
    SNNC_DATA=DIR make benchmarks          all of it; DIR holds mnist/ with the four idx files

Every row is measured in this run: nothing is read from an earlier one. The table and the raw figures are written to
``build/benchmarks/results.md`` and ``results.json``. About ten minutes on two cores.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from snnc.compiler.artefacts import Build, open_build
from snnc.compiler.commands.synth import synthesise_build
from snnc.compiler.frontend.tensorfile import read_tensors
from snnc.compiler.toolchain import tool_versions
from snnc.sim import golden
from snnc.sim.commands import dataset_inputs, random_inputs, run
from snnc.sim.cosimulation import prepare

REPOSITORY = Path(__file__).resolve().parents[1]
STUDENTS = REPOSITORY / "examples" / "students"
DIGITS = STUDENTS / "digits-64-32-10-int4.pt"
MNIST = STUDENTS / "mnist-784-32-10-int4.pt"
SEEDS = (1, 2, 3, 4, 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table; `met` is None for a figure without a bar."""

    what: str
    bar: str
    measured: str
    met: bool | None


def _compile(output: Path, *arguments: str | Path) -> Build:
    subprocess.run(
        [Path(sys.executable).with_name("snnc"), "compile", *map(str, arguments), "-o", str(output)], check=True
    )
    return open_build(output)


def digits(work: Path) -> Iterator[Row]:
    """The bundled 8x8 digits: the RTL's accuracy against the float student's."""
    build = _compile(work / "digits", DIGITS)
    inputs, labels = dataset_inputs(build.plan, "digits", data=None, samples=None, time_steps=build.plan.time_steps)
    verdict = run(build, inputs, labels=labels, time_steps=build.plan.time_steps, source="digits")
    checkpoint = read_tensors(DIGITS)
    assert isinstance(checkpoint, dict)
    float_accuracy = checkpoint["metrics"]["float_test"]
    assert verdict.accuracy is not None
    yield Row(
        what=f"digits 64-32-10 INT4, T={verdict.time_steps}: accuracy of the RTL on {verdict.samples} held-out digits",
        bar=">= 96 %, at most 1 point below float",
        measured=f"{verdict.accuracy:.2%} (float {float_accuracy:.2%})",
        met=verdict.accuracy >= 0.96 and verdict.accuracy >= float_accuracy - 0.01,
    )


def mnist(work: Path, data: Path) -> Iterator[Row]:
    """One MNIST checkpoint through everything."""
    digest = hashlib.sha256(MNIST.read_bytes()).hexdigest()[:12]
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        build = _compile(work / "mnist", MNIST)
        seconds.append(time.perf_counter() - start)
    steps = build.plan.time_steps
    inputs, labels = dataset_inputs(build.plan, "mnist", data=data, samples=None, time_steps=steps)
    trace = golden.run(build.load_graph(), inputs, time_steps=steps)
    accuracy = golden.accuracy(trace.classes, labels)
    yield Row(
        what=f"MNIST 784-32-10 INT4 ({digest}), T={steps}: golden model on {len(labels):,} test images",
        bar=">= 97.0 %",
        measured=f"{accuracy:.2%}",
        met=accuracy >= 0.97 and steps <= 4,
    )
    prepare(build)
    start = time.perf_counter()
    verdict = run(build, inputs, labels=labels, time_steps=steps, source="mnist")
    took = time.perf_counter() - start
    yield Row(
        what="the same: all test images through the RTL; spikes, membranes, logits, classes, cycles equal",
        bar="10,000 of 10,000 in <= 5 minutes",
        measured=f"{verdict.samples:,} of {len(labels):,} in {took:.0f} s, {verdict.accuracy:.2%}",
        met=verdict.samples == 10_000 and took <= 300,
    )
    yield Row(
        what="simulated cycles a second of that run",
        bar=">= 500,000",
        measured=f"{verdict.cycles_per_second:,.0f}",
        met=verdict.cycles_per_second >= 500_000,
    )
    made = synthesise_build(build, seeds=SEEDS)
    blocks = made.best.used("EBR")
    yield Row(
        what="the same on up5k with its shell, median of nextpnr seeds 1 to 5",
        bar="fits (<= 30 EBR), >= 30 MHz",
        measured=f"{blocks} EBR, {made.best.used('LC'):,} LCs, {made.median_mhz:.1f} MHz; "
        f"{verdict.cycles_mean:.0f} cycles = {verdict.cycles_mean / made.median_mhz:.0f} us an image",
        met=blocks <= 30 and made.median_mhz >= 30,
    )
    yield Row(
        what="snnc compile of that student, start to finished Verilog (median of 5)",
        bar="<= 3 s",
        measured=f"{statistics.median(seconds):.2f} s",
        met=statistics.median(seconds) <= 3,
    )


def events(work: Path) -> Iterator[Row]:
    """The shape that Spiker+ was measured on: 1,017 cycles, 4,276 LCs, 20.6 MHz, on another occasion."""
    build = _compile(
        work / "events",
        *("--random", "64-32-10", "--encoding", "events", "--time-steps", "10", "--weight-bits", "6"),
        *("--lanes", "16,10", "--density", "0.15"),
    )
    inputs = random_inputs(build.plan, 100, time_steps=10, density=0.15, seed=0)
    verdict = run(build, inputs, labels=None, time_steps=10, source="random events, 15 %")
    made = synthesise_build(build, seeds=SEEDS)
    rate = verdict.firing_rates["hidden0"]
    yield Row(
        what=f"64-32-10, 6 bits, T=10, 15 % events, hidden firing {rate:.1%}, 16+10 lanes: cycles (mean of 100)",
        bar="<= 300 (firing 10 to 30 %)",
        measured=f"{verdict.cycles_mean:.1f}",
        met=verdict.cycles_mean <= 300 and 0.1 <= rate <= 0.3,
    )
    cells = made.best.used("LC")
    yield Row(
        what="the same on up5k with its shell",
        bar="<= 2,000 LCs, >= 36 MHz",
        measured=f"{cells:,} LCs, {made.best.used('EBR')} EBR, {made.median_mhz:.1f} MHz = "
        f"{verdict.cycles_mean / made.median_mhz:.1f} us",
        met=cells <= 2000 and made.median_mhz >= 36,
    )
    yield Row(
        what=f"cycles in which the busiest layer ({verdict.busiest}) writes a membrane word, on that run",
        bar=">= 0.90",
        measured=f"{verdict.busy:.3f}",
        met=verdict.busy >= 0.9,
    )
    yield Row(
        what="predicted against simulated cycles, in all runs above",
        bar="equal, every sample",
        measured="equal, every sample (a difference ends the run)",
        met=True,
    )


@click.command()
@click.option("--data", type=click.Path(path_type=Path), envvar="SNNC_DATA", help="Folder with mnist/.")
@click.option(
    "--output", type=click.Path(path_type=Path), default=REPOSITORY / "build" / "benchmarks", show_default=False
)
def main(data: Path | None, output: Path) -> None:
    """Measure and print the table."""
    output.mkdir(parents=True, exist_ok=True)
    rows = [*digits(output)]
    if data is None:
        click.echo("MNIST rows are left out: name the data's folder in SNNC_DATA.", err=True)
    else:
        rows += mnist(output, data)
    rows += events(output)

    table = Table("what", "bar", "measured", "met", title=f"{platform.machine()}, {os.cpu_count()} cores")
    for row in rows:
        table.add_row(row.what, row.bar, row.measured, {True: "yes", False: "NO", None: ""}[row.met])
    Console().print(table)
    lines = ["| what | bar | measured |", "| --- | --- | --- |"]
    lines += [f"| {row.what} | {row.bar} | {row.measured} |" for row in rows]
    (output / "results.md").write_text("\n".join(lines) + "\n")
    facts = {"numpy": np.__version__, "tools": tool_versions(), "rows": [asdict(row) for row in rows]}
    (output / "results.json").write_text(json.dumps(facts, indent=2) + "\n")
    if any(row.met is False for row in rows):
        raise SystemExit("A bar was missed.")


if __name__ == "__main__":
    main()
