"""A student on a chip as ``snnc compile`` plans it, and what the first test samples take there, without any Verilog.

Cycles are those of the exact model of ``docs/timing.md``, which `snnc verify` holds against the hardware.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from rich.console import Console
from rich.table import Table

from snnc.compiler.design import Design, Options
from snnc.compiler.pipeline import begin, passes_before, run_passes
from snnc.compiler.targets import find_device
from snnc.distill.data import load
from snnc.sim.models import golden
from snnc.sim.models.inputs import encode
from snnc.sim.models.stimulus import stimulus
from snnc.sim.models.timing.exact import predict

REPOSITORY: Final = Path(__file__).resolve().parents[1]
STUDENTS: Final = REPOSITORY / "examples" / "students"


@dataclass(frozen=True, slots=True)
class Row:
    """A student that ships, its data set, and a chip."""

    student: str
    data: str
    family: str
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A row's design, and what the samples do in it.

    Attributes
    ----------
    inputs, trace
        The samples as the network hears them, and what it does.
    cycles
        Of the mean sample.
    """

    design: Design
    inputs: np.ndarray
    trace: golden.Trace
    cycles: float

    @property
    def lanes(self) -> str:
        """Of each engine, as ``--lanes`` takes them."""
        return ",".join(engine.width for engine in self.design.complete_plan.engines)


def planned(row: Row, root: Path, samples: int, options: Options | None = None) -> Planned:
    """The row's plan, and the first samples of its test set in it; `root` is the folder of the data sets."""
    student = begin(STUDENTS / f"{row.student}.pt", find_device(row.family, row.device), options or Options())
    design = run_passes(student, passes_before("emit"))
    graph, tests = design.graph, load(row.data, root).test
    inputs = encode(graph.source, tests.images[:samples], time_steps=graph.time_steps, events=tests.images.ndim == 5)
    trace = golden.run(graph, inputs, time_steps=graph.time_steps, membranes=False)
    spikes = {name: population.spikes for name, population in trace.populations.items()}
    beats = stimulus(design.complete_plan.input, inputs, time_steps=graph.time_steps)
    cycles = float(predict(design.complete_plan, beats, spikes).cycles.mean())
    return Planned(design=design, inputs=inputs, trace=trace, cycles=cycles)


def publish(title: str, headings: Sequence[str], lines: Sequence[Sequence[str]], name: str) -> None:
    """Print a table, and write it to ``build/benchmarks/NAME``."""
    table = Table(*headings, title=title)
    for line in lines:
        table.add_row(*line)
    Console(width=160).print(table)
    output = REPOSITORY / "build" / "benchmarks" / name
    output.parent.mkdir(parents=True, exist_ok=True)
    written = [" | ".join(cells) for cells in (headings, ["---"] * len(headings), *lines)]
    output.write_text("".join(f"| {line} |\n" for line in written))
