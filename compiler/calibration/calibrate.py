"""Layer by layer: steps, integers, bias, thresholds, fraction bits."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from snnc.compiler.calibration.layers import (
    Emitted,
    alone,
    corrected_bias,
    corrected_thresholds,
    fewest_fraction_bits,
    shifted,
    widest_shift,
)
from snnc.compiler.calibration.settings import CalibrationSettings
from snnc.compiler.calibration.weights import Synapses, chosen_steps, moments, rounded
from snnc.compiler.errors import OptionError
from snnc.compiler.ir import Convolution, Dense, Encoding, Graph, IntegrateAndFire, Level, Pooling, Readout, frozen
from snnc.compiler.passes.normalise import normalised
from snnc.compiler.passes.quantise import quantised
from snnc.sim.models import golden
from snnc.sim.models.floating import FloatNetwork
from snnc.sim.models.threads import one_blas_thread

__all__ = ["Calibrated", "LayerReport", "calibrate"]

FloatArray: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerReport:
    """What became of a layer.

    Attributes
    ----------
    clipped
        Share of its weights that lie at the ends of their range.
    bias
        Mean magnitude of what its biases were corrected by, in thresholds; of the readout in steps. 0 where they were
        not.
    threshold
        The least and the largest factor of its thresholds.
    fraction_bits
        That were chosen.
    differing
        Share of its spikes that differ from the trained network's on the calibration samples; 0 of the readout.
    """

    name: str
    clipped: float
    bias: float
    threshold: tuple[float, float]
    fraction_bits: int
    differing: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibrated:
    """A network whose weights lie on the grid of their integers.

    Attributes
    ----------
    graph
        At `Level.NORMALISED`; `quantise` makes the integers.
    trained
        What it came from, rounded nowhere, with what `calibrate` may change exactly: gains multiplied into weights, and
        what a source adds to all classes alike taken out of the readout.
    layers
        Those that have weights, in the network's order.
    """

    graph: Graph
    trained: Graph
    layers: tuple[LayerReport, ...]


def calibrate(
    graph: Graph,
    inputs: npt.NDArray[Any],
    settings: CalibrationSettings,
    *,
    progress: Callable[[], None] = lambda: None,
) -> Calibrated:
    """Quantise a trained network by what it does on samples.

    Parameters
    ----------
    graph
        Below `Level.INTEGER`.
    inputs
        Calibration samples as the golden model takes them (`snnc.sim.models.golden.run`), some hundreds.
    progress
        Called after every layer that has weights.

    Raises
    ------
    OptionError
        The network is one of integers, or has an early exit, which was chosen on its own logits.
    """
    if graph.level is Level.INTEGER:
        raise OptionError(f"'{graph.name}' is a network of integers already; calibrate the trained one.")
    if graph.exit is not None:
        raise OptionError(f"The early exit of '{graph.name}' was chosen on its own logits; take it away first.")
    with one_blas_thread():
        return _Calibration(_centred(_plain(normalised(graph))), inputs, settings).result(progress)


class _Calibration:
    def __init__(self, trained: Graph, inputs: npt.NDArray[Any], settings: CalibrationSettings) -> None:
        self._trained, self._inputs, self._settings = trained, inputs, settings
        direct = trained.source.encoding is Encoding.DIRECT
        steps = trained.time_steps
        flat = inputs.reshape(len(inputs), -1) if direct else inputs
        self._given = np.broadcast_to(flat, (steps, *flat.shape)) if direct else flat
        run = FloatNetwork(trained).run(flat, time_steps=steps)
        self._reference: Emitted = {trained.input.name: self._given, **run.spikes}

    def result(self, progress: Callable[[], None]) -> Calibrated:
        graph, reports = self._trained, list[LayerReport]()
        for population in self._trained.layers:
            if graph.weighted(population.name):
                graph, report = self._layer(graph, population.name)
                reports.append(report)
                progress()
        return Calibrated(graph=graph, trained=self._trained, layers=tuple(reports))

    def _emitted(self, graph: Graph) -> Emitted:
        """What every population of the integer network emits."""
        trace = golden.run(quantised(graph), self._inputs, time_steps=graph.time_steps, membranes=False)
        return {graph.input.name: self._given} | {name: found.spikes for name, found in trace.populations.items()}

    def _runner(self, name: str, heard: Emitted) -> Callable[[Graph], Emitted]:
        """Runs a network as far as one layer goes, whose sources emit what is `heard`."""

        def run(graph: Graph) -> Emitted:
            own = alone(graph, name)
            if own is None:
                return self._emitted(graph)
            network, source = own
            given = self._inputs if source == graph.input.name else heard[source]
            trace = golden.run(quantised(network), given, time_steps=graph.time_steps, membranes=False)
            return {name: trace.populations[name].spikes}

        return run

    def _layer(self, graph: Graph, name: str) -> tuple[Graph, LayerReport]:
        settings, population = self._settings, graph.population(name)
        firing = isinstance(population.neuron, IntegrateAndFire)
        heard = self._emitted(graph)
        run = self._runner(name, heard)
        graph, clipped = self._with_integers(graph, name, heard)
        bias = 0.0
        if settings.biases:
            graph = corrected_bias(graph, name, trained=self._trained, heard=heard, reference=self._reference)
            unit = population.neuron.threshold if isinstance(population.neuron, IntegrateAndFire) else self._step(graph)
            bias = float(np.mean(np.abs(graph.population(name).bias - population.bias) / unit))
        factors, differing = np.ones(1), 0.0
        if firing:
            graph = shifted(graph, name, widest_shift(graph, name, settings.fraction_bits))
            if settings.thresholds:
                graph, factors = corrected_thresholds(graph, name, run=run, reference=self._reference)
            few = fewest_fraction_bits(graph, name, run=run, tolerance=settings.tolerance)
            graph = shifted(graph, name, few)
            differing = float(np.mean(run(graph)[name] != self._reference[name]))
        elif isinstance(population.neuron, Readout) and population.neuron.leak_shift is not None:
            graph = shifted(graph, name, widest_shift(graph, name, settings.fraction_bits))
        return graph, LayerReport(
            name=name,
            clipped=clipped,
            bias=bias,
            threshold=(float(factors.min()), float(factors.max())),
            fraction_bits=graph.weighted(name)[0].shift,
            differing=differing,
        )

    def _step(self, graph: Graph) -> float:
        """Real value of one step of the readout's sums."""
        projection = graph.weighted(graph.readout.name)[0]
        assert projection.step is not None
        pixels = projection.source == graph.input.name and graph.source.encoding is Encoding.DIRECT
        return float(projection.step[0]) / (2**graph.source.bits - 1 if pixels else 1) / projection.pool**2

    def _with_integers(self, graph: Graph, name: str, heard: Emitted) -> tuple[Graph, float]:
        """Weights on the grid of their integers, and the share that lies at its ends."""
        settings, population = self._settings, graph.population(name)
        into = graph.weighted(name)
        synapses = [
            Synapses(
                rows=item.weight.astype(np.float64).reshape(len(item.weight), -1),
                moments=moments(item, graph.population(item.source).shape, self._seen(graph, item, heard)),
            )
            for item in into
        ]
        per_tensor = isinstance(population.neuron, Readout)
        step = chosen_steps(synapses, population.channels, settings, per_tensor=per_tensor)
        integers = [rounded(item, step, settings) for item in synapses]
        largest = max(1, 2 ** (settings.weight_bits - 1) - 1)
        clipped = sum(np.count_nonzero(np.abs(rows) == largest) for rows in integers) / sum(map(np.size, integers))
        new = {
            id(item): dataclasses.replace(
                item,
                weight=frozen((rows * np.repeat(step, len(rows) // len(step))[:, None]).reshape(item.weight.shape)),
                step=frozen(step),
                bits=settings.weight_bits,
            )
            for item, rows in zip(into, integers, strict=True)
        }
        projections = tuple(new.get(id(item), item) for item in graph.projections)
        return dataclasses.replace(graph, projections=projections), float(clipped)

    def _seen(self, graph: Graph, projection: Dense | Convolution, heard: Emitted) -> Iterator[npt.NDArray[Any]]:
        emitted = heard[projection.source]
        still = projection.source == graph.input.name and graph.source.encoding is Encoding.DIRECT
        yield from emitted[:1] if still else emitted


def _plain(graph: Graph) -> Graph:
    """Gains multiplied into the weights, and no quantiser of an earlier training."""
    projections = []
    for item in graph.projections:
        if not isinstance(item, Pooling):
            weight: FloatArray = item.weight.astype(np.float64)
            if item.gain is not None:
                rows = np.repeat(item.gain.astype(np.float64), len(weight) // len(item.gain))
                weight = weight * rows.reshape(-1, *[1] * (weight.ndim - 1))
            item = dataclasses.replace(item, weight=frozen(weight), gain=None, step=None, bits=None)
        projections.append(item)
    return dataclasses.replace(graph, projections=tuple(projections))


def _centred(graph: Graph) -> Graph:
    """The readout without what its sources add to all classes alike: the same classes, from smaller weights."""
    name = graph.readout.name
    return dataclasses.replace(
        graph,
        projections=tuple(
            dataclasses.replace(item, weight=frozen(item.weight - item.weight.mean(axis=0)))
            if item.target == name and isinstance(item, Dense) and graph.readout.channels == graph.readout.size
            else item
            for item in graph.projections
        ),
    )
