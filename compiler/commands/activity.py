"""`snnc activity`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from snnc.compiler.commands.datasets import dataset_options
from snnc.compiler.errors import OptionError
from snnc.compiler.extras import require
from snnc.compiler.formats.recorded_activity import KEY
from snnc.compiler.formats.student import STUDENT
from snnc.compiler.ir import ActivityRecord, Graph
from snnc.compiler.pipeline import integer_network
from snnc.distill.data import chosen
from snnc.sim.evaluation.evaluation import shown_steps
from snnc.sim.models.activity import measure_activity
from snnc.sim.models.inputs import load_samples

__all__ = ["activity_command", "measured"]

_SHOWN_STEPS: Final = 8
"""Of a layer, in a line."""


@click.command("activity")
@click.argument("student", type=click.Path(path_type=Path))
@dataset_options("Whose validation samples; digits by default.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A .pt file: STUDENT with the record.")
def activity_command(student: Path, dataset: str | None, data: Path | None, output: Path | None) -> None:
    """Measure what STUDENT does on validation data: spikes of each layer and step, pixels and their digits.

    With -o it becomes part of the student's file, for snnc compile to choose lanes by. The network, and the hash of it,
    stay the same.
    """
    if output is not None:
        require("torch")
        if student.suffix.lower() != STUDENT.suffix or output.suffix.lower() != STUDENT.suffix:
            raise OptionError(f"A record is written from one {STUDENT.suffix} file into another, by -o NAME.pt.")
    graph = integer_network(student)
    record = measured(graph, chosen(dataset, data) or "digits", data)
    for line in _lines(graph, record):
        click.echo(line)
    if output is not None:
        _write(student, output, record)
        click.echo(f"Written to {output}.")


def measured(graph: Graph, dataset: str, data: Path | None) -> ActivityRecord:
    """What an integer network does on the validation samples of a data set."""
    from snnc.compiler.commands.console import progress_bar

    samples = load_samples(graph, dataset, data=data, part="validation", tracks=True)
    with progress_bar() as bar:
        task = bar.add_task("golden model", total=len(samples))
        return measure_activity(
            graph, samples, f"{dataset}, validation", progress=lambda done: bar.update(task, advance=done)
        )


def _write(student: Path, output: Path, record: ActivityRecord) -> None:
    from snnc.distill.checkpoint import activity_tensors, read_checkpoint, write_checkpoint

    write_checkpoint(output, {**read_checkpoint(student), KEY: activity_tensors(record)})


def _lines(graph: Graph, record: ActivityRecord) -> list[str]:
    lines = [f"{graph.name}: a mean sample of {record.samples:,} ({record.data})"]
    if record.pixels is not None and record.digits is not None:
        pixels, digits = float(record.pixels.sum()), float(record.digits.sum())
        each = f", {digits / pixels:.2f} each" if pixels else ""
        lines.append(
            f"  {graph.input.name:<12}  {pixels:.1f} pixels that are not 0, of {graph.input.size}; "
            f"{digits:.1f} signed digits{each}"
        )
    for name, events in record.events.items():
        each = events.sum(axis=(1, 2))
        shown = shown_steps(len(each), _SHOWN_STEPS)
        which = "by step" if len(shown) == len(each) else f"in the steps {', '.join(map(str, shown))}"
        steps = ", ".join(f"{each[step - 1]:.1f}" for step in shown)
        lines.append(f"  {name:<12}  spikes of {graph.population(name).size} neurons {which}: {steps}")
    return lines
