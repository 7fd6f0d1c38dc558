"""The performance model: ``docs/timing.md`` in NumPy, exact to the cycle for chains of engines.

No cycle is stepped through. Every beat and every spike word is handled once, in the order in which it moves, as times
of whole batches: a stretch of accumulate operations is one addition, and what two stages do to each other is a maximum.
Nothing that happens to a word depends on a later word, so each can be followed through all engines before the next one,
and back-pressure through any depth comes out exact.

Cycle 0 is the handshake of a sample's first input beat.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import UnsupportedError
from snnc.compiler.plan import EnginePlan, Plan
from snnc.sim.stimulus import Marker, Stimulus

__all__ = ["EnginePrediction", "Prediction", "digit_count", "predict"]

IntArray: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EnginePrediction:
    """When an engine works; all per sample, shape ``(batch,)``, in cycles.

    Attributes
    ----------
    name
        Of the engine.
    operations
        Accumulate, inject and sweep operations: the fewest cycles that the engine can take.
    first_issue, first_execute, last_execute
        Of its operations.
    """

    name: str
    operations: IntArray
    first_issue: IntArray
    first_execute: IntArray
    last_execute: IntArray

    @property
    def busy(self) -> npt.NDArray[np.float64]:
        """Fraction of cycles with an operation executing, from its first to the end of the sample."""
        return self.operations / (self.last_execute - self.first_execute + 1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prediction:
    """When a batch is done.

    Attributes
    ----------
    cycles
        Of each sample, from the handshake of its first input beat to that of its last output beat, both included;
        shape ``(batch,)``.
    engines
        In the plan's order.
    """

    cycles: IntArray
    engines: tuple[EnginePrediction, ...]

    @property
    def bound(self) -> IntArray:
        """Operations of each sample's busiest engine, which no schedule can beat; shape ``(batch,)``."""
        return np.max([engine.operations for engine in self.engines], axis=0)

    @property
    def achieved(self) -> npt.NDArray[np.float64]:
        """`bound` as a fraction of `cycles`."""
        return self.bound / self.cycles

    @property
    def busiest(self) -> EnginePrediction:
        """The engine with the most operations over the batch."""
        return max(self.engines, key=lambda engine: int(engine.operations.sum()))


def predict(plan: Plan, stimulus: Stimulus, spikes: Mapping[str, npt.NDArray[Any]]) -> Prediction:
    """The cycles of every sample.

    Parameters
    ----------
    plan
        A chain: every engine has one projection, from the engine before it.
    stimulus
        The samples' input beats.
    spikes
        Of every spiking engine by name, ``(time, batch, neuron)``, as the golden model gives them.

    Raises
    ------
    UnsupportedError
        The plan is no chain.
    """
    _check_chain(plan)
    batch, time_steps = len(stimulus), stimulus.time_steps
    counts = [_spikes_per_word(engine, spikes[engine.name]) for engine in plan.engines[:-1]]
    walkers = [_Walker(plan.readout, batch)]
    for engine, after, emitted in zip(plan.engines[-2::-1], plan.engines[:0:-1], counts[::-1], strict=True):
        link = _Link(emitted, after.projections[0].queue.depth, walkers[0])
        walkers.insert(0, _Walker(engine, batch, link))

    source = _source_steps(plan, stimulus)
    first = walkers[0]
    first.free = source.first_offer
    for t in range(time_steps):
        first.free = first.free + source.cycles[t]
        first.sweep(t)

    events = [source.events] + [emitted.sum(axis=(0, 1)) for emitted in counts]
    first.first_issue = source.first_issue
    engines = []
    for engine, walker, arriving in zip(plan.engines, walkers, events, strict=True):
        engines.append(
            EnginePrediction(
                name=engine.name,
                operations=engine.words * (arriving + time_steps * (2 if _digits(engine) else 1)),
                first_issue=walker.first_issue,
                first_execute=walker.first_issue + engine.pipeline,
                last_execute=walker.free - 1 + engine.pipeline,
            )
        )
    last_output = engines[-1].last_execute + 2 + plan.readout.neurons - 1
    return Prediction(cycles=last_output + 1, engines=tuple(engines))


class _Walker:
    """An engine's walker: in which cycles it issues, for all samples at once."""

    def __init__(self, engine: EnginePlan, batch: int, link: _Link | None = None) -> None:
        self.words = engine.words
        self.pipeline = engine.pipeline
        self.link = link
        self.free = np.zeros(batch, dtype=np.int64)
        """First cycle in which the next operation can issue."""
        self.first_issue = np.full(batch, -1, dtype=np.int64)

    def accept(self, t: int, entered: IntArray, events: IntArray, present: npt.NDArray[np.bool_] | None) -> IntArray:
        """Serialise and walk a spike word that entered the queue at `entered`; the cycle in which it left the queue.

        `events` are its set bits. `present` says which samples have the word at all; None: it ends step `t`, in all.
        """
        # The serialiser takes a word while the last beat of the word before it leaves, at the earliest.
        taken = np.maximum(entered + 1, self.free - 1)
        begins = taken + 1
        ends = begins + self.words * events
        if present is None:
            self.first_issue = np.where(self.first_issue < 0, begins, self.first_issue)
            self.free = ends
            self.sweep(t)
        else:
            self.first_issue = np.where(present & (self.first_issue < 0), begins, self.first_issue)
            self.free = np.where(present, ends, self.free)
        return taken

    def sweep(self, t: int) -> None:
        """The sweep operations of step `t`."""
        if self.link is None:
            self.free = self.free + self.words
            return
        for word in range(self.words):
            issue = np.maximum(self.free, self.link.granted())
            self.free = issue + 1
            self.link.emit(t, word, issue + self.pipeline)


class _Link:
    """The queue between two engines, and the rule that keeps it from overflowing.

    A sweep counts against the depth from its issue until it has executed without entering, or until its word was taken
    from the queue. That makes each of the `depth` entries a credit with the cycle in which it is free again; a sweep
    takes the one that is free first.
    """

    def __init__(self, counts: IntArray, depth: int, consumer: _Walker) -> None:
        self.counts = counts
        self.consumer = consumer
        self.credits = np.zeros((depth, counts.shape[-1]), dtype=np.int64)

    def granted(self) -> IntArray:
        """First cycle in which another sweep may issue."""
        return self.credits.min(axis=0)

    def emit(self, t: int, word: int, executed: IntArray) -> None:
        """Word `word` of step `t` comes out of the sweep; its credit is the one that was granted."""
        events = self.counts[t, word]
        if word == len(self.counts[t]) - 1:
            released = self.consumer.accept(t, executed, events, None)
        else:
            present = events > 0
            released = np.where(present, self.consumer.accept(t, executed, events, present), executed)
        credit = self.credits.argmin(axis=0)
        np.put_along_axis(self.credits, credit[np.newaxis], released[np.newaxis] + 1, axis=0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _SourceSteps:
    """The first engine's input: it is never kept waiting, so its beats come down to sums per step.

    Attributes
    ----------
    first_offer
        Cycle in which the first beat is offered to the walker, shape ``(batch,)``.
    first_issue
        Cycle of the first operation, shape ``(batch,)``.
    events
        Events (digits, after a direct source) of each sample, shape ``(batch,)``.
    cycles
        Of the walker from the start of each step to its first sweep operation, shape ``(time, batch)``.
    """

    first_offer: IntArray
    first_issue: IntArray
    events: IntArray
    cycles: IntArray


def _source_steps(plan: Plan, stimulus: Stimulus) -> _SourceSteps:
    engine = plan.engines[0]
    direct = _digits(engine)
    marker = stimulus.marker != Marker.NONE
    events = np.where(stimulus.event, digit_count(stimulus.value) if direct else 1, 0)
    issuing = marker | (events > 0)
    # A queue of one entry takes the next beat only after the cycle that empties it: every beat comes a cycle late.
    late = 0 if direct or engine.projections[0].queue.depth > 1 else 1
    cycles = np.where(issuing, engine.words * (events + marker if direct else events), 1) + late

    steps = np.flatnonzero(marker)
    _check_markers(stimulus, steps)
    begins = np.concatenate([np.zeros(1, dtype=np.int64), steps + 1])[:-1]
    first_beats = np.flatnonzero(issuing)[np.searchsorted(np.flatnonzero(issuing), stimulus.offsets[:-1])]
    return _SourceSteps(
        first_offer=np.full(len(stimulus), 1 - late, dtype=np.int64),
        first_issue=1 + (first_beats - stimulus.offsets[:-1]) * (1 + late),
        events=np.add.reduceat(events, stimulus.offsets[:-1]),
        cycles=np.add.reduceat(cycles, begins).reshape(len(stimulus), stimulus.time_steps).T,
    )


def digit_count(values: npt.NDArray[Any]) -> IntArray:
    """Digits that are not 0 in the non-adjacent form of each value.

    Prodinger, "On binary representations of integers with digits -1, 0, 1" (2000): they stand where ``x`` and ``3x``
    differ.
    """
    wide = values.astype(np.int64)
    return np.bitwise_count(wide ^ (3 * wide)).astype(np.int64)


def _digits(engine: EnginePlan) -> bool:
    return engine.projections[0].digits is not None


def _spikes_per_word(engine: EnginePlan, spikes: npt.NDArray[Any]) -> IntArray:
    """``(time, batch, neuron)`` to ``(time, word, batch)``."""
    time_steps, batch, neurons = spikes.shape
    padded = np.zeros((time_steps, batch, engine.words * engine.lanes), dtype=np.bool_)
    padded[..., :neurons] = spikes
    counts = np.count_nonzero(padded.reshape(time_steps, batch, engine.words, engine.lanes), axis=-1)
    return np.ascontiguousarray(counts.transpose(0, 2, 1), dtype=np.int64)


def _check_chain(plan: Plan) -> None:
    sources = [plan.input.name, *(engine.name for engine in plan.engines)]
    for engine, source in zip(plan.engines, sources, strict=False):
        if [projection.source for projection in engine.projections] != [source]:
            raise UnsupportedError(
                f"The performance model covers chains; '{engine.name}' of '{plan.name}' does not read '{source}' alone."
            )


def _check_markers(stimulus: Stimulus, steps: IntArray) -> None:
    """Every sample has its number of steps, and ends with the marker that says so."""
    ends = np.flatnonzero(stimulus.marker == Marker.SAMPLE)
    if len(steps) != len(stimulus) * stimulus.time_steps or not np.array_equal(ends + 1, stimulus.offsets[1:]):
        raise ValueError(f"every sample must have {stimulus.time_steps} end-of-step markers, the last one its end")
