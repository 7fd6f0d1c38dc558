"""What a network does on data, summed up batch by batch into the record that lanes are chosen by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import DataError
from snnc.compiler.ir import ActivityRecord, Encoding, Graph, frozen
from snnc.sim.models import golden
from snnc.sim.models.inputs import Samples, encoded_batches
from snnc.sim.models.threads import in_order
from snnc.sim.models.timing.digits import digit_count

__all__ = ["TYPICAL", "ActivityTally", "measure_activity"]

TYPICAL: Final = 8
"""Samples of which it is noted how much they send in each step."""


class ActivityTally:
    """Sums over the batches so far."""

    def __init__(self, graph: Graph, data: str) -> None:
        """`data` says what is run, for people."""
        self._graph = graph
        self._data = data
        self._samples = 0
        self._events: dict[str, npt.NDArray[np.int64]] = {}
        self._pixels: npt.NDArray[np.int64] | None = None
        self._digits: npt.NDArray[np.int64] | None = None
        self._steps: dict[str, list[npt.NDArray[np.int64]]] = {}
        """Of events: spikes of each step of each sample, ``(time, sample)``, batch by batch."""
        self._ended: Counter[int] = Counter()
        """Samples by the steps that they take."""

    def add(
        self,
        inputs: npt.NDArray[Any],
        spikes: Mapping[str, npt.NDArray[np.bool_]],
        taken: npt.NDArray[np.int64] | None = None,
    ) -> None:
        """Count a batch.

        Parameters
        ----------
        inputs
            As `snnc.sim.models.golden.run` takes them.
        spikes
            Of every population that fires by name, ``(time, batch, neuron)``.
        taken
            Steps of each sample, ``(batch,)``, where a network with an early exit is followed.
        """
        if taken is not None:
            self._ended.update(taken.tolist())
        graph = self._graph
        sent = dict(spikes)
        if graph.source.encoding is Encoding.DIRECT:
            images = inputs.reshape(len(inputs), *graph.input.shape)
            self._samples += len(images)
            pixels, digits = (counts.sum(axis=(0, 1)) for counts in (images != 0, digit_count(images)))
            self._pixels = pixels if self._pixels is None else self._pixels + pixels
            self._digits = digits if self._digits is None else self._digits + digits
        else:
            self._samples += inputs.shape[1]
            sent[graph.input.name] = inputs != 0
        for name, fired in sent.items():
            channels, rows, columns = graph.population(name).shape
            # Over the batch, which is the long axis, then over the channels.
            counts = np.count_nonzero(fired, axis=1).reshape(-1, channels, rows, columns).sum(axis=1)
            self._events[name] = self._events[name] + counts if name in self._events else counts
            if graph.source.encoding is not Encoding.DIRECT:
                self._steps.setdefault(name, []).append(np.count_nonzero(fired.reshape(*fired.shape[:2], -1), axis=2))

    def record(self) -> ActivityRecord:
        """The mean of what was counted.

        Raises
        ------
        DataError
            There was no sample.
        """
        if not self._samples:
            raise DataError(f"There is no sample of {self._data} to measure activity on.")
        pixels, digits = (
            None if counts is None else frozen(counts / self._samples) for counts in (self._pixels, self._digits)
        )
        return ActivityRecord(
            data=self._data,
            samples=self._samples,
            events={name: frozen(counts / self._samples) for name, counts in self._events.items()},
            pixels=pixels,
            digits=digits,
            typical=self._typical(),
            exits=self._exits(),
        )

    def _exits(self) -> dict[int, float]:
        if self._graph.exit is None or not self._ended:
            return {}
        return {steps: self._ended[steps] / self._samples for steps in self._graph.exit.steps}

    def _typical(self) -> dict[str, npt.NDArray[np.float64]]:
        """`TYPICAL` samples, the middle ones of as many equal parts of all, by how much they send altogether.

        Empty of images, whose pixels all come at once.
        """
        steps = {name: np.concatenate(batches, axis=1) for name, batches in self._steps.items()}
        if not steps:
            return {}
        order = np.argsort(sum(counts.sum(axis=0) for counts in steps.values()), kind="stable")
        count = min(TYPICAL, self._samples)
        chosen = order[(np.arange(count) * 2 + 1) * self._samples // (2 * count)]
        return {name: frozen(counts[:, chosen].T.astype(np.float64)) for name, counts in steps.items()}


def measure_activity(
    graph: Graph, samples: Samples, data: str, *, progress: Callable[[int], None] = lambda done: None
) -> ActivityRecord:
    """Run an integer network on samples, for all of its steps.

    Parameters
    ----------
    data
        What they are, for people.
    progress
        Called with the number of samples of every finished batch.
    """
    tally, steps = ActivityTally(graph, data), graph.time_steps
    firing = [layer.name for layer in graph.layers[:-1]]
    batch = golden.batch_size(graph, time_steps=steps, membranes=False)

    def ran(item: tuple[slice, npt.NDArray[Any]]) -> tuple[npt.NDArray[Any], golden.Trace]:
        _, inputs = item
        return inputs, golden.run(graph, inputs, time_steps=steps, membranes=False)

    for inputs, trace in in_order(ran, encoded_batches(graph, samples, time_steps=steps, batch=batch)):
        tally.add(inputs, {name: trace.populations[name].spikes for name in firing}, trace.steps)
        progress(len(trace.classes))
    return tally.record()
