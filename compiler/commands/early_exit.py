"""`snnc early-exit`."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

import click

from snnc.compiler.build.folder import replace_file
from snnc.compiler.commands.datasets import dataset_options
from snnc.compiler.contract import SEMANTICS_VERSION
from snnc.compiler.errors import OptionError, UnsupportedError
from snnc.compiler.formats.sealed import SEALED
from snnc.compiler.formats.student import EXIT_VERSION, STUDENT
from snnc.compiler.ir import Exit, Graph
from snnc.compiler.pipeline import integer_network
from snnc.distill.data import chosen
from snnc.sim.evaluation.exits import MOST_SAMPLES, Answers, Exiting, answers_of, asked_steps, choose_margin, exiting
from snnc.sim.models.inputs import load_samples

__all__ = ["early_exit"]

_PARTS: Final[tuple[Literal["train", "validation"], ...]] = ("train", "validation")


@click.command("early-exit")
@click.argument("student", type=click.Path(path_type=Path))
@dataset_options("Whose training samples; digits by default.")
@click.option(
    "--samples", type=click.IntRange(min=1), default=MOST_SAMPLES, show_default=True, help="How many of them, at most."
)
@click.option(
    "--agreement",
    type=click.FloatRange(0, 100, min_open=True),
    default=99.9,
    show_default=True,
    metavar="PERCENT",
    help="Of samples that get the class which they get after all steps.",
)
@click.option("--steps", metavar="N,N", help="Steps after which it is asked. Default: all but the last.")
@click.option("--time-steps", type=int, metavar="N", help="Of the network, as of snnc compile; give it there too.")
@click.option("--weight-bits", type=int, metavar="N", help="Of its weights, as of snnc compile; give it there too.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The new file.")
def early_exit(
    student: Path,
    dataset: str | None,
    data: Path | None,
    samples: int,
    agreement: float,
    steps: str | None,
    time_steps: int | None,
    weight_bits: int | None,
    output: Path,
) -> None:
    """Let samples of STUDENT that are sure end early: choose the margin of their logits, and write it into a new file.

    STUDENT is a student.pt or a sealed model.npz. The margin is chosen on training samples, by the answers after all
    steps; validation samples say what it does to others.
    """
    from snnc.compiler.commands.console import progress_bar

    if student.suffix.lower() not in (STUDENT.suffix, SEALED.suffix) or student.suffix.lower() != output.suffix.lower():
        raise UnsupportedError(
            f"An exit is written into {STUDENT.suffix} and {SEALED.suffix} files, from one of the same kind: "
            f"'{student.name}' and '{output.name}' are not."
        )
    graph = integer_network(student, time_steps=time_steps, weight_bits=weight_bits)
    name, asked = chosen(dataset, data) or "digits", asked_steps(graph, _numbers(steps))
    found: dict[str, Answers] = {}
    with progress_bar() as bar:
        for part in _PARTS:
            some = load_samples(graph, name, data=data, samples=samples, part=part)
            task = bar.add_task(part, total=len(some))
            found[part] = answers_of(graph, some, progress=functools.partial(bar.advance, task))
    sealed = choose_margin(found["train"], asked, agreement=agreement / 100)
    exits = {part: exiting(answers, sealed) for part, answers in found.items()}
    _write(student, graph, dataclasses.replace(sealed, weight_bits=weight_bits), exits["validation"].ended, output)
    click.echo(f"Exit at a margin of {sealed.margin:,} after step {', '.join(map(str, sealed.steps))}.")
    for which, answers in found.items():
        click.echo(f"  {_line(which, answers.labels.size, exits[which], graph.time_steps)}")
    click.echo(f"Written to {output}.")
    options = (("--time-steps", time_steps), ("--weight-bits", weight_bits))
    given = " ".join(f"{option} {value}" for option, value in options if value is not None)
    if given:
        click.echo(f"The margin is that of the network in so many: compile it with {given}.")


def _numbers(steps: str | None) -> tuple[int, ...]:
    if steps is None:
        return ()
    numbers = [number.strip() for number in steps.split(",")]
    if not all(number.isascii() and number.isdecimal() and len(number) < 9 for number in numbers):
        raise OptionError(f"--steps '{steps}' is not a list of numbers of steps, such as 1,2.")
    return tuple(map(int, numbers))


def _line(part: str, count: int, exits: Exiting, time_steps: int) -> str:
    return (
        f"{count:,} samples of {part}: {exits.agreement:.2%} keep their class; accuracy {exits.accuracy:.2%} instead "
        f"of {exits.accuracy_of_all_steps:.2%}; steps of {time_steps}: mean {exits.steps.mean:.2f}, median "
        f"{exits.steps.median}, 99 % at most {exits.steps.most_of_99}"
    )


def _write(student: Path, graph: Graph, sealed: Exit, ended: Mapping[int, float], output: Path) -> None:
    """`ended` is the share of samples that end with each number of steps: it becomes part of the activity, if any."""
    if student.suffix.lower() == SEALED.suffix:
        assert SEALED.write is not None
        integers = dataclasses.replace(sealed, weight_bits=None)
        replace_file(output, SEALED.write(dataclasses.replace(graph, exit=integers)))
        return
    # torch writes its own files.
    from snnc.distill.checkpoint import read_checkpoint, write_checkpoint

    before = read_checkpoint(student)
    contents = before | {
        "version": max(EXIT_VERSION, before["version"]),
        "contract": SEMANTICS_VERSION,
        "exit": {"margin": sealed.margin, "steps": list(sealed.steps), **_width(sealed)},
    }
    if "activity" in before:
        contents["activity"] = {**before["activity"], "exits": dict(ended)}
    write_checkpoint(output, contents)


def _width(sealed: Exit) -> dict[str, int]:
    return {} if sealed.weight_bits is None else {"weight_bits": sealed.weight_bits}
