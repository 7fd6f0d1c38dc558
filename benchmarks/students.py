"""Measures the students that ship on their whole test sets: accuracy at every T, and torch against the golden model.

    SNNC_DATA=DIR python benchmarks/students.py

For every file of `examples/students/`: the weights it has, the accuracy of its integer network (made by the compiler,
run by the golden model) on all test samples after 1 to T steps (of events at quarters of T), and in how many spikes and
logits that network differs
from the quantised torch student, restored from the file and run in float64. The table is printed and written to
``build/benchmarks/students.md``.
"""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from snnc.compiler.ir import Graph, Pooling
from snnc.compiler.pipeline import integer_network
from snnc.distill.checkpoint import read_checkpoint, restore_student
from snnc.distill.data import Dataset, load
from snnc.distill.objective import encode_for
from snnc.distill.students import Student
from snnc.sim.models import golden
from snnc.sim.models.inputs import encode

REPOSITORY = Path(__file__).resolve().parents[1]
STUDENTS = REPOSITORY / "examples" / "students"
BATCH = 250


def weights(graph: Graph) -> int:
    """Synaptic weights; the constants of pooling and skip connections are one per channel and not counted."""
    return sum(projection.weight.size for projection in graph.projections if not isinstance(projection, Pooling))


def bits(graph: Graph) -> str:
    """Weight bits of the layers, once each."""
    widths = {p.bits for p in graph.projections if not isinstance(p, Pooling)}
    return ", ".join(str(width) for width in sorted(width for width in widths if width is not None))


def shown_steps(time_steps: int) -> list[int]:
    """All numbers of steps where they are few, else the quarters of all."""
    return list(range(1, time_steps + 1)) if time_steps <= 4 else [time_steps * part // 4 for part in (1, 2, 3, 4)]


def differing(outputs: dict[str, torch.Tensor], trace: golden.Trace) -> int:
    """Spikes in which two runs differ, ``[T, B, N]`` each."""
    return sum(
        int((spikes.flatten(2).numpy() != trace.populations[name].spikes).sum()) for name, spikes in outputs.items()
    )


@torch.no_grad()
def measure(graph: Graph, student: Student, dataset: Dataset) -> tuple[list[float], int, int, int]:
    """Accuracy after each number of steps; spikes and logits that differ; spikes compared."""
    steps = graph.time_steps
    correct = np.zeros(steps, dtype=int)
    spikes = logits = compared = 0
    test = dataset.test
    for start in range(0, len(test), BATCH):
        images, labels = test.images[start : start + BATCH], test.labels[start : start + BATCH]
        inputs = encode(graph.source, images, time_steps=steps, events=dataset.events, first=start)
        trace = golden.run(graph, inputs, time_steps=steps)
        readout = trace.populations[graph.readout.name].membranes  # [T, B, K]: the logits after each step
        correct += (readout.argmax(axis=2) == labels).sum(axis=1)
        outputs = student(encode_for(student, torch.from_numpy(images.copy()), None).double())
        names = [layer.name for layer in graph.layers[:-1]]
        spikes += differing(dict(zip(names, outputs.spikes.values(), strict=True)), trace)
        logits += int((outputs.readout.sum(dim=0).numpy() != trace.logits).sum())
        compared += sum(math.prod(trace.populations[name].spikes.shape) for name in names)
    return [float(share) for share in correct / len(test)], spikes, logits, compared


def main() -> None:
    """Measure all students; exit with 1 if one differs from its torch original."""
    table = Table(title="Students, whole test sets, integer networks")
    columns = (
        "student",
        "weights",
        "bits",
        "accuracy at T = 1, 2, .., or at quarters of T",
        "spikes compared",
        "differing",
        "logits differing",
    )
    for column in columns:
        table.add_column(column, justify="left" if column == "student" else "right")
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    failed = False
    for path in sorted(STUDENTS.glob("*.pt")):
        contents = read_checkpoint(path)
        name = contents["config"]["dataset"]
        if name != "digits" and "SNNC_DATA" not in os.environ:
            print(f"{path.name}: left out, SNNC_DATA is not set", file=sys.stderr)
            continue
        graph = integer_network(path)
        accuracies, spikes, logits, compared = measure(graph, restore_student(contents).double(), load(name))
        shown = [accuracies[step - 1] for step in shown_steps(graph.time_steps)]
        failed = failed or bool(spikes or logits)
        row = (
            path.stem,
            f"{weights(graph):,}",
            bits(graph),
            ", ".join(f"{accuracy:.2%}" for accuracy in shown),
            f"{compared:,}",
            str(spikes),
            str(logits),
        )
        table.add_row(*row)
        lines.append("| " + " | ".join(row) + " |")
    Console(width=150).print(table)
    output = REPOSITORY / "build" / "benchmarks" / "students.md"
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text("\n".join(lines) + "\n")
    sys.exit(failed)


if __name__ == "__main__":
    main()
