"""`snnc evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click
import numpy.typing as npt

from snnc.compiler.build.folder import replace_file
from snnc.compiler.commands.assumed import assumption_options, reading_of
from snnc.compiler.commands.datasets import dataset_options
from snnc.compiler.commands.deciding import DECISIONS_HTML, parse_answers, run_decisions
from snnc.compiler.errors import BuildError
from snnc.compiler.extras import require
from snnc.compiler.formats import find_format
from snnc.compiler.formats.interface import NO_OPTIONS, ReadOptions
from snnc.compiler.ir import Graph, RivalRecord
from snnc.distill.data import chosen
from snnc.sim.evaluation.activity import measure
from snnc.sim.evaluation.doctor import diagnose
from snnc.sim.evaluation.energy import load_costs
from snnc.sim.evaluation.evaluation import Evaluation, evaluation_json
from snnc.sim.evaluation.health import layer_health
from snnc.sim.evaluation.immunity import Immunity, left_out, noise_names, sweep, sweep_length
from snnc.sim.evaluation.operations import count_work
from snnc.sim.evaluation.subject import open_subject
from snnc.sim.models import golden
from snnc.sim.models.inputs import Samples, encode, load_samples

__all__ = ["EVALUATION_JSON", "REPORT_HTML", "evaluate", "run"]

EVALUATION_JSON: Final = "evaluation.json"
REPORT_HTML: Final = "report.html"

_ANSWERS: Final = "1,2,5"


@click.command("evaluate")
@click.argument("student", type=click.Path(path_type=Path))
@dataset_options("Whose test samples; digits by default.")
@click.option("--samples", type=click.IntRange(min=1), help="How many. Default: the whole test set.")
@click.option("--time-steps", type=click.IntRange(min=1), help="Most steps of a sample. Default: as trained.")
@click.option(
    "--costs", default="fp32", show_default=True, metavar="TABLE", help="Of modelled energy: fp32, fp16, int8, a .json."
)
@click.option("--noise", metavar="NAMES", help="Noise immunity: all, or such as gaussian,stuck-at-0. Takes time.")
@click.option(
    "--noise-samples", type=click.IntRange(min=1), default=1000, show_default=True, help="How many of the samples."
)
@click.option(
    "--every",
    type=click.IntRange(min=0),
    metavar="STEPS",
    help="Judge decisions instead, one after every so many steps; labels may be of steps. 0 is one answer a sample, in "
    "the end.  [default: as trained]",
)
@click.option("--stream", "endless", is_flag=True, help="With --every: hear whole recordings without an end.")
@click.option(
    "--label-delay",
    type=click.IntRange(min=0),
    metavar="STEPS",
    help="With --every: a decision is about what was so long ago.  [default: as trained, else 0]",
)
@click.option(
    "--answers", metavar="N,N,...", help="With --every: how many answers a decision sums up.  [default: 1,2,5]"
)
@click.option("--noise-seeds", type=click.IntRange(3, 100), default=3, show_default=True, help="Runs of each level.")
@click.option(
    "--rival",
    is_flag=True,
    help="Train the quantised ANN of the same architecture, too, and compare. Takes as long as the student did, at "
    "most; what is trained stays in the folder.",
)
@click.option(
    "--rival-budget", type=float, default=1.0, show_default=True, help="Factor of the student's epochs for its rival."
)
@click.option(
    "--record", type=click.Path(path_type=Path), help="A .pt file: STUDENT with its rival, for the pages of its builds."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("build/evaluation"),
    show_default=True,
    help="Folder.",
)
@assumption_options(without=("time_steps",))
def evaluate(
    student: Path,
    dataset: str | None,
    data: Path | None,
    samples: int | None,
    time_steps: int | None,
    costs: str,
    noise: str | None,
    noise_samples: int,
    noise_seeds: int,
    every: int | None,
    endless: bool,
    label_delay: int | None,
    answers: str | None,
    rival: bool,
    rival_budget: float,
    record: Path | None,
    output: Path,
    **assumed: Any,
) -> None:
    """Measure STUDENT: accuracy, activity, operations, memory, modelled energy, noise, its rival, and what ails it.

    With --every, or where the student was trained with it, it measures decisions in streams instead: accuracy, by
    segment too, confusion, and the time until one is right. --noise is of samples with one answer.
    """
    reading = reading_of(student, assumed, {} if time_steps is None else {"time_steps": time_steps})
    trained = find_format(student).decides(student)
    if every is None and noise is None and trained is not None:
        every = trained.every
    if record is not None and not rival:
        raise click.UsageError("--record writes what --rival measures: give it, too.")
    if every:
        if rival:
            raise click.UsageError("--rival is of samples with one answer: leave it out, or --every.")
        if noise is not None:
            raise click.UsageError("--noise is of samples with one answer: leave it out, or --every.")
        from snnc.sim.evaluation.streams_report import show_streams

        sums = parse_answers(answers or _ANSWERS)
        _make_folder(output)
        found = run_decisions(
            student,
            dataset=chosen(dataset, data) or "digits",
            data=data,
            samples=samples,
            time_steps=time_steps,
            endless=endless,
            every=every,
            late=label_delay if label_delay is not None else trained.late if trained is not None else 0,
            answers=sums,
            output=output,
            reading=reading,
        )
        show_streams(found, output / DECISIONS_HTML)
        return
    if endless or label_delay is not None or answers is not None:
        raise click.UsageError("--stream, --label-delay and --answers are about decisions: give --every, too.")
    from snnc.sim.evaluation.console import show_evaluation

    result = run(
        student,
        dataset=chosen(dataset, data) or "digits",
        data=data,
        samples=samples,
        time_steps=time_steps,
        costs=costs,
        noise=noise,
        noise_samples=noise_samples,
        noise_seeds=noise_seeds,
        output=output,
        reading=reading,
        rival_budget=rival_budget if rival else None,
    )
    if record is not None and result.rival is not None:
        from snnc.compiler.commands.rivals import record_rival

        record_rival(student, record, result.rival)
    show_evaluation(result, output / REPORT_HTML)


def run(
    student: Path | Graph,
    *,
    dataset: str,
    data: Path | None,
    samples: int | None,
    time_steps: int | None,
    costs: str,
    noise: str | None,
    noise_samples: int,
    noise_seeds: int,
    output: Path,
    reading: ReadOptions = NO_OPTIONS,
    rival_budget: float | None = None,
) -> Evaluation:
    """Evaluate a network and write the results into the folder `output`.

    With a `rival_budget` its rival is trained, too, for so many times the epochs of the student.
    """
    from snnc.compiler.commands.console import progress_bar

    require("matplotlib")  # the report has plots, and comes last
    if rival_budget is not None:
        require("torch")
        from snnc.compiler.commands import rivals

        trained = rivals.check_student(student, time_steps)
    table = load_costs(costs)
    subject = open_subject(student, time_steps=time_steps, reading=reading)
    graph = subject.integer
    tests = load_samples(graph, dataset, data=data, samples=samples)
    names = () if noise is None else noise_names(noise, events=tests.events)
    if noise is not None and (said := left_out(noise, events=tests.events)):
        click.echo(said, err=True)
    # Before the work, of which nothing is left where it cannot be written.
    _make_folder(output)

    with progress_bar() as bar:
        task = bar.add_task("golden model", total=len(tests))
        activity = measure(
            graph,
            tests,
            time_steps=graph.time_steps,
            floating=subject.floating,
            progress=lambda done: bar.update(task, advance=done),
        )
        few = tests.first(noise_samples)
        immunity: tuple[Immunity, ...] = ()
        if names:
            noises = bar.add_task("noise", total=sweep_length(names, noise_seeds))
            immunity = sweep(
                graph,
                few,
                names,
                time_steps=graph.time_steps,
                seeds=range(noise_seeds),
                progress=lambda done: bar.update(noises, advance=done),
            )
    beside: RivalRecord | None = None
    if rival_budget is not None:
        beside = rivals.beside_rival(
            trained, graph, activity, dataset=dataset, data=data, budget=rival_budget, folder=output
        )
    health = layer_health(graph, activity)
    result = Evaluation(
        subject=subject,
        source=student.name,
        dataset=tests.name,
        classes=tests.classes,
        activity=activity,
        work=count_work(graph, activity),
        costs=table,
        health=health,
        findings=diagnose(graph, activity, health),
        immunity=immunity,
        rival=beside,
        noise_samples=len(few),
        first=golden.run(graph, _first(graph, tests), time_steps=graph.time_steps),
        first_label=int(tests.labels[0]),
    )
    # Matplotlib takes longer to import than most networks to run.
    from snnc.sim.evaluation.report import render_html

    page = render_html(result)
    replace_file(output / EVALUATION_JSON, evaluation_json(result))
    replace_file(output / REPORT_HTML, page)
    return result


def _first(graph: Graph, tests: Samples) -> npt.NDArray[Any]:
    """The first sample as the golden model takes it."""
    return encode(graph.source, tests.images[:1], time_steps=graph.time_steps, events=tests.events)


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
        # Permissions alone do not tell: a read-only disk, a quota.
        probe = path / ".snnc.part"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise BuildError(
            f"'{path}' cannot be written: {error.strerror or error}; give another folder with -o."
        ) from None
