"""The neurons of the golden model: ``docs/semantics.md`` section 2 for the populations of a batch, step by step."""

from __future__ import annotations

from typing import Any, TypeAlias, assert_never

import numpy as np
import numpy.typing as npt

from snnc.compiler.ir import Array, Initial, InputSource, IntegrateAndFire, Population, Readout, Reset

__all__ = ["Layer"]

IntArray: TypeAlias = npt.NDArray[np.int64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
AnyArray: TypeAlias = npt.NDArray[Any]


class Layer:
    """A population with a membrane: its parameters per neuron, its state and its record.

    It computes in integers of `kind`, in which nothing that it meets may overflow; the record is of 64 bits.
    """

    def __init__(
        self,
        population: Population,
        time_steps: int,
        batch: int,
        kind: type[np.signedinteger[Any]] = np.int64,
        *,
        keep: bool,
        stuck: npt.NDArray[np.int8] | None = None,
    ) -> None:
        neuron = population.neuron
        assert not isinstance(neuron, InputSource)
        self.name, self.size, self.neuron = population.name, population.size, neuron
        self._repeat, self.kind = population.size // population.channels, kind
        self.bias = self._per_neuron(population.bias)
        self.membranes: IntArray = np.empty((time_steps if keep else 0, batch, self.size), dtype=np.int64)
        self.spikes: BoolArray = np.zeros((time_steps, batch, self.size), dtype=np.bool_)
        self._stuck = stuck
        start = np.zeros(self.size, dtype=kind)
        if isinstance(neuron, IntegrateAndFire):
            self._threshold = self._per_neuron(neuron.threshold)
            taken = neuron.subtracted
            self._subtracted = self._threshold if taken is None else self._per_neuron(taken)
            self._floor = None if neuron.floor is None else self._per_neuron(neuron.floor)
            match neuron.initial:
                case Initial.ZERO:
                    pass
                case Initial.HALF:
                    start = self._threshold >> 1
                case _ as unreachable:
                    assert_never(unreachable)
        self._start = start
        self.membrane: AnyArray = np.empty((batch, self.size), kind)
        self._subtrahend = np.empty_like(self.membrane)
        self.restart()

    def record(self, spikes: BoolArray, membranes: IntArray) -> None:
        """Keep the further steps, from number 0 on, in these ``(time, batch, neuron)``."""
        self.spikes, self.membranes = spikes, membranes

    def restart(self) -> None:
        """Go on from what a sample begins with."""
        self.membrane[...] = self._start

    def _per_neuron(self, channels: Array) -> AnyArray:
        return np.repeat(channels.astype(self.kind), self._repeat)

    def step(self, t: int, current: AnyArray) -> None:
        """One time step for the batch; `current` is ``(batch, neuron)``, and stays as it is."""
        membrane, less = self.membrane, self._subtrahend
        if self.neuron.leak_shift is not None:
            # No membrane reaches the last two bits, so that a longer shift gives the same 0 or -1; C leaves shifts by a
            # number's width and more open.
            membrane -= np.right_shift(membrane, min(self.neuron.leak_shift, 8 * membrane.itemsize - 2), out=less)
        membrane += current
        match self.neuron:
            case IntegrateAndFire(reset=reset):
                spikes = np.greater_equal(membrane, self._threshold, out=self.spikes[t])
                match reset:
                    case Reset.SOFT:
                        membrane -= np.multiply(self._subtracted, spikes, out=less)
                    case Reset.HARD:
                        membrane *= ~spikes
                    case _ as unreachable_reset:
                        assert_never(unreachable_reset)
                if self._floor is not None:
                    np.maximum(membrane, self._floor, out=membrane)
                if self._stuck is not None:
                    np.copyto(spikes, self._stuck == 1, where=self._stuck >= 0)
            case Readout():
                pass
            case _ as unreachable:
                assert_never(unreachable)
        if len(self.membranes):
            self.membranes[t] = membrane
