"""The verdict on streams: hardware and golden stepper, step for step, for as long as one likes.

One stream goes through the core, which keeps its state all the time and is asked every few steps: every spike and every
membrane, all logits, and the cycle in which each answer leaves are compared. That is done a few thousand steps at a
time, so that memory does not grow with the stream but for its spikes. Short streams then follow each other without a
pause, with gaps and stalls, and go through the ports by hand.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from snnc.compiler.build.folder import Build
from snnc.compiler.errors import OptionError, VerificationError
from snnc.compiler.ir import Graph
from snnc.compiler.plan import Plan
from snnc.compiler.plan.residual import Residual
from snnc.sim.cosimulation.harness import AnswerCapture, Swept, read_answers, read_capture, read_ends
from snnc.sim.cosimulation.patience import patience
from snnc.sim.cosimulation.ports import input_widths, pack_inputs, pack_results, result_widths
from snnc.sim.cosimulation.simulator import prepare, simulated
from snnc.sim.models.stepper import Piece, Stepper
from snnc.sim.models.stimulus import asking, from_spikes
from snnc.sim.models.timing.estimate import assumed, estimate
from snnc.sim.models.timing.exact import predict
from snnc.sim.trust.protocol import verify_vectors
from snnc.sim.trust.verify import Difference

__all__ = ["StreamVerdict", "answer_steps", "verify_stream"]

_Bits = npt.NDArray[np.bool_]
_Integers = npt.NDArray[np.int64]

_PIECE: Final = 4096
"""Steps that are compared at once."""

_PREDICTED: Final = 100_000
"""Steps whose answers are held against the performance model, which takes ten times as long as the golden one."""

_SHORT: Final = 96
"""Steps of each of the streams that follow each other, and"""
_STREAMS: Final = 6
"""how many of them; half come with gaps, and stalls of their answers."""
_BY_HAND: Final = 24
"""Steps of the two streams that Python drives cycle by cycle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamVerdict:
    """What was compared of a stream, all equal.

    Attributes
    ----------
    steps, answers
        Of the stream; the last of the answers ends it.
    spikes, membranes
        How many of them.
    cycles
        From the first event to the last logit.
    predicted
        Answers whose cycle was predicted, from the first on; all in a stream of up to 100,000 steps.
    classes
        Of the answers, in their order.
    seconds
        Wall clock of the simulation alone.
    """

    steps: int
    answers: int
    spikes: int
    membranes: int
    cycles: int
    predicted: int
    classes: tuple[int, ...]
    seconds: float


def answer_steps(steps: int, every: int) -> tuple[int, ...]:
    """Numbers of steps after which a stream of so many is answered in its middle; its end is an answer, too."""
    return tuple(range(every, steps, every))


def verify_stream(
    build: Build,
    events: npt.NDArray[Any],
    *,
    every: int | None = None,
    seed: int = 1,
    progress: Callable[[int], None] | None = None,
) -> StreamVerdict:
    """Run a stream through hardware and models, and compare everything.

    Parameters
    ----------
    events
        ``(time, address)``, 0 or 1.
    every
        Steps between two answers; by default the compiled ``T_max``, which is the most unless the readout leaks.
    seed
        Of the registers' random start.
    progress
        Called with the number of steps that were compared since the last call.

    Raises
    ------
    OptionError
        The build is not one for streams, or `every` is out of range.
    VerificationError
        They differ; the message is the first `Difference`.
    """
    plan, graph = build.plan, build.load_graph()
    if not plan.stream:
        raise OptionError(f"'{build.path}' takes samples with an end; compile the network with --stream.")
    every = plan.time_steps if every is None else every
    if every < 1 or (every > plan.time_steps and plan.readout.leak_shift is None):
        raise OptionError(
            f"An answer every {every} steps is none of the 1 to {plan.time_steps} for which the widths are proven; "
            f"compile with --time-steps {every}."
        )
    if not len(events):
        raise OptionError("There is no step in the stream; give one at least.")
    events = np.asarray(events)
    beats = asking(from_spikes(events[:, np.newaxis]), answer_steps(len(events), every))
    longest = _longest(plan, graph) * -(-every // plan.time_steps)
    prepare(build)
    start = time.perf_counter()
    with simulated(build, beats, longest=longest, seed=seed) as work:
        seconds = time.perf_counter() - start
        swept = {engine.name: Swept(engine, work, time_steps=len(events)) for engine in plan.engines}
        got = _joined(read_answers(plan, work, samples=1, answers=len(beats.answers)), read_ends(plan, work, samples=1))
        spikes, logits = _compare_steps(graph, plan, events, every, swept, progress)
    _check(_of_answers("Logit", logits, got.logits[0]))
    cycles = _predicted(plan, events[:_PREDICTED], every, {name: fired[:_PREDICTED] for name, fired in spikes.items()})
    # What a stream that is cut off would end with is no answer of the longer one.
    cycles = cycles if len(events) <= _PREDICTED else cycles[:-1]
    classes = np.argmax(logits, axis=1)
    _check(_of_answers("Class", classes[:, np.newaxis], got.classes[0][:, np.newaxis]))
    _check(_of_answers("Cycle", cycles[:, np.newaxis], got.cycles[0][: len(cycles), np.newaxis]))
    _compare_overlapped(build, graph, events, every, longest=longest, seed=seed)
    sizes = {layer.name: layer.size for layer in graph.layers}
    return StreamVerdict(
        steps=len(events),
        answers=len(logits),
        spikes=len(events) * sum(sizes[name] for name in spikes),
        membranes=len(events) * sum(sizes.values()),
        cycles=int(got.cycles[0, -1]),
        predicted=len(cycles),
        classes=tuple(classes.tolist()),
        seconds=seconds,
    )


def _predicted(plan: Plan, events: npt.NDArray[Any], every: int, spikes: dict[str, _Bits]) -> _Integers:
    """The cycles of the answers of a stream, the one at its end among them."""
    beats = asking(from_spikes(events[:, np.newaxis]), answer_steps(len(events), every))
    prediction = predict(plan, beats, {name: fired[:, np.newaxis] for name, fired in spikes.items()})
    middle = [int(prediction.answers[taken][0]) for taken in sorted(beats.answers)]
    return np.array([*middle, int(prediction.cycles[0])])


def _compare_steps(
    graph: Graph,
    plan: Plan,
    events: npt.NDArray[Any],
    every: int,
    swept: dict[str, Swept],
    progress: Callable[[int], None] | None,
) -> tuple[dict[str, _Bits], _Integers]:
    """Compare what was swept; gives the spikes of all layers that fire, ``(time, neuron)``, and the answers due."""
    stepper, thresholds = Stepper(graph), _thresholds(graph)
    asked = np.zeros(len(events), np.bool_)
    asked[[taken - 1 for taken in (*answer_steps(len(events), every), len(events))]] = True
    spikes = {
        engine.name: np.empty((len(events), engine.neurons), np.bool_)
        for engine in plan.engines
        if engine.population.fires
    }
    logits = []
    for start in range(0, len(events), _PIECE):
        steps = slice(start, min(start + _PIECE, len(events)))
        piece = stepper.run(events[steps], asked[steps])
        hardware = {name: of_engine.steps(steps) for name, of_engine in swept.items()}
        _check(_of_piece(plan, piece, hardware, thresholds, first=start))
        for name, kept in spikes.items():
            kept[steps] = piece.spikes[name]
        logits.append(piece.logits)
        if progress is not None:
            progress(steps.stop - steps.start)
    return spikes, np.concatenate(logits)


def _compare_overlapped(
    build: Build, graph: Graph, events: npt.NDArray[Any], every: int, *, longest: int, seed: int
) -> None:
    """Short streams without waiting for the core, some with gaps and stalls; and two of them by hand."""
    plan = build.plan
    short = min(_SHORT, len(events))
    every = min(every, max(1, short // 5))
    cut = [events[start : start + short] for start in np.linspace(0, len(events) - short, _STREAMS, dtype=np.int64)]
    beats = asking(from_spikes(np.stack(cut, axis=1)), answer_steps(short, every))
    pieces = [_whole(graph, stream, every) for stream in cut]
    with simulated(build, beats, longest=longest, overlap=True, seed=seed) as work:
        capture = read_capture(plan, work, samples=len(cut), time_steps=short)
        middle = read_answers(plan, work, samples=len(cut), answers=len(beats.answers))
        got = _joined(middle, read_ends(plan, work, samples=len(cut)))
    for number, piece in enumerate(pieces):
        hardware = {
            name: (
                np.zeros_like(engine.residuals[:, number], np.bool_)
                if engine.spikes is None
                else engine.spikes[:, number],
                engine.residuals[:, number],
            )
            for name, engine in capture.engines.items()
        }
        _check(_of_piece(plan, piece, hardware, _thresholds(graph), stream=number), " when streams overlap")
        _check(_of_answers("Logit", piece.logits, got.logits[number], stream=number), " when streams overlap")
    by_hand = [stream[:_BY_HAND] for stream in cut[:2]]
    every = min(every, max(1, len(by_hand[0]) // 4))
    beats = asking(from_spikes(np.stack(by_hand, axis=1)), answer_steps(len(by_hand[0]), every))
    logits = np.concatenate([_whole(graph, stream, every).logits for stream in by_hand])
    content = {
        "widths": {"i": input_widths(plan), "o": result_widths(plan)},
        "beats": pack_inputs(plan, beats).tolist(),
        "results": pack_results(plan, logits),
        "patience": patience(plan, beats, longest),
    }
    verify_vectors(build, content, seed=seed)


def _whole(graph: Graph, events: npt.NDArray[Any], every: int) -> Piece:
    """A stream from its start to its end, answered there, too."""
    asked = np.zeros(len(events), np.bool_)
    asked[[taken - 1 for taken in (*answer_steps(len(events), every), len(events))]] = True
    return Stepper(graph).run(events, asked)


def _joined(middle: AnswerCapture, ends: AnswerCapture) -> AnswerCapture:
    """All answers of each stream, the one that ends it behind the others."""
    return AnswerCapture(
        logits=np.concatenate([middle.logits, ends.logits], axis=1),
        classes=np.concatenate([middle.classes, ends.classes], axis=1),
        cycles=np.concatenate([middle.cycles, ends.cycles], axis=1),
    )


def _thresholds(graph: Graph) -> dict[str, _Integers]:
    """Per neuron and layer, what lies between a membrane and the hardware's record of it."""
    return {layer.name: np.repeat(Residual.of(layer).back(), layer.size // layer.channels) for layer in graph.layers}


def _longest(plan: Plan, graph: Graph) -> int:
    """Cycles of as many steps as there may be between two answers, were all neurons to fire."""
    return int(estimate(plan, assumed(graph, density=1.0, firing=1.0)).cycles) + 1


def _of_piece(
    plan: Plan,
    piece: Piece,
    hardware: dict[str, tuple[_Bits, _Integers]],
    thresholds: dict[str, _Integers],
    *,
    stream: int = 0,
    first: int = 0,
) -> Difference | None:
    """The first difference of some steps, by step, then layer and neuron."""
    found: list[tuple[tuple[int, int], Difference]] = []
    for position, engine in enumerate(plan.engines):
        spikes, residuals = hardware[engine.name]
        pairs: list[tuple[str, npt.NDArray[Any], npt.NDArray[Any]]] = [
            ("Membrane", piece.membranes[engine.name], residuals + thresholds[engine.name])
        ]
        if engine.population.fires:
            pairs.insert(0, ("Spike", piece.spikes[engine.name], spikes))
        for what, model, got in pairs:
            wrong = np.argwhere(model != got)
            if len(wrong):
                step, neuron = (int(number) for number in wrong[0])
                difference = Difference(
                    what=what,
                    sample=stream,
                    layer=engine.name,
                    step=first + step,
                    neuron=neuron,
                    expected=int(model[step, neuron]),
                    got=int(got[step, neuron]),
                )
                found.append(((step, position), difference))
    return min(found, key=lambda item: item[0])[1] if found else None


def _of_answers(what: str, expected: _Integers, got: _Integers, *, stream: int = 0) -> Difference | None:
    """The first difference of answers, ``(answer, value)``."""
    wrong = np.argwhere(expected != got)
    if not len(wrong):
        return None
    answer, value = (int(number) for number in wrong[0])
    return Difference(
        what=f"{what} {value} of answer {answer}",
        sample=stream,
        expected=int(expected[answer, value]),
        got=int(got[answer, value]),
    )


def _check(difference: Difference | None, when: str = "") -> None:
    if difference is not None:
        raise VerificationError(f"The hardware differs from the golden model{when}: {difference}.")
