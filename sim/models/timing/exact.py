"""The performance model: ``docs/timing.md`` in NumPy, exact to the cycle.

No cycle is stepped through. Every beat and every spike word is handled once, in the order in which it moves, as times
of whole batches: a stretch of accumulate operations is one addition, and what two stages do to each other is a maximum.
Nothing that happens to a word depends on a later word, so each can be followed through all engines before the next one,
and back-pressure through any depth comes out exact. Where branches meet, words wait (`Walker.recorded`) until those
that are walked before them have come; no sender depends on them (`Plan.fills`).

Cycle 0 is the handshake of a sample's first input beat.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import UnsupportedError
from snnc.compiler.plan import EngineKind, EnginePlan, LayoutPlan, Plan
from snnc.rtl.walkers import witness
from snnc.sim.models.stimulus import Stimulus
from snnc.sim.models.timing.gathering import Gathering
from snnc.sim.models.timing.walking import Walker, Word

__all__ = ["EnginePrediction", "Prediction", "predict"]

IntArray: TypeAlias = npt.NDArray[np.int64]

_LONG_AGO: Final = -(1 << 40)


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
        A network, of whose queues behind each engine at most one can fill.
    stimulus
        The samples' input beats.
    spikes
        Of every spiking engine by name, ``(time, batch, neuron)``, as the golden model gives them.

    Raises
    ------
    UnsupportedError
        Several can.
    """
    batch = len(stimulus)
    engines = {engine.name: _Engine(engine, batch) for engine in plan.engines if engine.kind is not EngineKind.IMAGE}
    outputs: dict[str, _Outputs] = {}
    for source in plan.engines[:-1]:
        counts = _spikes_per_word(source.layout, spikes[source.name])
        links = []
        for listener, k in plan.listeners(source.name):
            depth = listener.projections[k].queue.depth if plan.fills(listener, listener.projections[k]) else None
            links.append(_Link(counts, depth, engines[listener.name].walkers[k]))
        outputs[source.name] = _Outputs(source.name, links)
        if source.name in engines:
            engines[source.name].outputs = outputs[source.name]
    for engine in engines.values():
        for walker in engine.walkers:
            walker.behind = engines.get(walker.projection.source)

    first = next(engine for engine in plan.engines if engine.main.source == plan.input.name)
    timings: dict[str, _Engine | Gathering] = dict(engines)
    if first.kind is EngineKind.IMAGE:
        timings[first.name] = gathering = Gathering(first, stimulus)
        gathering.run(outputs[first.name])
    else:
        engines[first.name].run(stimulus)
    predictions = tuple(
        EnginePrediction(
            name=engine.name,
            operations=timings[engine.name].operations,
            first_issue=timings[engine.name].first_issue,
            first_execute=timings[engine.name].first_execute,
            last_execute=timings[engine.name].last_execute,
        )
        for engine in plan.engines
    )
    last_output = predictions[-1].last_execute + 2 + plan.readout.neurons - 1
    return Prediction(cycles=last_output + 1, engines=predictions)


class _Engine:
    """In which cycles an engine issues, for all samples at once. Words go by their number.

    Its walkers say when their events are walked. Steps follow each other: the side projections' events, which were
    recorded as they came, then the main one's.
    """

    def __init__(self, plan: EnginePlan, batch: int) -> None:
        self.plan = plan
        self.walkers: list[Walker] = [
            witness(projection.walk, "timing").Walker(self, projection, batch) for projection in plan.projections
        ]
        self.outputs: _Outputs | None = None
        self.begun = self.done = -1
        """The last step whose side projections have been walked, and the last one that has ended."""
        self.free = np.zeros(batch, dtype=np.int64)
        """First cycle in which the next operation can issue."""
        self.stepped = self.free
        """`free` at the beginning of the step."""
        self.first_issue = np.full(batch, -1, dtype=np.int64)
        self.operations = np.zeros(batch, dtype=np.int64)
        self.last_word = np.full(batch, -1, dtype=np.int64)
        """Of the operation issued last, where that may make the next one wait."""
        self.last_issue = np.full(batch, _LONG_AGO, dtype=np.int64)
        self.last_swept = np.zeros(batch, dtype=np.bool_)
        """Whether it was a sweep's."""
        self.last_single = np.zeros(batch, dtype=np.bool_)
        """Whether it was a convolution's with a single row for each position."""

    @property
    def main(self) -> Walker:
        return self.walkers[-1]

    @property
    def first_execute(self) -> IntArray:
        return self.first_issue + self.plan.pipeline

    @property
    def last_execute(self) -> IntArray:
        return self.free - 1 + self.plan.pipeline

    def run(self, stimulus: Stimulus) -> None:
        """Follow all samples through this engine, which hears the network's input, and through all behind it."""
        source = self.main.source(stimulus)
        offered = source.first_offer
        for t in range(stimulus.time_steps):
            self.begin(t)
            # While others have their turn, only what does nothing passes.
            begins = np.maximum(offered + source.leading[t], self.free)
            if self.plan.forwards:
                begins = begins + np.where(source.walks[t], self.waits(0, begins), 0)
            self.free = begins + source.cycles[t] - source.leading[t]
            self.last_word = source.last_word[t]
            self.last_issue = np.where(source.walks[t], self.free - 1 - source.trailing[t], self.last_issue)
            self.last_swept = self.last_swept & ~source.walks[t]
            self.last_single = np.full(len(stimulus), self.main.single)
            if t == 0:
                self.first_issue = np.where(self.first_issue < 0, source.first_issue, self.first_issue)
            self.sweep(t)
            offered = self.free
        self.operations = self.operations + source.operations

    def begin(self, t: int) -> None:
        """Walk what the side projections bring to step `t`."""
        if self.begun >= t:
            return
        self.begun, self.stepped = t, self.free
        for walker in self.walkers[:-1]:
            walker.take_turn(t)

    def advance(self, t: int) -> None:
        """Come to the end of step `t`: of an engine whose main projection was recorded, too."""
        while self.done < t:
            step = self.done + 1
            if self.main.records:
                self.begin(step)
                self.main.walk_recorded(step)
            else:
                assert self.main.behind is not None
                self.main.behind.advance(t)

    def walked(self, operations: IntArray, first: IntArray, worked: npt.NDArray[np.bool_]) -> None:
        """Count events' operations; the first of them is issued at `first` in the samples that have any."""
        self.operations = self.operations + np.where(worked, operations, 0)
        self.first_issue = np.where(worked & (self.first_issue < 0), first, self.first_issue)

    def went_through(self, here: npt.NDArray[np.bool_]) -> None:
        """The operations up to `free` have gone through all words in turn, in these samples."""
        self.last_issue = np.where(here, self.free - 1, self.last_issue)
        self.last_word = np.where(here, self.plan.words - 1, self.last_word)
        self.last_single = self.last_single & ~here
        self.last_swept = self.last_swept & ~here

    def waits(self, word: int, issue: IntArray, *, single: bool = False, sweeps: bool = False) -> Any:
        """Cycles for which an operation on `word` must wait that could be issued at `issue`."""
        if self.plan.forwards:
            return np.where(self.last_swept != sweeps, np.maximum(0, self.last_issue + 3 - issue), 0)
        if not self.plan.waits:
            return 0
        groups = self.plan.layout.groups
        near = (self.last_issue == issue - 1) & (self.last_word >= 0) & (self.last_word // groups == word // groups)
        return near if single else near & self.last_single

    def sweep(self, t: int) -> None:
        """The sweep of step `t`, whose first pass gives the spikes."""
        words, passes = self.plan.words, len(self.plan.passes)
        self.operations = self.operations + words * passes
        self.free = self.free + self.waits(0, self.free, sweeps=True)
        issue = self.free
        for word in range(words) if self.outputs is not None else ():
            assert self.outputs is not None
            issue = np.maximum(self.free, self.outputs.granted())
            if word == 0:
                self.first_issue = np.where(self.first_issue < 0, issue, self.first_issue)
            self.free = issue + 1
            self.outputs.emit(t, word, issue + self.plan.pipeline + self.plan.emission)
        if self.outputs is None:
            self.first_issue = np.where(self.first_issue < 0, issue, self.first_issue)
            self.free = self.free + words
        self.free = self.free + (passes - 1) * words
        self.went_through(np.ones_like(self.free, dtype=np.bool_))
        self.last_swept = np.ones_like(self.free, dtype=np.bool_)
        self.main.ended(self.free - 1)
        self.done = t
        if self.outputs is not None:
            self.outputs.finish(t)


class _Link:
    """A queue between two engines, and the rule that keeps it from overflowing.

    A sweep counts against the depth from its issue until it has executed without entering, or until its word was taken
    from the queue. That makes each of the `depth` entries a credit with the cycle in which it is free again; a sweep
    takes the one that is free first. Without a depth, there always is one.
    """

    def __init__(self, counts: IntArray, depth: int | None, consumer: Walker) -> None:
        self.counts = counts
        self.consumer = consumer
        self.credits = None if depth is None else np.zeros((depth, counts.shape[-1]), dtype=np.int64)
        consumer.records = depth is None

    def granted(self) -> Any:
        """First cycle in which another sweep may issue."""
        return 0 if self.credits is None else self.credits.min(axis=0)

    def emit(self, t: int, word: int, executed: IntArray) -> None:
        """Word `word` of step `t` comes out of the sweep; its credit is the one that was granted."""
        events = self.counts[t, word]
        present = events > 0 if word < len(self.counts[t]) - 1 else None
        sent = Word(step=t, number=word, entered=executed, events=events, present=present)
        if self.credits is None:
            self.consumer.recorded.setdefault(t, []).append(sent)
            return
        released = self.consumer.accept(sent)
        if present is not None:
            released = np.where(present, released, executed)
        credit = self.credits.argmin(axis=0)
        np.put_along_axis(self.credits, credit[np.newaxis], released[np.newaxis] + 1, axis=0)


class _Outputs:
    """All that listens to one engine. What its words are recorded for comes first, and what it waits for at the end."""

    def __init__(self, name: str, links: list[_Link]) -> None:
        self._links = sorted(links, key=lambda link: link.credits is not None)
        if sum(link.credits is not None for link in links) > 1:
            raise UnsupportedError(
                f"The performance model follows one queue that fills behind each engine; '{name}' has several."
            )

    def granted(self) -> Any:
        """First cycle in which another sweep may issue."""
        return self._links[-1].granted() if self._links else 0

    def emit(self, t: int, word: int, executed: IntArray) -> None:
        """Word `word` of step `t` comes out of the sweep."""
        for link in self._links:
            link.emit(t, word, executed)

    def finish(self, t: int) -> None:
        """All words of step `t` are out."""
        for link in self._links:
            walker = link.consumer
            if link.credits is None and walker is walker.engine.main:
                walker.engine.advance(t)


def _spikes_per_word(layout: LayoutPlan, spikes: npt.NDArray[Any]) -> IntArray:
    """``(time, batch, neuron)`` to ``(time, word, batch)``: words by row, column and group of channels."""
    time_steps, batch, _ = spikes.shape
    positions = layout.rows * layout.columns
    padded = np.zeros((time_steps, batch, layout.groups * layout.lanes, positions), dtype=np.bool_)
    padded[:, :, : layout.channels] = spikes.reshape(time_steps, batch, layout.channels, positions)
    grouped = padded.reshape(time_steps, batch, layout.groups, layout.lanes, positions)
    counts = np.count_nonzero(grouped, axis=3).transpose(0, 3, 2, 1)  # time, position, group, batch
    return np.ascontiguousarray(counts.reshape(time_steps, layout.words, batch), dtype=np.int64)
