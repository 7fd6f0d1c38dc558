"""`snnc evaluate` in decisions: a network that is asked again and again while it hears."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from snnc.compiler.build.folder import replace_file
from snnc.compiler.errors import DataError, OptionError
from snnc.compiler.extras import require
from snnc.compiler.formats.interface import NO_OPTIONS, ReadOptions
from snnc.compiler.ir import Encoding, Graph
from snnc.compiler.passes.bound import for_streams
from snnc.compiler.pipeline import integer_network
from snnc.distill.data import load
from snnc.distill.data.recordings import recordings_of
from snnc.sim.evaluation.streams import (
    StreamEvaluation,
    answer_samples,
    answer_streams,
    judged,
    streams_json,
)
from snnc.sim.models.inputs import load_samples

__all__ = ["DECISIONS_HTML", "DECISIONS_JSON", "parse_answers", "run_decisions"]

DECISIONS_JSON: Final = "decisions.json"
DECISIONS_HTML: Final = "decisions.html"

_MOST_ANSWERS: Final = 1_000_000


def parse_answers(text: str) -> tuple[int, ...]:
    """``"1,2,5"``: how many answers a decision sums up, in turn."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and 1 <= int(part) <= _MOST_ANSWERS for part in parts):
        raise OptionError(f"--answers '{text[:60]}' is not a list of numbers from 1 on, such as 1,2,5.")
    return tuple(sorted({int(part) for part in parts}))


def run_decisions(
    student: Path | Graph,
    *,
    dataset: str,
    data: Path | None,
    samples: int | None,
    time_steps: int | None,
    endless: bool,
    every: int,
    late: int,
    answers: Sequence[int],
    output: Path,
    reading: ReadOptions = NO_OPTIONS,
) -> StreamEvaluation:
    """Judge the decisions of a network and write the results into the folder `output`, which is there.

    Parameters
    ----------
    samples
        How many samples, or recordings; by default all.
    endless
        Hear whole recordings as streams; else samples with an end.
    every, late
        Steps from one answer to the next, and by which an answer is behind what it is about.
    answers
        How many of them a decision sums up, in turn.

    Raises
    ------
    UnsupportedError, FitError
        No widths can be proven for streams without an end.
    DataError, OptionError
        The samples are not the network's, or it is never asked.
    """
    from snnc.compiler.commands.console import progress_bar

    require("matplotlib")
    graph = integer_network(student, time_steps=time_steps, reading=reading)
    with progress_bar() as bar:
        if endless:
            graph = for_streams(graph)
            whole = load(dataset, data)
            _check_streams(graph, whole.shape, len(whole.classes), dataset)
            heard = recordings_of(whole, data)[:samples]
            name, classes = whole.title or dataset, graph.classes or whole.classes
            steps = sum(map(len, heard))
            task = bar.add_task("golden stepper", total=steps)
            answered = list(
                answer_streams(graph, heard, every=every, progress=lambda done: bar.update(task, advance=done))
            )
        else:
            tests = load_samples(graph, dataset, data=data, samples=samples, tracks=True)
            name, classes = tests.name, tests.classes
            steps = graph.time_steps * len(tests)
            task = bar.add_task("golden model", total=steps)
            answered = list(
                answer_samples(graph, tests, every=every, progress=lambda done: bar.update(task, advance=done))
            )
    decisions = judged(answered, every=every, late=late, windows=answers)
    if not next(iter(decisions.values())).count:
        raise DataError(f"No answer to '{dataset}' has a label; ask more often with --every, or lower --label-delay.")
    shown = next(stream for stream in answered if len(stream.logits))
    result = StreamEvaluation(
        graph=graph,
        source=student.name,
        dataset=name,
        classes=classes,
        endless=endless,
        every=every,
        late=late,
        streams=len(answered),
        steps=steps,
        decisions=decisions,
        first=shown,
    )
    # Matplotlib takes longer to import than most networks to run.
    from snnc.sim.evaluation.streams_report import render_streams

    page = render_streams(result)
    replace_file(output / DECISIONS_JSON, streams_json(result))
    replace_file(output / DECISIONS_HTML, page)
    return result


def _check_streams(graph: Graph, shape: tuple[int, int, int], classes: int, name: str) -> None:
    size = shape[0] * shape[1] * shape[2]
    if graph.input.shape not in (shape, (size, 1, 1)) or graph.readout.size != classes:
        raise DataError(
            f"Streams of '{name}' have {size} addresses and {classes} classes, but the network '{graph.name}' takes "
            f"{graph.input.size} and tells {graph.readout.size} apart; choose its own data set with --dataset."
        )
    assert graph.source.encoding is Encoding.EVENTS
