"""The golden model of streams: ``docs/semantics.md`` section 2 without an end, in pieces of any length.

A piece begins where the one before it ended, so that a stream is the same however it is cut. Of what was, only the
membranes are kept, and the spikes that are still on their way through a delay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import DataError, OptionError, UnsupportedError
from snnc.compiler.ir import Graph, verify
from snnc.sim.models.neurons import Layer
from snnc.sim.models.synapses import WeightedSum
from snnc.sim.models.threads import one_blas_thread

__all__ = ["Piece", "Stepper"]

IntArray: TypeAlias = npt.NDArray[np.int64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Piece:
    """What a network did in a few steps of a stream.

    Attributes
    ----------
    spikes, membranes
        By population, all but the input, ``(time, neuron)``: ``s``, all False for a readout; and ``V``, that of a
        readout which sums before it starts again.
    logits
        Of the answers, in their order, ``(answer, class)``.
    """

    spikes: Mapping[str, BoolArray]
    membranes: Mapping[str, IntArray]
    logits: IntArray


class Stepper:
    """An integer network that hears one stream.

    Parameters
    ----------
    graph
        Of a stream (`Graph.stream`), whose ranges were proven (`snnc.compiler.passes.bound`).
    """

    def __init__(self, graph: Graph) -> None:
        verify(graph)
        if not graph.stream:
            raise UnsupportedError(f"'{graph.name}' takes samples with an end; compile it with --stream.")
        self._graph = graph
        self._sums = [WeightedSum(graph, projection) for projection in graph.projections]
        self._layers = [Layer(population, 0, 1, keep=False) for population in graph.layers]
        late = max(projection.delay for projection in graph.projections)
        self._before = {
            population.name: np.zeros((late, 1, population.size), np.bool_) for population in graph.populations
        }
        self._open = 0

    @property
    def since_answer(self) -> int:
        """Steps since the last answer, of which a readout without a leak is the sum."""
        return self._open

    @property
    def logits(self) -> IntArray:
        """What an answer would be now, ``(class,)``."""
        return self._layers[-1].membrane[0].astype(np.int64)

    def answer(self) -> IntArray:
        """The logits ``(class,)``; a readout that sums starts again, and everything else goes on."""
        found = self.logits
        if self._graph.restarts:
            self._layers[-1].restart()
        self._open = 0
        return found

    def run(self, events: npt.NDArray[Any], answers: npt.NDArray[np.bool_] | None = None) -> Piece:
        """Go on by some steps.

        Parameters
        ----------
        events
            Spikes ``(time, address)``, 0 or 1.
        answers
            After which of these steps there is an answer, ``(time,)``; by default after none.

        Raises
        ------
        DataError
            `events` are not the network's.
        OptionError
            There would be more than ``T_max`` steps without an answer of a readout that sums, for which no widths are
            proven.
        """
        steps = len(events)
        asked = np.zeros(steps, np.bool_) if answers is None else answers
        spikes = self._checked(events)
        self._check_answers(asked)
        history = {
            name: np.concatenate([before, np.zeros((steps, *before.shape[1:]), np.bool_)])
            for name, before in self._before.items()
        }
        late = len(self._before[self._graph.input.name])
        history[self._graph.input.name][late:, 0] = spikes
        kept = {layer.name: np.empty((steps, 1, layer.size), np.int64) for layer in self._layers}
        for layer in self._layers:
            layer.record(history[layer.name][late:], kept[layer.name])
        logits = []
        with one_blas_thread():
            for t in range(steps):
                for layer in self._layers:
                    current = layer.bias[np.newaxis].copy()
                    for weighted in self._sums:
                        projection = weighted.projection
                        if projection.target == layer.name:
                            current += weighted(history[projection.source], late + t - projection.delay)
                    layer.step(t, current)
                self._open += 1
                if asked[t]:
                    logits.append(self.answer())
        self._before = {name: whole[len(whole) - late :].copy() for name, whole in history.items()}
        return Piece(
            spikes={layer.name: history[layer.name][late:, 0] for layer in self._layers},
            membranes={name: values[:, 0] for name, values in kept.items()},
            logits=np.array(logits, dtype=np.int64).reshape(len(logits), self._graph.readout.size),
        )

    def _checked(self, events: npt.NDArray[Any]) -> BoolArray:
        size, name = self._graph.input.size, self._graph.name
        if events.ndim != 2 or events.shape[1] != size or events.dtype.kind not in "biu":
            raise DataError(
                f"The events of a stream are {events.dtype} of the shape {events.shape}; '{name}' takes integers "
                f"of the shape (time, {size})."
            )
        if events.size and not 0 <= int(events.min()) <= int(events.max()) <= 1:
            raise DataError(
                f"The events of a stream reach from {events.min()} to {events.max()}; an address has one in a step, or "
                "none: 1 or 0."
            )
        return events.astype(np.bool_)

    def _check_answers(self, asked: npt.NDArray[np.bool_]) -> None:
        ends = [-self._open, *(np.flatnonzero(asked) + 1).tolist(), len(asked)]
        longest = int(np.diff(ends).max())
        if self._graph.restarts and longest > self._graph.time_steps:
            raise OptionError(
                f"There would be {longest} steps without an answer, but the widths of '{self._graph.name}' are proven "
                f"for {self._graph.time_steps}; ask earlier, or compile with --time-steps {longest}."
            )
