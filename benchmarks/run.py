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

from snnc.compiler.build.folder import Build, open_build
from snnc.compiler.commands.synth import synthesise_build
from snnc.compiler.commands.verify import dataset_inputs, random_inputs, run
from snnc.compiler.formats.tensorfile import read_tensors
from snnc.compiler.targets import every_tool
from snnc.compiler.tools import tool_versions
from snnc.sim.cosimulation.simulator import prepare
from snnc.sim.models import golden
from snnc.sim.models.stimulus import stimulus
from snnc.sim.models.timing.bound import pipeline_bound, share_of_bound
from snnc.sim.models.timing.exact import predict

REPOSITORY = Path(__file__).resolve().parents[1]
STUDENTS = REPOSITORY / "examples" / "students"
DIGITS = STUDENTS / "digits-64-32-10-int4.pt"
MNIST = STUDENTS / "mnist-784-32-10-int4.pt"
CIFAR10 = STUDENTS / "cifar10-conv-int4.pt"
LARGEST = ("--target", "ecp5", "--device", "85k")
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


def _compile_time(output: Path, *arguments: str | Path) -> tuple[Build, float]:
    """A build, and the median of its seconds in five runs."""
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        build = _compile(output, *arguments)
        seconds.append(time.perf_counter() - start)
    return build, statistics.median(seconds)


def digits(work: Path) -> Iterator[Row]:
    """The bundled 8x8 digits: the RTL's accuracy against the float student's."""
    build = _compile(work / "digits", DIGITS)
    inputs, labels = dataset_inputs(build, "digits", data=None, samples=None, time_steps=build.plan.time_steps)
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
    build, seconds = _compile_time(work / "mnist", MNIST)
    steps = build.plan.time_steps
    inputs, labels = dataset_inputs(build, "mnist", data=data, samples=None, time_steps=steps)
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
        measured=f"{seconds:.2f} s",
        met=seconds <= 3,
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


def limits(work: Path) -> Iterator[Row]:
    """How near engines come to an operation per cycle, and a network to what its pipeline could do at best."""
    for shape, lanes in (("784-128-10", "64,10"), ("8x12x12-32c3-10", "16,10")):
        name = f"saturated-{shape}"
        arguments = ("--target", "ecp5", "--lanes", lanes, "--time-steps", "4", "--density", "1")
        build = _compile(work / name, "--random", shape, *arguments)
        inputs = random_inputs(build.plan, 20, time_steps=4, density=1, seed=0)
        verdict = run(build, inputs, labels=None, time_steps=4, source="every input in every step")
        yield Row(
            what=f"{shape}, {lanes} lanes, every input in every step: cycles in which the busiest layer "
            f"({verdict.busiest}) writes a membrane word",
            bar=">= 0.90",
            measured=f"{verdict.busy:.3f}",
            met=verdict.busy >= 0.9 and verdict.busiest == "hidden0",
        )
    for shape in ("2x12x12-16c3-24c3s2-32c3s2-10", "2x8x8-8c3-8r3-16r3s2-10"):
        build = _compile(work / f"pipeline-{shape}", "--random", shape, "--time-steps", "6", *LARGEST)
        inputs = random_inputs(build.plan, 50, time_steps=6, density=0.15, seed=0)
        verdict = run(build, inputs, labels=None, time_steps=6, source="random events, 15 %")
        trace = golden.run(build.load_graph(), inputs, time_steps=6)
        beats = stimulus(build.plan.input, inputs, time_steps=6)
        spikes = {layer: population.spikes for layer, population in trace.populations.items()}
        # The run has shown that the predicted cycles are those of the hardware.
        cycles = predict(build.plan, beats, spikes).cycles
        share = share_of_bound(pipeline_bound(build.plan, beats, spikes), cycles)
        yield Row(
            what=f"{shape}, 15 % events: the pipeline's bound over the cycles (mean of 50 samples, "
            f"{verdict.cycles_mean:,.0f} cycles)",
            bar=">= 0.80",
            measured=f"{share:.3f}",
            met=share >= 0.8,
        )


def compile_times(work: Path) -> Iterator[Row]:
    """`snnc compile` of networks with up to 300,000 weights."""
    medians = {
        hidden: _compile_time(work / f"compile-{hidden}", "--random", f"784-{hidden}-10", *LARGEST)[1]
        for hidden in (95, 190, 380)
    }
    weights = ", ".join(f"{(784 + 10) * hidden:,}" for hidden in medians)
    yield Row(
        what=f"snnc compile of 784-N-10 with {weights} weights (median of 5)",
        bar="<= 10 s, at most in proportion to the weights",
        measured=", ".join(f"{seconds:.1f} s" for seconds in medians.values()),
        met=medians[380] <= 10 and medians[380] <= 4 * medians[95],
    )
    build, seconds = _compile_time(work / "compile-cifar10", CIFAR10, *LARGEST)
    count = sum(projection.weight.size for projection in build.load_graph().projections)
    yield Row(
        what=f"snnc compile of the CIFAR-10 student ({count:,} weights), lanes searched (median of 5)",
        bar="<= 10 s",
        measured=f"{seconds:.1f} s",
        met=seconds <= 10,
    )


def agreement() -> Row:
    """What every run above has shown by not ending the benchmark."""
    return Row(
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
    rows += [*events(output), *limits(output), agreement(), *compile_times(output)]

    table = Table("what", "bar", "measured", "met", title=f"{platform.machine()}, {os.cpu_count()} cores")
    for row in rows:
        table.add_row(row.what, row.bar, row.measured, {True: "yes", False: "NO", None: ""}[row.met])
    Console().print(table)
    lines = ["| what | bar | measured |", "| --- | --- | --- |"]
    lines += [f"| {row.what} | {row.bar} | {row.measured} |" for row in rows]
    (output / "results.md").write_text("\n".join(lines) + "\n")
    facts = {"numpy": np.__version__, "tools": tool_versions(every_tool()), "rows": [asdict(row) for row in rows]}
    (output / "results.json").write_text(json.dumps(facts, indent=2) + "\n")
    if any(row.met is False for row in rows):
        raise SystemExit("A bar was missed.")


if __name__ == "__main__":
    main()
