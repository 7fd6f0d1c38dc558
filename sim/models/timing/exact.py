"""The performance model: ``docs/timing.md`` in NumPy, exact to the cycle.

No cycle is stepped through. Every beat and every spike word is handled once, in the order in which it moves, as times
of whole batches: a stretch of accumulate operations is one addition, and what two stages do to each other is a maximum.
Nothing that happens to a word depends on a later word, so each can be followed through all engines before the next one,
and back-pressure through any depth comes out exact. Where branches meet, words wait (`Walker.recorded`) until those
that are walked before them have come; no sender depends on them (`Plan.fills`).

Cycle 0 is the handshake of a sample's first input beat.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from snnc.compiler.plan import EnginePlan, LayoutPlan, Plan
from snnc.rtl.engines import witness
from snnc.sim.models.stimulus import Stimulus
from snnc.sim.models.timing.links import Link, MapReader, Maps, Outputs, Replay
from snnc.sim.models.timing.timeline import Record
from snnc.sim.models.timing.walking import EngineTiming

__all__ = ["EnginePrediction", "Prediction", "predict"]

IntArray: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EnginePrediction:
    """When an engine works; all per sample, shape ``(batch,)``, in cycles.

    Attributes
    ----------
    name
        Of the engine.
    operations
        Accumulate, inject and sweep operations: the fewest cycles that an engine of one unit can take. As the cycles
        that follow, they are those of all steps: what of them a sample that exits still does is not followed.
    first_issue, first_execute, last_execute
        Of its operations.
    units
        That share them out (`plan.EnginePlan.units`).
    """

    name: str
    operations: IntArray
    units: int = 1
    first_issue: IntArray
    first_execute: IntArray
    last_execute: IntArray

    @property
    def busy(self) -> npt.NDArray[np.float64]:
        """Fraction of cycles with an operation executing, from its first to the end of the sample; of all units."""
        return self.operations / (self.units * (self.last_execute - self.first_execute + 1))

    @property
    def shared(self) -> IntArray:
        """Operations of a unit, if all have as many."""
        return -(-self.operations // self.units)


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
    answers
        Of a stream: by the number of steps taken, the cycle that ends with the last logit of that answer, counted as
        `cycles`, ``(batch,)``.
    """

    cycles: IntArray
    engines: tuple[EnginePrediction, ...]
    answers: Mapping[int, IntArray] = field(default_factory=dict)

    @property
    def bound(self) -> IntArray:
        """Operations of each sample's busiest engine, which no schedule can beat; shape ``(batch,)``."""
        return np.max([engine.shared for engine in self.engines], axis=0)

    @property
    def achieved(self) -> npt.NDArray[np.float64]:
        """`bound` as a fraction of `cycles`."""
        return self.bound / self.cycles

    @property
    def busiest(self) -> EnginePrediction:
        """The engine whose units have the most operations over the batch."""
        return max(self.engines, key=lambda engine: int(engine.shared.sum()))


def predict(
    plan: Plan,
    stimulus: Stimulus,
    spikes: Mapping[str, npt.NDArray[Any]],
    *,
    steps: IntArray | None = None,
    records: Mapping[str, Record] | None = None,
) -> Prediction:
    """The cycles of every sample.

    Parameters
    ----------
    plan
        A network, of whose queues behind each engine at most one can fill.
    stimulus
        The samples' input beats.
    spikes
        Of every spiking engine by name, ``(time, batch, neuron)``, as the golden model gives them.
    steps
        That each sample takes, as the golden model gives them, ``(batch,)``; by default all, in every sample.
    records
        By engine, where the operations of a batch of one sample are noted down, each with its cycle.

    Raises
    ------
    UnsupportedError
        Several can.
    """
    timings: dict[str, EngineTiming] = {
        engine.name: witness(engine.kind, "timing").Timing(engine, stimulus) for engine in plan.engines
    }
    for name, record in (records or {}).items():
        timings[name].record = record
    for source in plan.engines[:-1]:
        counts = _spikes_per_word(source.layout, spikes[source.name])
        if source.kind.into_maps:
            attempts = () if source.kind.reads_maps else plan.attempts(stimulus.time_steps)
            timings[source.name].outputs = _maps(plan, source, counts, spikes[source.name], timings, attempts)
            continue
        links = []
        for listener, k in plan.listeners(source.name):
            depth = listener.projections[k].queue.depth if plan.fills(listener, listener.projections[k]) else None
            links.append(Link(counts, depth, timings[listener.name].walkers[k]))
        timings[source.name].outputs = Outputs(source.name, links)
    for timing in timings.values():
        for walker in timing.walkers:
            source_timing = timings.get(walker.projection.source)
            if source_timing is not None and source_timing.walkers:
                walker.behind = source_timing
    next(timings[engine.name] for engine in plan.engines if engine.main.source == plan.input.name).run()
    predictions = tuple(
        EnginePrediction(
            name=engine.name,
            operations=timings[engine.name].operations,
            first_issue=timings[engine.name].first_issue,
            first_execute=timings[engine.name].first_execute,
            last_execute=timings[engine.name].last_execute,
            units=engine.units,
        )
        for engine in plan.engines
    )
    classes = plan.readout.neurons
    cycles = timings[plan.readout.name].settled - 1 + plan.readout.pipeline + 2 + classes
    # Up to the answer that ends it, a sample is as if it went on.
    for taken, answered in timings[plan.readout.name].answered.items() if steps is not None else ():
        cycles = np.where(steps == taken, answered + 2 + classes, cycles)
    handed = {taken: at + 1 for taken, at in timings[plan.readout.name].answered.items() if taken in stimulus.answers}
    return Prediction(cycles=cycles, engines=predictions, answers=handed)


def _maps(
    plan: Plan,
    source: EnginePlan,
    counts: IntArray,
    spikes: npt.NDArray[Any],
    timings: Mapping[str, EngineTiming],
    attempts: tuple[int, ...],
) -> Maps:
    """The spike maps behind an engine, and what reads them; `attempts` are made of what an image engine writes."""
    readers: list[MapReader] = []
    for listener, k in plan.listeners(source.name):
        timing = timings[listener.name]
        if listener.kind.reads_maps:
            readers.append(_Gathered(timing, k, spikes))
        else:
            timing.walkers[k].records = False
            readers.append(Replay(source.layout, counts, timing.walkers[k]))
    return Maps(source.layout, readers, attempts)


class _Gathered:
    """A spike map that an engine gathers from, of its projection `k`."""

    def __init__(self, timing: Any, k: int, spikes: npt.NDArray[Any]) -> None:
        self._timing = timing
        self._k = k
        self._spikes = spikes

    @property
    def finished(self) -> IntArray:
        """When the engine had read all its maps: they are given back together."""
        read: IntArray = self._timing.read
        return read

    def read(self, rows: Sequence[IntArray], steps: int) -> None:
        """Everything that the engine does, if its other maps are complete."""
        self._timing.hear(self._k, rows, self._spikes[:steps])


def _spikes_per_word(layout: LayoutPlan, spikes: npt.NDArray[Any]) -> IntArray:
    """``(time, batch, neuron)`` to ``(time, word, batch)``: words by row, column and group of channels."""
    time_steps, batch, _ = spikes.shape
    positions = layout.rows * layout.columns
    padded = np.zeros((time_steps, batch, layout.groups * layout.lanes, positions), dtype=np.bool_)
    padded[:, :, : layout.channels] = spikes.reshape(time_steps, batch, layout.channels, positions)
    grouped = padded.reshape(time_steps, batch, layout.groups, layout.lanes, positions)
    counts = np.count_nonzero(grouped, axis=3).transpose(0, 3, 2, 1)  # time, position, group, batch
    return np.ascontiguousarray(counts.reshape(time_steps, layout.words, batch), dtype=np.int64)
