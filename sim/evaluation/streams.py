"""A network that decides again and again: its answers to streams, judged by labels of steps, and the file of them.

Streams are heard in one of two ways: from end to end by the golden stepper (`snnc.sim.models.stepper`), as hardware
for streams hears them, or as samples with an end, many at once, by the golden model.  The logits of an answer are the
sum of the readout's currents since the answer before, in both; of a leaky readout, its membranes.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from snnc.compiler import __version__
from snnc.compiler.contract import SEMANTICS_VERSION
from snnc.compiler.errors import OptionError
from snnc.compiler.ir import Encoding, Graph
from snnc.compiler.ir.model import model_hash
from snnc.distill.data.recordings import Recording
from snnc.sim.evaluation.decisions import Decisions, judge, windowed
from snnc.sim.models import golden
from snnc.sim.models.inputs import Samples, encoded_batches
from snnc.sim.models.stepper import Stepper

__all__ = [
    "FORMAT",
    "VERSION",
    "Answered",
    "StreamEvaluation",
    "answer_samples",
    "answer_streams",
    "judged",
    "streams_json",
]

FORMAT: Final = "snnc-decisions"
VERSION: Final = 1

_PIECE: Final = 4096
"""Steps that are heard at once, about: what is kept of a stream is bounded by it."""

_IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answered:
    """One stream, and the answers to it.

    Attributes
    ----------
    name
        For people.
    labels
        Of its steps, ``(time,)``; -1 where one is not counted.
    logits
        Of the answers, ``(answer, class)``.
    """

    name: str
    labels: _IntArray
    logits: _IntArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StreamEvaluation:
    """What became of all streams.

    Attributes
    ----------
    graph, source, dataset, classes
        The network, its file, the name of the data and those of the classes.
    endless
        Whether streams were heard from end to end; else as samples.
    every, late
        Steps from one answer to the next, and by which an answer is behind what it is about.
    streams, steps
        How many.
    decisions
        By how many answers one of them sums up, in ascending order.
    first
        The stream that is shown.
    """

    graph: Graph
    source: str
    dataset: str
    classes: tuple[str, ...]
    endless: bool
    every: int
    late: int
    streams: int
    steps: int
    decisions: Mapping[int, Decisions]
    first: Answered


def answer_streams(
    graph: Graph, recordings: Iterable[Recording], *, every: int, progress: Callable[[int], None] = lambda steps: None
) -> Iterator[Answered]:
    """Hear recordings from end to end, each from silence, and answer after every so many steps; a short one never.

    Parameters
    ----------
    graph
        For streams (`snnc.compiler.passes.bound.for_streams`).
    progress
        Called with the number of steps of every piece.

    Raises
    ------
    OptionError
        `every` is more than the widths are proven for.
    """
    piece = max(1, _PIECE // every) * every
    for recording in recordings:
        _check_every(graph, every)
        stepper, logits = Stepper(graph), [np.empty((0, graph.readout.size), np.int64)]
        for start in range(0, len(recording), piece):
            events = np.asarray(recording.events[start : start + piece])
            asked = (np.arange(1, len(events) + 1) % every) == 0
            # What comes after the last answer that is wanted is not heard: nobody asks for it.
            heard = len(events) - len(events) % every
            logits.append(stepper.run(events[:heard], asked[:heard]).logits)
            progress(len(events))
        yield Answered(name=recording.name, labels=recording.labels, logits=np.concatenate(logits))


def answer_samples(
    graph: Graph, samples: Samples, *, every: int, progress: Callable[[int], None] = lambda steps: None
) -> Iterator[Answered]:
    """Answer samples of `graph.time_steps` steps after every so many of them; labels may be of samples or of steps."""
    steps = graph.time_steps
    _check_every(graph, every, sample=True)
    if graph.source.encoding is not Encoding.EVENTS:
        raise OptionError(f"--every is for networks that take events, and '{graph.name}' takes images; leave it out.")
    tracks = samples.labels[:, :steps] if samples.labels.ndim > 1 else samples.labels[:, np.newaxis]
    batch = golden.batch_size(graph, time_steps=steps)
    for part, inputs in encoded_batches(graph, samples, time_steps=steps, batch=batch):
        trace = golden.run(graph, inputs, time_steps=steps)
        sums = trace.populations[graph.readout.name].membranes[every - 1 :: every]
        logits = np.diff(sums, axis=0, prepend=np.zeros_like(sums[:1])) if graph.restarts else sums
        for number, track in enumerate(tracks[part]):
            yield Answered(
                name=f"sample {part.start + number}",
                labels=np.broadcast_to(track, steps),
                logits=logits[:, number],
            )
        progress(steps * inputs.shape[1])


def judged(answered: Sequence[Answered], *, every: int, late: int, windows: Sequence[int]) -> Mapping[int, Decisions]:
    """The decisions of all streams, by how many answers one of them sums up."""

    def of(stream: Answered, window: int) -> Decisions:
        steps = every * np.arange(1, len(stream.logits) + 1)
        return judge(windowed(stream.logits, window), steps, stream.labels, late=late)

    return {
        window: functools.reduce(operator.add, (of(stream, window) for stream in answered))
        for window in sorted(set(windows))
    }


def streams_json(result: StreamEvaluation) -> str:
    """``decisions.json``; `VERSION` is that of its layout."""
    facts: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "versions": {"snnc": __version__, "semantics": SEMANTICS_VERSION},
        "network": {"name": result.graph.name, "source": result.source, "hash": model_hash(result.graph)},
        "streams": {
            "dataset": result.dataset,
            "count": result.streams,
            "steps": result.steps,
            "endless": result.endless,
            "classes": list(result.classes),
        },
        "every": result.every,
        "label_delay": result.late,
        "decisions": [{"answers": window, **_facts(found)} for window, found in result.decisions.items()],
    }
    return json.dumps(facts, indent=2, allow_nan=False) + "\n"


def _facts(found: Decisions) -> dict[str, Any]:
    return {
        "count": found.count,
        "accuracy": found.accuracy,
        "segment_accuracy": found.segment_accuracy,
        "delay_steps": None if np.isnan(found.delay) else found.delay,
        "missed": found.missed,
    } | {name: values.tolist() for name, values in _arrays(found).items()}


def _arrays(found: Decisions) -> dict[str, npt.NDArray[Any]]:
    return {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}


def _check_every(graph: Graph, every: int, *, sample: bool = False) -> None:
    if every > graph.time_steps and (sample or graph.restarts):
        raise OptionError(
            f"--every is {every}, but '{graph.name}' answers after {graph.time_steps} steps at most; ask earlier, or "
            f"give --time-steps {every}."
        )
