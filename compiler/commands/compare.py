"""``snnc compare``: a table of what distillation gains, and how sure that is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from snnc.compiler.errors import InterruptedRun, OptionError, TrainingError
from snnc.distill.compare.baselines import take_baselines
from snnc.distill.compare.curves import write_axis
from snnc.distill.compare.display import watching
from snnc.distill.compare.folder import begin, read_comparison
from snnc.distill.compare.options import DATA, read_config, shareable, shared_arguments, shared_files
from snnc.distill.compare.plan import (
    BASELINE,
    Candidate,
    Comparison,
    Run,
    parse_axis,
    parse_method,
    parse_seeds,
    parse_shard,
    tasks_of,
)
from snnc.distill.compare.processes import Job, State, run_tasks, visible_gpus
from snnc.distill.compare.report import TABLE, show_table, write_plot, write_table
from snnc.distill.compare.results import VERSIONS, read_results, results_json, summarise
from snnc.distill.config import defaults_for, refuse_maps_of_decisions
from snnc.distill.data import chosen, load
from snnc.distill.resolution import coarseness

__all__ = ["compare_command"]


def _configured(context: click.Context, parameter: click.Parameter, path: Path | None) -> None:
    if path is not None:
        context.default_map = {**(context.default_map or {}), **read_config(path, context.command.params)}


@click.command("compare")
@click.option(
    "--method",
    "methods",
    multiple=True,
    metavar="METHOD[:NAME=VALUE,...]",
    help="A loss of snnc distill, with settings of its own: twkd:temperature=4,alpha=0.5. Repeat for more; "
    f"{BASELINE} is always compared.",
)
@click.option(
    "--architecture", "architectures", multiple=True, help="A student. Repeat for more.  [default: the data set's]"
)
@click.option(
    "--vary",
    "axes",
    multiple=True,
    metavar="NAME=VALUE,VALUE,...",
    help="An option of snnc distill that takes several values in turn: labelled=0.01,0.1,1. Methods are compared at "
    "each value; repeat for every combination with another.",
)
@click.option(
    "--baseline-from",
    "baselines",
    multiple=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of another comparison, whose baselines are taken over where data, versions, students, seeds and "
    "options are the same. Repeat for more.",
)
@click.option("--seeds", default="3", show_default=True, metavar="N", help="How many from 0 on; or 5-9 or 1,4,7.")
@click.option("--jobs", type=click.IntRange(1), help="Runs at a time.  [default: one per GPU, else per core]")
@click.option(
    "--shard", metavar="I/N", help="Do part I (0 to N-1) of the runs only, where N machines share the folder OUTPUT."
)
@click.option("--collect", is_flag=True, help="Train nothing; tabulate what lies in OUTPUT.")
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    is_eager=True,
    expose_value=False,
    callback=_configured,
    help="TOML file of options, named as here without the dashes; the command line has precedence.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("build/compare"),
    show_default=True,
    help="Folder of all runs and results.",
)
def compare_command(
    methods: tuple[str, ...],
    architectures: tuple[str, ...],
    axes: tuple[str, ...],
    baselines: tuple[Path, ...],
    seeds: str,
    jobs: int | None,
    shard: str | None,
    collect: bool,
    output: Path,
    **shared: Any,
) -> None:
    """Compare distillation methods with training on labels alone: every method on every student with every seed.

    All other options are those of snnc distill, and every run has the same: an equal budget. Gains are paired by seed,
    and judged by their 95 % interval on validation data; the accuracy on test data is shown beside it.

    Every run is a process of its own that can be interrupted: the same command goes on, and does not repeat what is
    done. Methods, students and seeds may be added later in the same folder.

    Where machines share a folder, each does a part: `snnc compare ... -o DIR --shard $SLURM_ARRAY_TASK_ID/8` in a job
    array of 0-7, or `--shard $RANK/$WORLD_SIZE` below torchrun. Afterwards `snnc compare --collect -o DIR` makes the
    table of all.
    """
    if collect:
        tabulate(output, read_comparison(output))
        return
    shared["dataset"] = chosen(shared["dataset"], shared[DATA]) or "digits"
    dataset = load(shared["dataset"], shared[DATA])
    if (coarse := coarseness(dataset.name, len(dataset.validation))) is not None:
        click.echo(f"Warning: {coarse}", err=True)
    named = _methods(methods)
    if dataset.tracked or shared["every"]:
        for method in named:
            refuse_maps_of_decisions(method.loss)
    if dataset.tracked and shared["teacher_epochs"] is None:
        shared["teacher_epochs"] = 0  # an ANN has no steps to learn their labels with
    varied = _axes(axes, shared)
    asked = Comparison(
        shared={name: words for name, words in shared_arguments(shared).items() if name != DATA},
        files=shared_files(shared, varied),
        methods=named,
        architectures=tuple(dict.fromkeys(architectures)) or (defaults_for(dataset).architecture,),
        seeds=parse_seeds(seeds),
        train_images=len(dataset.train),
        validation_images=len(dataset.validation),
        test_images=len(dataset.test),
        data=dataset.digest(),
        title=dataset.title,
        versions=VERSIONS,
        axes=varied,
    )
    index, count = parse_shard(shard) if shard is not None else (0, 1)
    comparison = begin(output, asked)
    runs = asked.runs[index::count]
    for source in baselines:
        taken = take_baselines(runs, asked, output, source)
        click.echo(f"{taken} baselines are taken from {source}.", err=True)
    gpus = visible_gpus() if _may_use_gpus(shared) else ()
    finished = _train(
        runs,
        asked,
        output,
        data=shared_arguments(shared).get(DATA, ()),
        jobs=jobs or len(gpus) or max(1, len(os.sched_getaffinity(0)) // (shared.get("threads") or 1)),
        gpus=gpus,
    )
    if shard is None:
        tabulate(output, comparison)
    else:
        click.echo(f"Part {shard} is done. For the table of all parts: snnc compare --collect -o {output}")
    _report_failures(finished)


def tabulate(output: Path, comparison: Comparison) -> None:
    """Make the results, tables and plot from what lies in a folder, and show the table."""
    results = read_results(comparison, output)
    summaries = summarise(results)
    results_json(output, comparison, results, summaries)
    write_table(output, comparison, results, summaries)
    write_plot(output, summaries)
    write_axis(output, comparison, summaries)
    show_table(comparison, summaries)
    done = sum(result.state == "done" for result in results)
    click.echo(f"{done} of {len(results)} runs are done. Written to {output / TABLE}, with results.json beside it.")


def _methods(texts: Sequence[str]) -> tuple[Candidate, ...]:
    if not texts:
        raise OptionError(f"There is nothing to compare with {BASELINE}; name a distillation method with --method.")
    return tuple(dict.fromkeys((Candidate(loss=BASELINE), *map(parse_method, texts))))


def _axes(texts: Sequence[str], shared: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    axes: dict[str, tuple[str, ...]] = {}
    for name, values in map(parse_axis, texts):
        if name in axes or name in {key.replace("_", "-") for key in shared_arguments(shared) if key != "threads"}:
            raise OptionError(f"--vary {name}={','.join(values)} says again what {name} is; say it once.")
        axes[name] = values
    return axes


def _may_use_gpus(shared: dict[str, Any]) -> bool:
    return "device" in shared and str(shared["device"]) != "cpu"


def _train(
    runs: Sequence[Run],
    comparison: Comparison,
    output: Path,
    *,
    data: Sequence[str],
    jobs: int,
    gpus: Sequence[str],
) -> list[Job]:
    tasks = tasks_of(runs, comparison, output, data=data)
    try:
        with watching() as watch:
            return run_tasks(list(tasks.values()), jobs=jobs, gpus=gpus, on_change=watch)
    except KeyboardInterrupt:
        done = sum(task.output.exists() for task in tasks.values())
        raise InterruptedRun(
            f"The comparison was interrupted with {done} of {len(tasks)} runs done; nothing is lost, the same command "
            "goes on."
        ) from None


def _report_failures(jobs: Sequence[Job]) -> None:
    failed = [job for job in jobs if job.state is State.FAILED]
    if failed:
        raise TrainingError(
            f"{len(failed)} of {len(jobs)} runs failed, and the same command tries them again; the first, "
            f"{failed[0].task.name}: {failed[0].problem}"
        )


# The command has every option of snnc distill, but for those that differ between its runs.
compare_command.params[-1:-1] = shareable(compare_command.params)
