"""How far an integer network does what the network that it was made from does: spikes, classes, and drift over time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from snnc.compiler.ir import Graph
from snnc.sim.models import golden
from snnc.sim.models.floating import FloatTrace
from snnc.sim.models.inputs import Samples, encoded_batches

__all__ = ["Agreement", "LayerAgreement", "Reference", "agreement"]

_Counts: TypeAlias = npt.NDArray[np.int64]

_BATCH = 50


class Reference(Protocol):
    """What is held against: a float network, or the library's own equations."""

    def run(self, inputs: npt.NDArray[Any], *, time_steps: int) -> FloatTrace:
        """Run a batch that is encoded as `snnc.sim.models.golden.run` takes it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerAgreement:
    """Of one firing layer.

    Attributes
    ----------
    compared, differing
        Spikes and silences in all, and those that the two networks have otherwise.
    over_time
        Share that differs in each step.
    rate, reference_rate
        Spikes per neuron and step, of the integers and of the reference.
    """

    name: str
    compared: int
    differing: int
    over_time: tuple[float, ...]
    rate: float
    reference_rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Of a whole network.

    Attributes
    ----------
    classes_over_time
        Share of samples that both give the same class, after each step; the last is that of the answer.
    accuracy, reference_accuracy
        By the samples' labels, after all steps.
    """

    samples: int
    time_steps: int
    layers: tuple[LayerAgreement, ...]
    classes_over_time: tuple[float, ...]
    accuracy: float
    reference_accuracy: float

    @property
    def classes(self) -> float:
        """Share of samples that get the same class after all steps."""
        return self.classes_over_time[-1]


def agreement(
    graph: Graph, reference: Reference, samples: Samples, *, progress: Callable[[int], None] = lambda done: None
) -> Agreement:
    """Run both over all samples.

    Parameters
    ----------
    graph
        At `Level.INTEGER`.
    progress
        Called with the number of samples of every finished batch.
    """
    steps, count = graph.time_steps, len(samples)
    firing = graph.layers[:-1]
    differing: dict[str, _Counts] = {layer.name: np.zeros(steps, np.int64) for layer in firing}
    fired, meant = dict.fromkeys(differing, 0), dict.fromkeys(differing, 0)
    same, right, reference_right = np.zeros(steps, np.int64), 0, 0
    for part, inputs in encoded_batches(graph, samples, time_steps=steps, batch=_BATCH):
        trace, expected = golden.run(graph, inputs, time_steps=steps), reference.run(inputs, time_steps=steps)
        for name in differing:
            own, other = trace.populations[name].spikes, expected.spikes[name]
            differing[name] += np.count_nonzero(own != other, axis=(1, 2))
            fired[name] += int(np.count_nonzero(own))
            meant[name] += int(np.count_nonzero(other))
        classes = trace.populations[graph.readout.name].membranes.argmax(axis=2)
        wanted = expected.logits.argmax(axis=2)
        same += np.count_nonzero(classes == wanted, axis=1)
        right += int(np.count_nonzero(classes[-1] == samples.labels[part]))
        reference_right += int(np.count_nonzero(wanted[-1] == samples.labels[part]))
        progress(inputs.shape[0] if inputs.ndim == 2 else inputs.shape[1])
    layers = []
    for layer in firing:
        one_step = layer.size * count
        counts = differing[layer.name]
        layers.append(
            LayerAgreement(
                name=layer.name,
                compared=one_step * steps,
                differing=int(counts.sum()),
                over_time=tuple((counts / one_step).tolist()),
                rate=fired[layer.name] / (one_step * steps),
                reference_rate=meant[layer.name] / (one_step * steps),
            )
        )
    return Agreement(
        samples=count,
        time_steps=steps,
        layers=tuple(layers),
        classes_over_time=tuple((same / count).tolist()),
        accuracy=right / count,
        reference_accuracy=reference_right / count,
    )
