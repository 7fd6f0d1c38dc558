"""The students that ship on chips, as ``snnc compile`` plans them, and what samples take there, without any Verilog.

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
from snnc.compiler.ir import Graph
from snnc.compiler.pipeline import begin, passes_before, run_passes
from snnc.compiler.plan import Plan
from snnc.compiler.targets import find_device
from snnc.distill.checkpoint import read_checkpoint
from snnc.distill.data import load
from snnc.sim.models import golden
from snnc.sim.models.inputs import encode
from snnc.sim.models.stimulus import stimulus
from snnc.sim.models.timing.exact import predict

REPOSITORY: Final = Path(__file__).resolve().parents[1]
STUDENTS: Final = REPOSITORY / "examples" / "students"


@dataclass(frozen=True, slots=True)
class Row:
    """A student that ships, and a chip."""

    student: str
    family: str
    device: str

    @property
    def path(self) -> Path:
        """Of the student's file."""
        return STUDENTS / f"{self.student}.pt"


SHIPPED: Final = (
    Row("digits-64-32-10-int4", "ice40", "up5k"),
    Row("mnist-784-32-10-int4", "ice40", "up5k"),
    Row("mnist-784-128-10-int4", "ice40", "up5k"),
    Row("mnist-a2-160-100-10-int4", "ice40", "up5k"),
    Row("mnist-conv-int4", "ice40", "up5k"),
    Row("mnist-conv-int4", "ecp5", "25k"),
    Row("mnist-conv-taught-int4", "ice40", "up5k"),
    Row("mnist-conv-ternary", "ice40", "up5k"),
    Row("fashion-mnist-conv-int4", "ecp5", "45k"),
    Row("fashion-mnist-conv-taught-int4", "ecp5", "45k"),
    Row("cifar10-conv-int4", "ecp5", "85k"),
    Row("spoken-digits-conv-int4", "ecp5", "25k"),
    Row("spoken-events-int4", "ecp5", "25k"),
    Row("watch-fine-int4", "ecp5", "25k"),
    Row("saccade-mnist-conv-int4", "ice40", "up5k"),
)


def planned(row: Row, options: Options) -> Design:
    """The row's design, as far as its plan."""
    return run_passes(begin(row.path, find_device(row.family, row.device), options), passes_before("emit"))


def first_samples(row: Row, graph: Graph, count: int) -> tuple[np.ndarray, golden.Trace]:
    """The first samples of the student's test set, as the network hears them, and what it does."""
    images = load(read_checkpoint(row.path)["config"]["dataset"]).test.images
    inputs = encode(graph.source, images[:count], time_steps=graph.time_steps, events=images.ndim == 5)
    return inputs, golden.run(graph, inputs, time_steps=graph.time_steps, membranes=False)


def mean_cycles(plan: Plan, inputs: np.ndarray, trace: golden.Trace) -> float:
    """Of a sample, in the network's own number of steps."""
    spikes = {name: population.spikes for name, population in trace.populations.items()}
    beats = stimulus(plan.input, inputs, time_steps=plan.time_steps)
    return float(predict(plan, beats, spikes).cycles.mean())


def lanes_of(plan: Plan) -> str:
    """Of each engine, as ``--lanes`` takes them."""
    return ",".join(engine.width for engine in plan.engines)


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
