"""A network that hears a stream without an end, step by step: what hardware for streams computes, in Python."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import DataError
from snnc.compiler.ir import Graph
from snnc.compiler.passes.bound import for_streams
from snnc.sim.models.stepper import Piece, Stepper

__all__ = ["Stream", "stream_events"]


class Stream:
    """The state of a network that hears one stream; made by `Network.stream`.

    Attributes
    ----------
    graph
        Populations and projections.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = for_streams(graph)
        self._stepper = Stepper(self.graph)
        self._last: Piece | None = None

    def feed(self, x: npt.ArrayLike) -> None:
        """Go on by a step, or by several.

        Parameters
        ----------
        x
            Events of a step, uint8 of 0 or 1, ``(C, H, W)`` or ``(address,)``; or of several, with the time in front.

        Raises
        ------
        DataError
            `x` is no such array, or not of this network's shape.
        OptionError
            More than ``T_max`` steps would have passed since the last answer of a readout that sums.
        """
        self._last = self._stepper.run(stream_events(self.graph, x))

    @property
    def logits(self) -> npt.NDArray[np.int64]:
        """What an answer would be now, ``(class,)``: what came since the last one, or what a leak left of all."""
        return self._stepper.logits

    def answer(self) -> npt.NDArray[np.int64]:
        """The logits ``(class,)``; a readout that sums starts again, everything else goes on."""
        return self._stepper.answer()

    @property
    def spikes(self) -> Mapping[str, npt.NDArray[np.bool_]]:
        """Of every spiking layer by its name, in the last step, ``(C, H, W)``; empty before the first."""
        names = {layer.name: layer.shape for layer in self.graph.layers[:-1]}
        found = {} if self._last is None else self._last.spikes
        return MappingProxyType({name: found[name][-1].reshape(shape) for name, shape in names.items() if found})

    @property
    def membranes(self) -> Mapping[str, npt.NDArray[np.int64]]:
        """Of every layer by its name, after the last step, ``(C, H, W)``; empty before the first."""
        names = {layer.name: layer.shape for layer in self.graph.layers}
        found = {} if self._last is None else self._last.membranes
        return MappingProxyType({name: found[name][-1].reshape(shape) for name, shape in names.items() if found})

    def __repr__(self) -> str:
        return f"<snnc.Stream of {self.graph.name!r}: {self._stepper.since_answer} steps since the last answer>"


def stream_events(graph: Graph, x: npt.ArrayLike) -> npt.NDArray[Any]:
    """Events of one step or of several as ``(time, address)``, or an error that says what they should be."""
    array, shape, size = np.asarray(x), graph.input.shape, graph.input.size
    one = array.shape in (shape, (size,))
    several = array.ndim > 1 and array.shape[1:] in (shape, (size,))
    if array.dtype not in (np.uint8, np.bool_) or not (one or several):
        raise DataError(
            f"The array is {array.dtype} of the shape {array.shape}, but '{graph.name}' takes uint8 events "
            f"({', '.join(map(str, shape))}) or ({size},) of a step, or of several with the time in front."
        )
    if one or not len(array):
        return array.reshape(int(one), size)
    return array.reshape(len(array), size)
