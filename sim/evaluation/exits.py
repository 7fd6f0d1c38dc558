"""The margin of an early exit, from samples that the network was trained on.

The measure is agreement: the share of samples that get the class which they would get after all steps. Labels are not
looked at, and neither are test samples.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import OptionError
from snnc.compiler.ir import Exit, Graph
from snnc.sim.models import golden
from snnc.sim.models.inputs import Samples, encoded_batches
from snnc.sim.models.spread import Spread
from snnc.sim.models.threads import in_order

__all__ = ["MOST_SAMPLES", "Answers", "Exiting", "answers_of", "asked_steps", "choose_margin", "exiting"]

IntArray: TypeAlias = npt.NDArray[np.int64]

MOST_SAMPLES: Final = 10_000
"""Of the training samples, from the first, unless another number is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """What a network would answer after every step, were it asked.

    Attributes
    ----------
    classes, margins
        Class, and by how much its logit exceeds the second largest; ``(time, sample)``.
    labels
        Classes that are right, ``(sample,)``.
    """

    classes: IntArray
    margins: IntArray
    labels: IntArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Exiting:
    """What an exit does to some samples.

    Attributes
    ----------
    agreement
        Share that get the class that they would get after all steps.
    accuracy, accuracy_of_all_steps
        With the exit, and without.
    steps
        That are taken.
    ended
        The share of samples that end with each number of steps that is asked after.
    """

    agreement: float
    accuracy: float
    accuracy_of_all_steps: float
    steps: Spread
    ended: Mapping[int, float]


def answers_of(graph: Graph, samples: Samples, *, progress: Callable[[int], None] = lambda done: None) -> Answers:
    """Run an integer network, whose exit is of no account, over samples; `progress` gets the number of each batch."""
    graph = dataclasses.replace(graph, exit=None)

    def logits_of(item: tuple[slice, npt.NDArray[Any]]) -> npt.NDArray[np.int64]:
        _, inputs = item
        return golden.run(graph, inputs, time_steps=graph.time_steps).populations[graph.readout.name].membranes

    classes, margins = [], []
    batch = golden.batch_size(graph, time_steps=graph.time_steps)
    for logits in in_order(logits_of, encoded_batches(graph, samples, time_steps=graph.time_steps, batch=batch)):
        ordered = np.sort(logits, axis=2)
        classes.append(logits.argmax(axis=2))
        margins.append(ordered[:, :, -1] - ordered[:, :, -2])
        progress(logits.shape[1])
    return Answers(
        classes=np.concatenate(classes, axis=1), margins=np.concatenate(margins, axis=1), labels=samples.labels
    )


def exiting(answers: Answers, sealed: Exit) -> Exiting:
    """What `sealed` does to these samples."""
    last = len(answers.classes)
    taken = np.full(answers.classes.shape[1], last)
    for step in reversed(sealed.steps):
        taken = np.where(answers.margins[step - 1] >= sealed.margin, step, taken)
    found = answers.classes[taken - 1, np.arange(len(taken))]
    return Exiting(
        agreement=float(np.mean(found == answers.classes[-1])),
        accuracy=golden.accuracy(found, answers.labels),
        accuracy_of_all_steps=golden.accuracy(answers.classes[-1], answers.labels),
        steps=Spread.of(taken),
        ended={step: float(np.mean(taken == step)) for step in sealed.steps},
    )


def asked_steps(graph: Graph, steps: Collection[int] = ()) -> tuple[int, ...]:
    """The steps after which an exit asks, ascending: those that are wanted, or all but the last.

    Raises
    ------
    OptionError
        One of them is not below the last step, or the network has one step or one class alone.
    """
    most = graph.time_steps - 1
    if most < 1 or graph.readout.size < 2:
        raise OptionError(
            f"'{graph.name}' takes {graph.time_steps} step(s) and tells {graph.readout.size} class(es) apart; an early "
            "exit needs two steps and two classes at least."
        )
    if not all(1 <= step <= most for step in steps):
        raise OptionError(
            f"'{graph.name}' can end early after steps 1 to {most}; after {', '.join(map(str, steps))} is not possible."
        )
    return tuple(sorted(set(steps))) or tuple(range(1, most + 1))


def choose_margin(answers: Answers, steps: tuple[int, ...], *, agreement: float) -> Exit:
    """The least margin from which on the agreement is never below `agreement`, a fraction.

    Raises
    ------
    OptionError
        With such a margin no sample would exit.
    """
    asked = [step - 1 for step in steps]
    # A sample exits after the first step whose margin reaches M: after the k-th one that is asked for all M above what
    # was reached before it, up to what it reaches itself.
    reached = np.maximum.accumulate(answers.margins[asked], axis=0)
    before = np.vstack([np.zeros_like(reached[:1]), reached[:-1]])
    differs = answers.classes[asked] != answers.classes[-1]
    changes = np.zeros(int(reached.max()) + 3, np.int64)
    np.add.at(changes, before[differs] + 1, 1)
    np.add.at(changes, reached[differs] + 1, -1)
    wrong = np.cumsum(changes)  # by margin; index 0 is none
    allowed = np.floor((1 - agreement) * answers.classes.shape[1] + 1e-9)
    above = np.flatnonzero(wrong > allowed)
    margin = max(1, int(above[-1]) + 1 if len(above) else 1)
    if margin > int(reached.max()):
        raise OptionError(
            f"No margin that a sample reaches keeps {agreement:.3%} of the answers; ask for less with --agreement, or "
            "after other steps with --steps."
        )
    return Exit(margin=margin, steps=steps)
