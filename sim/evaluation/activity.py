"""What a network does on a set of samples, gathered batch by batch so that memory stays bounded.

One run serves every number of time steps up to the last: a readout's membranes after step ``t`` are the logits of a
sample of ``t + 1`` steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from snnc.compiler.ir import Graph, Population
from snnc.compiler.plan import Range
from snnc.compiler.plan.residual import Residual, leaked
from snnc.sim.models import golden
from snnc.sim.models.floating import FloatNetwork
from snnc.sim.models.inputs import Samples, encoded_batches
from snnc.sim.models.spread import Spread
from snnc.sim.models.threads import in_order

__all__ = ["Activity", "ExitActivity", "FloatActivity", "LayerActivity", "measure"]

IntArray: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LayerActivity:
    """What one layer did; a readout has no spikes.

    Attributes
    ----------
    fired
        Spikes of each neuron over all samples and the steps that they take, ``(neuron,)``.
    rate
        Spikes per neuron and time step taken.
    residual
        Range over all steps of what a membrane memory held (`snnc.compiler.design.Bounds`).
    """

    fired: IntArray
    rate: float
    residual: Range


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FloatActivity:
    """What the float network did on the same samples.

    Attributes
    ----------
    accuracy
        After each step, ``(time,)``.
    rates
        Spikes per neuron and time step, of each firing layer in order.
    disagreements
        Share of spikes and silences that the integer network has otherwise, of each firing layer in order.
    own_disagreements
        The same where each layer gets the integer network's spikes: what rounding this one layer changes.
    """

    accuracy: npt.NDArray[np.float64]
    rates: tuple[float, ...]
    disagreements: tuple[float, ...]
    own_disagreements: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitActivity:
    """What an early exit did.

    Attributes
    ----------
    accuracy
        Of the answers that were given.
    agreement
        Share of samples that got the class which they would have got after all steps.
    steps
        That were taken.
    """

    accuracy: float
    agreement: float
    steps: Spread


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Activity:
    """What an integer network did.

    Attributes
    ----------
    samples, time_steps
        How many.
    accuracy
        After each step, ``(time,)``, exits left out.
    confusion
        Samples by label and answer, ``(class, class)``.
    layers
        In the graph's order, the readout last.
    operations
        Synaptic operations of a mean sample, per projection in the graph's order (`snnc.sim.models.golden.Trace`).
    floating
        The float network's; None where there is none.
    exit
        What the early exit did; None where the network has none.
    """

    samples: int
    time_steps: int
    accuracy: npt.NDArray[np.float64]
    confusion: IntArray
    layers: tuple[LayerActivity, ...]
    operations: tuple[float, ...]
    floating: FloatActivity | None
    exit: ExitActivity | None


@dataclass(slots=True, kw_only=True, eq=False)
class _LayerCounts:
    """Of one layer; the last three of a float network beside it."""

    fired: IntArray
    low: int
    high: int
    floating: int = 0
    different: int = 0
    own_different: int = 0

    def add(self, other: _LayerCounts) -> None:
        self.fired += other.fired
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        self.floating += other.floating
        self.different += other.different
        self.own_different += other.own_different


@dataclass(slots=True, kw_only=True, eq=False)
class _Counts:
    """What a batch comes to, and then what several come to."""

    steps: list[IntArray]
    correct: IntArray
    float_correct: IntArray
    confusion: IntArray
    agree: int
    operations: IntArray
    layers: dict[str, _LayerCounts]

    def add(self, other: _Counts) -> None:
        self.steps += other.steps
        self.correct += other.correct
        self.float_correct += other.float_correct
        self.confusion += other.confusion
        self.agree += other.agree
        self.operations += other.operations
        for name, layer in self.layers.items():
            layer.add(other.layers[name])


def measure(
    graph: Graph,
    samples: Samples,
    *,
    time_steps: int,
    floating: Graph | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> Activity:
    """Run the golden model, and the float network beside it, over all samples, on all cores.

    Parameters
    ----------
    floating
        The same network at `Level.NORMALISED`.
    progress
        Called with the number of samples of every finished batch.
    """
    floats = None if floating is None else FloatNetwork(floating)

    def counted(item: tuple[slice, npt.NDArray[Any]]) -> _Counts:
        part, inputs = item
        return _counts(graph, floats, inputs, samples.labels[part], time_steps)

    batch = golden.batch_size(graph, time_steps=time_steps, currents=True)
    total: _Counts | None = None
    for found in in_order(counted, encoded_batches(graph, samples, time_steps=time_steps, batch=batch)):
        done = len(found.steps[0])
        if total is None:
            total = found
        else:
            total.add(found)
        progress(done)
    assert total is not None  # there are always samples

    count = len(samples)
    steps = np.concatenate(total.steps)
    spaces = [layer.size * count * time_steps for layer in graph.layers]
    of_taken = [layer.size * int(steps.sum()) for layer in graph.layers]
    layers = [total.layers[layer.name] for layer in graph.layers]
    return Activity(
        samples=count,
        time_steps=time_steps,
        accuracy=total.correct / count,
        confusion=total.confusion,
        layers=tuple(
            LayerActivity(
                fired=layer.fired, rate=int(layer.fired.sum()) / space, residual=Range(low=layer.low, high=layer.high)
            )
            for layer, space in zip(layers, of_taken, strict=True)
        ),
        operations=tuple(float(operations) / count for operations in total.operations),
        floating=None if floats is None else _floating(total.float_correct / count, layers[:-1], spaces),
        exit=None
        if graph.exit is None
        else ExitActivity(
            accuracy=int(np.trace(total.confusion)) / count, agreement=total.agree / count, steps=Spread.of(steps)
        ),
    )


def _counts(
    graph: Graph, floats: FloatNetwork | None, inputs: npt.NDArray[Any], labels: IntArray, time_steps: int
) -> _Counts:
    """Of one batch."""
    trace = golden.run(graph, inputs, time_steps=time_steps, currents=True)
    classes = graph.readout.size
    logits = trace.populations[graph.readout.name].membranes
    confusion = np.zeros((classes, classes), np.int64)
    np.add.at(confusion, (labels, trace.classes), 1)
    layers: dict[str, _LayerCounts] = {}
    for layer in graph.layers:
        found = trace.populations[layer.name]
        residual = _residual(layer, found)
        fired = _taken(found.spikes, trace.steps).sum(axis=(0, 1))
        layers[layer.name] = _LayerCounts(fired=fired, low=residual.low, high=residual.high)
    float_correct = np.zeros(time_steps, np.int64)
    if floats is not None:
        integer = {name: found.spikes for name, found in trace.populations.items()}
        run = floats.run(inputs, time_steps=time_steps, beside=integer)
        float_correct = _correct(run.logits, labels)
        for name, spikes in run.spikes.items():
            layers[name].floating = int(np.count_nonzero(spikes))
            layers[name].different = int(np.count_nonzero(spikes != integer[name]))
            layers[name].own_different = int(np.count_nonzero(run.fed[name] != integer[name]))
    return _Counts(
        steps=[trace.steps],
        correct=_correct(logits, labels),
        float_correct=float_correct,
        confusion=confusion,
        agree=int(np.count_nonzero(trace.classes == logits[-1].argmax(axis=1))),
        operations=np.array([int(counts.sum()) for counts in trace.synaptic_operations], np.int64),
        layers=layers,
    )


def _floating(
    accuracy: npt.NDArray[np.float64], layers: Sequence[_LayerCounts], spaces: Sequence[int]
) -> FloatActivity:
    """Of the firing layers: `spaces` are their neurons times samples and steps."""
    pairs = list(zip(layers, spaces, strict=False))
    return FloatActivity(
        accuracy=accuracy,
        rates=tuple(layer.floating / space for layer, space in pairs),
        disagreements=tuple(layer.different / space for layer, space in pairs),
        own_disagreements=tuple(layer.own_different / space for layer, space in pairs),
    )


def _taken(spikes: npt.NDArray[np.bool_], steps: IntArray) -> npt.NDArray[np.bool_]:
    """Spikes ``(time, batch, neuron)`` in the steps that each sample takes."""
    if (steps == len(spikes)).all():
        return spikes
    return spikes & (np.arange(len(spikes))[:, np.newaxis] < steps)[..., np.newaxis]


def _correct(logits: npt.NDArray[np.int64] | npt.NDArray[np.float64], labels: IntArray) -> npt.NDArray[np.int64]:
    """Samples with the right class after each step; ``(time, batch, class)`` to ``(time,)``."""
    return np.count_nonzero(logits.argmax(axis=2) == labels, axis=1)


def _residual(layer: Population, found: golden.PopulationTrace) -> Range:
    """Range of what is stored from step to step: ``leak(V) + bias - threshold``, then ``U - threshold``."""
    membranes, currents = found.membranes, found.currents
    assert currents is not None
    kept = Residual.of(layer)
    if kept.threshold is None and kept.leak_shift is None:
        return Range(low=min(0, int(membranes.min())), high=max(0, int(membranes.max())))
    if kept.threshold is None:
        between = leaked(membranes, kept.leak_shift) - 1
        return Range(
            low=min(-1, int(membranes.min()), int(between.min())),
            high=max(-1, int(membranes.max()), int(between.max())),
        )
    repeat = layer.size // layer.channels
    threshold, bias, before = (np.repeat(values, repeat) for values in (kept.threshold, kept.bias, kept.initial))
    ends = [leaked(before, kept.leak_shift) + bias - threshold]
    for membrane, current in zip(membranes, currents, strict=True):
        drive = leaked(before, kept.leak_shift) + current
        for values, offset in ((drive, -threshold), (leaked(membrane, kept.leak_shift), bias - threshold)):
            ends += [values.min(axis=0) + offset, values.max(axis=0) + offset]
        before = membrane
    return Range(low=int(np.min(ends)), high=int(np.max(ends)))
