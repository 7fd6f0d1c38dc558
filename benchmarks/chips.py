"""Measures students on their chips: one checkpoint through accuracy, verification, place and route.

    SNNC_DATA=DIR python benchmarks/chips.py                            all of it; a day of one core
    SNNC_DATA=DIR python benchmarks/chips.py mnist --verify 200         one row, 200 images through the RTL
    SNNC_DATA=DIR python benchmarks/chips.py fashion --minutes 30       as much of it as that

Each row is what ``snnc compile`` chooses, with the serial shell as placed. Accuracy and cycles are those of the whole
test set: the golden model's classes, and the exact prediction, which the images that go through the RTL confirm. Fmax
is the median over nextpnr's seeds.

What is done is kept in ``build/chips/NAME/measured.json``: a run that was cut short goes on with the next seed. Nothing
counts that was measured of another core or model, with other tools or with another description of the families.
"""

from __future__ import annotations

import hashlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from snnc.compiler.build.folder import Build, replace_file, using_build
from snnc.compiler.commands.verify import dataset_inputs
from snnc.compiler.errors import ToolError
from snnc.compiler.targets import load_target
from snnc.compiler.tools import tool_versions
from snnc.rtl.tops import SHELL
from snnc.sim.models import golden
from snnc.sim.models.stimulus import stimulus
from snnc.sim.models.timing.exact import predict
from snnc.sim.trust.verify import verify_build

REPOSITORY: Final = Path(__file__).resolve().parents[1]
STUDENTS: Final = REPOSITORY / "examples" / "students"
TARGETS: Final = REPOSITORY / "compiler" / "targets"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """Options of ``snnc early-exit`` after step 1: per cent of samples that keep their class, on how many samples."""

    agreement: float
    samples: int = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A student, its data set and its chip, and what is hoped for; None where nothing is.

    `asked_mhz` is the frequency that nextpnr is told to reach, the device's own where it is None.
    """

    student: str
    dataset: str
    device: tuple[str, str]
    exit: Exit | None = None
    asked_mhz: float | None = None
    accuracy: float | None = None
    cycles: int | None = None
    mhz: float | None = None
    cells: int | None = None
    microseconds: float


UP5K: Final = ("ice40", "up5k")
ECP5_25: Final = ("ecp5", "25k")
ECP5_45: Final = ("ecp5", "45k")
ECP5_85: Final = ("ecp5", "85k")

CASES: Final[Mapping[str, Case]] = {
    "mnist": Case(
        student="mnist-conv-int4.pt",
        dataset="mnist",
        device=UP5K,
        cycles=12_100,
        mhz=42,
        cells=4800,
        microseconds=290,
    ),
    "mnist-exit": Case(
        student="mnist-conv-int4.pt",
        dataset="mnist",
        device=UP5K,
        exit=Exit(agreement=99.92),
        accuracy=0.993,
        cycles=5000,
        microseconds=120,
    ),
    "dense": Case(
        student="mnist-784-128-10-int4.pt",
        dataset="mnist",
        device=UP5K,
        cycles=1350,
        mhz=44,
        cells=2000,
        microseconds=31,
    ),
    "digits": Case(
        student="digits-64-32-10-int4.pt",
        dataset="digits",
        device=UP5K,
        cycles=132,
        mhz=42,
        cells=1700,
        microseconds=3.1,
    ),
    "mnist-exit-25f": Case(
        student="mnist-conv-int4.pt",
        dataset="mnist",
        device=ECP5_25,
        exit=Exit(agreement=99.92),
        asked_mhz=115,
        accuracy=0.993,
        microseconds=44,
    ),
    "fashion": Case(
        student="fashion-mnist-conv-int4.pt",
        dataset="fashion-mnist",
        device=ECP5_45,
        asked_mhz=115,
        cycles=11_000,
        mhz=115,
        cells=24_000,
        microseconds=96,
    ),
    "fashion-exit": Case(
        student="fashion-mnist-conv-int4.pt",
        dataset="fashion-mnist",
        device=ECP5_45,
        exit=Exit(agreement=98.6),
        asked_mhz=115,
        accuracy=0.92,
        cycles=4400,
        microseconds=38,
    ),
    "cifar": Case(
        student="cifar10-conv-int4.pt",
        dataset="cifar10",
        device=ECP5_85,
        asked_mhz=100,
        cycles=27_000,
        mhz=100,
        cells=45_000,
        microseconds=270,
    ),
    "cifar-exit": Case(
        student="cifar10-conv-int4.pt",
        dataset="cifar10",
        device=ECP5_85,
        exit=Exit(agreement=99.5, samples=5000),
        asked_mhz=100,
        accuracy=0.801,
        cycles=17_500,
        microseconds=175,
    ),
}


class Measured:
    """What is known of one row, kept in a file as it comes.

    Parameters
    ----------
    path
        The file; what is in it counts if it is of the same `identity`.
    """

    def __init__(self, path: Path, identity: Mapping[str, Any]) -> None:
        self.path = path
        self.facts: dict[str, Any] = {"identity": dict(identity), "seeds": {}}
        if path.exists():
            known = json.loads(path.read_text(encoding="utf-8"))
            if known.get("identity") == self.facts["identity"]:
                self.facts = known

    def add(self, **facts: Any) -> None:
        self.facts |= facts
        replace_file(self.path, json.dumps(self.facts, indent=2) + "\n")


def measure(name: str, data: Path, output: Path, *, seeds: int, verified: int, ends: float) -> dict[str, Any]:
    """One row, as far as it comes before the clock shows `ends`."""
    case = CASES[name]
    folder = output / name
    folder.mkdir(parents=True, exist_ok=True)
    compiled = _compile(case, data, folder)
    with using_build(folder / "build") as build:
        known = Measured(folder / "measured.json", _identity(build))
        for step in _steps(case, build, data, known, seeds, verified):
            if time.monotonic() > ends:
                break
            step()
    return known.facts | compiled


def _identity(build: Build) -> dict[str, Any]:
    """What figures of a build depend on."""
    families = hashlib.sha256()
    for path in sorted(TARGETS.iterdir()):
        if path.is_file():
            families.update(path.name.encode() + path.read_bytes())
    return {
        "core": _digest(build.path / "rtl" / "core.v"),
        "model": build.model_hash,
        "families": families.hexdigest()[:12],
        "tools": dict(tool_versions(load_target(build.plan.target).tools)),
    }


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def _compile(case: Case, data: Path, folder: Path) -> dict[str, Any]:
    """Make the row's build, and say what of."""
    student = STUDENTS / case.student
    digest = _digest(student)
    if case.exit is not None:
        exits = folder / f"exit-{digest}-{case.exit.agreement}-{case.exit.samples}.pt"
        if not exits.exists():
            options = ("--steps", "1", "--agreement", f"{case.exit.agreement}", "--samples", f"{case.exit.samples}")
            _snnc(
                "early-exit", student, "--dataset", case.dataset, "--data", _folder(data, case), *options, "-o", exits
            )
        student = exits
    _snnc("compile", student, "--target", case.device[0], "--device", case.device[1], "-o", folder / "build")
    return {"student": f"{case.student} ({digest})"}


def _snnc(*arguments: str | Path) -> None:
    subprocess.run([Path(sys.executable).with_name("snnc"), *arguments], check=True)


def _folder(data: Path, case: Case) -> Path:
    return data / case.dataset


def _steps(
    case: Case, build: Build, data: Path, known: Measured, seeds: int, verified: int
) -> Iterator[Callable[[], None]]:
    """What is not known yet, a function each, the first seed before all samples."""
    asked = range(1, seeds + 1)
    missing = [seed for seed in asked if str(seed) not in known.facts["seeds"]]
    if missing:
        yield partial(_place, case, build, known, missing[0])
    if "cycles" not in known.facts:
        yield partial(_whole_test_set, case, build, data, known)
    if known.facts.get("verified", 0) < min(verified, known.facts.get("samples", verified)):
        yield partial(_verify, case, build, data, known, verified)
    for seed in missing[1:]:
        yield partial(_place, case, build, known, seed)


def _inputs(case: Case, build: Build, data: Path) -> tuple[np.ndarray, np.ndarray]:
    bundled = case.dataset == "digits"
    return dataset_inputs(
        build,
        case.dataset,
        data=None if bundled else _folder(data, case),
        samples=None,
        time_steps=build.plan.time_steps,
    )


def _whole_test_set(case: Case, build: Build, data: Path, known: Measured) -> None:
    inputs, labels = _inputs(case, build, data)
    graph, plan = build.load_graph(), build.plan
    classes, cycles = [], []
    for start in range(0, len(inputs), 250):
        piece = inputs[start : start + 250]
        trace = golden.run(graph, piece, time_steps=plan.time_steps, membranes=False)
        spikes = {layer: population.spikes for layer, population in trace.populations.items()}
        beats = stimulus(plan.input, piece, time_steps=plan.time_steps)
        classes.append(trace.classes)
        cycles.append(predict(plan, beats, spikes, steps=trace.steps).cycles)
    taken = np.concatenate(cycles)
    known.add(
        samples=len(taken),
        accuracy=golden.accuracy(np.concatenate(classes), labels),
        cycles=float(taken.mean()),
        median_cycles=float(np.median(taken)),
        most_of_99=float(np.quantile(taken, 0.99, method="higher")),
    )


def _verify(case: Case, build: Build, data: Path, known: Measured, verified: int) -> None:
    inputs, labels = _inputs(case, build, data)
    verdict = verify_build(build, inputs[:verified], labels=labels[:verified])
    known.add(verified=verdict.samples, verified_cycles=verdict.cycles_mean)


def _place(case: Case, build: Build, known: Measured, seed: int) -> None:
    """Place and route with a seed; the netlist is made once for a core."""
    target = load_target(case.device[0])
    device = target.device(case.device[1])
    # Not in the build, which every call makes anew.
    netlist = known.path.parent / "placed" / f"{SHELL.module}.json"
    if known.facts.get("netlist") is None or not netlist.exists():
        made = target.synthesise(
            build.verilog, top=SHELL.module, device=device, folder=netlist.parent, base=build.path, timeout=None
        )
        known.add(netlist=round(made.seconds, 1))
    try:
        run = target.place_and_route(
            netlist, device=device, folder=netlist.parent, seed=seed, mhz=case.asked_mhz, timeout=None
        )
    except ToolError as error:
        click.echo(f"seed {seed}: {error}", err=True)
        return
    one = {
        "mhz": run.fmax,
        "seconds": round(run.seconds, 1),
        "resources": {resource.name: [resource.used, resource.available] for resource in run.resources},
        "critical_path": run.critical and run.critical.facts,
    }
    known.add(seeds={**known.facts["seeds"], str(seed): one})


def _row(name: str, facts: Mapping[str, Any]) -> list[str]:
    """Of the table; what is not known is empty."""
    case, runs = CASES[name], facts["seeds"]
    mhz = statistics.median(run["mhz"] for run in runs.values()) if runs else None
    used = next(iter(runs.values()))["resources"] if runs else {}
    cells, cycles, accuracy = (
        next((most for most, _ in used.values()), None),
        facts.get("cycles"),
        facts.get("accuracy"),
    )
    taken = cycles / mhz if cycles and mhz else None
    bars = [
        (accuracy, case.accuracy, True, "{:.2%}"),
        (cycles, case.cycles, False, "{:,.0f} cycles"),
        (mhz, case.mhz, True, "{:.0f} MHz"),
        (cells, case.cells, False, "{:,} cells"),
        (taken, case.microseconds, False, "{:.1f} us"),
    ]
    asked = [(found, bar, least, text) for found, bar, least, text in bars if bar is not None]
    missed = [
        text.format(bar)
        for found, bar, least, text in asked
        if found is None or (found < bar if least else found > bar)
    ]
    return [
        f"{name}: {facts['student']}, {case.device[1]}",
        "" if accuracy is None else f"{accuracy:.2%} of {facts['samples']:,}",
        f"{facts.get('verified', 0):,}",
        "" if cycles is None else f"{cycles:,.1f} ({facts['median_cycles']:,.0f}; 99 %: {facts['most_of_99']:,.0f})",
        ", ".join(f"{most:,} {what}" for what, (most, _) in used.items() if most),
        " ".join(f"{run['mhz']:.1f}" for run in runs.values()) + (f": {mhz:.1f}" if mhz else ""),
        "" if taken is None else f"{taken:.1f} us",
        ", ".join(text.format(bar) for _, bar, _, text in asked),
        ", ".join(missed) or "none",
    ]


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(CASES)))
@click.option("--data", type=click.Path(path_type=Path), envvar="SNNC_DATA", required=True, help="Folder of the data.")
@click.option("--seeds", default=5, show_default=True, help="Placements, 1 to N.")
@click.option("--verify", "verified", default=1000, show_default=True, help="Images through the RTL.")
@click.option("--minutes", default=1e6, help="Begin nothing more after so many.")
@click.option("--output", type=click.Path(path_type=Path), default=REPOSITORY / "build" / "chips", show_default=False)
def main(names: tuple[str, ...], data: Path, seeds: int, verified: int, minutes: float, output: Path) -> None:
    """Measure NAMES, or all."""
    table = Table(
        *("row", "accuracy", "equal in RTL", "cycles (median)", "resources", "Fmax: median", "time", "bars", "missed")
    )
    ends = time.monotonic() + 60 * minutes
    for name in names or CASES:
        facts = measure(name, data, output, seeds=seeds, verified=verified, ends=ends)
        table.add_row(*_row(name, facts))
    Console(width=240).print(table)


if __name__ == "__main__":
    main()
