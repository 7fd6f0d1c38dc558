"""Measures students on their chips: one checkpoint through accuracy, verification, place and route.

    SNNC_DATA=DIR python benchmarks/convolutions.py                      all of it; hours
    SNNC_DATA=DIR python benchmarks/convolutions.py mnist --verify 200   one row, 200 images through the RTL

Accuracy and cycles are those of the whole test set: the golden model's classes, and the exact prediction, which the
images that go through the RTL confirm. Fmax is the median over nextpnr's seeds, with the serial shell. Every figure is
of this run.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from snnc.compiler.build.folder import Build, open_build
from snnc.compiler.commands.synth import synthesise_build
from snnc.compiler.commands.verify import dataset_inputs
from snnc.sim.models import golden
from snnc.sim.models.stimulus import stimulus
from snnc.sim.models.timing.bound import pipeline_bound, share_of_bound
from snnc.sim.models.timing.exact import predict
from snnc.sim.trust.verify import verify_build

REPOSITORY = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A student, its data set and its chip; what is hoped for, None where nothing is.

    `asked_mhz` is the frequency that nextpnr is told to reach, the device's own where it is None.
    """

    student: str
    dataset: str
    target: str
    device: str
    accuracy: float
    mhz: float
    microseconds: float | None = None
    lanes: str | None = None
    cells: int | None = None
    asked_mhz: float | None = None


CASES = {
    "mnist": Case(
        student="mnist-conv-int4.pt",
        dataset="mnist",
        target="ice40",
        device="up5k",
        accuracy=0.992,
        mhz=30,
        microseconds=1000,
    ),
    "fashion": Case(
        student="fashion-mnist-conv-int4.pt",
        dataset="fashion-mnist",
        target="ecp5",
        device="45k",
        lanes="24,48,64,64,10",
        accuracy=0.915,
        mhz=60,
        microseconds=500,
    ),
    "cifar": Case(
        student="cifar10-conv-int4.pt",
        dataset="cifar10",
        target="ecp5",
        device="85k",
        lanes="32,64,48,56,48,10",
        accuracy=0.80,
        mhz=50,
        asked_mhz=60,
    ),
    "dense": Case(
        student="mnist-784-128-10-int4.pt",
        dataset="mnist",
        target="ice40",
        device="up5k",
        lanes="16,10",
        accuracy=0.98,
        cells=4500,
        mhz=38,
        microseconds=36,
    ),
}


def measure(name: str, data: Path, output: Path, *, seeds: tuple[int, ...], verified: int) -> dict[str, Any]:
    """One row."""
    case = CASES[name]
    checkpoint = REPOSITORY / "examples" / "students" / case.student
    build = _compile(checkpoint, case, output / name)
    steps = build.plan.time_steps
    inputs, labels = dataset_inputs(build, case.dataset, data=data, samples=None, time_steps=steps)
    classes, cycles, bound = _whole_test_set(build, inputs, steps)
    accuracy = golden.accuracy(classes, labels)
    verdict = verify_build(build, inputs[:verified], labels=labels[:verified]) if verified else None
    made = synthesise_build(build, seeds=seeds, mhz=case.asked_mhz)
    microseconds = float(cycles.mean()) / made.median_mhz
    logic = made.best.resources[0]
    met = accuracy >= case.accuracy and made.median_mhz >= case.mhz
    met &= case.microseconds is None or microseconds <= case.microseconds
    met &= case.cells is None or logic.used <= case.cells
    bar = [f">= {case.accuracy:.1%}", f">= {case.mhz:g} MHz"]
    bar += [f"<= {case.microseconds:g} us"] if case.microseconds else []
    bar += [f"<= {case.cells:,} {logic.name}"] if case.cells else []
    return {
        "student": f"{case.student} ({hashlib.sha256(checkpoint.read_bytes()).hexdigest()[:12]})",
        "device": case.device,
        "lanes": [engine.width for engine in build.plan.engines],
        "accuracy": accuracy,
        "verified": 0 if verdict is None else verdict.samples,
        "simulated_cycles_per_second": None if verdict is None else verdict.cycles_per_second,
        "cycles": float(cycles.mean()),
        "most_cycles": int(cycles.max()),
        "of_pipeline_bound": share_of_bound(bound, cycles),
        "resources": {resource.name: [resource.used, resource.available] for resource in made.best.resources},
        "mhz": made.median_mhz,
        "microseconds": microseconds,
        "met": bool(met),
        "bar": ", ".join(bar),
    }


_ENGINES: Final = ("--engines", "scatter")
"""Those that the README's figures are of."""


def _compile(checkpoint: Path, case: Case, folder: Path) -> Build:
    command = [Path(sys.executable).with_name("snnc"), "compile", checkpoint, "--target", case.target]
    lanes = ["--lanes", case.lanes] if case.lanes else []
    subprocess.run([*map(str, command), "--device", case.device, *lanes, *_ENGINES, "-o", str(folder)], check=True)
    return open_build(folder)


def _whole_test_set(build: Build, inputs: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Classes, predicted cycles and the pipeline's bound of all images."""
    graph, plan = build.load_graph(), build.plan
    classes, cycles, bounds = [], [], []
    for start in range(0, len(inputs), 250):
        piece = inputs[start : start + 250]
        trace = golden.run(graph, piece, time_steps=steps, membranes=False)
        spikes = {layer: population.spikes for layer, population in trace.populations.items()}
        beats = stimulus(plan.input, piece, time_steps=steps)
        classes.append(trace.classes)
        cycles.append(predict(plan, beats, spikes).cycles)
        bounds.append(pipeline_bound(plan, beats, spikes))
    return np.concatenate(classes), np.concatenate(cycles), np.concatenate(bounds)


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(CASES)))
@click.option("--data", type=click.Path(path_type=Path), envvar="SNNC_DATA", required=True, help="Folder of the data.")
@click.option("--seeds", default=5, show_default=True, help="Placements, 1 to N.")
@click.option("--verify", "verified", default=1000, show_default=True, help="Images through the RTL.")
@click.option(
    "--output", type=click.Path(path_type=Path), default=REPOSITORY / "build" / "convolutions", show_default=False
)
def main(names: tuple[str, ...], data: Path, seeds: int, verified: int, output: Path) -> None:
    """Measure NAMES, or all."""
    table = Table(
        "student", "device", "accuracy", "equal in RTL", "cycles", "of bound", "resources", "Fmax", "time", "bar", "met"
    )
    for name in names or CASES:
        row = measure(name, data, output, seeds=tuple(range(1, seeds + 1)), verified=verified)
        (output / f"{name}.json").write_text(json.dumps(row, indent=2) + "\n")
        used = ", ".join(f"{used:,} {what}" for what, (used, _) in row["resources"].items() if used)
        table.add_row(
            row["student"],
            row["device"],
            f"{row['accuracy']:.2%}",
            f"{row['verified']:,}",
            f"{row['cycles']:,.0f}",
            f"{row['of_pipeline_bound']:.2f}",
            used,
            f"{row['mhz']:.1f} MHz",
            f"{row['microseconds']:.0f} us",
            row["bar"],
            "yes" if row["met"] else "NO",
        )
    Console(width=200).print(table)


if __name__ == "__main__":
    main()
