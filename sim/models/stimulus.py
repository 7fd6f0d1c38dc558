"""What goes into the core's input port: ``docs/timing.md``, "Beats".

The beats of thousands of samples lie one after the other in flat arrays, in the order in which the port takes them.
Only real events become beats: pixels that are not 0, spikes. A marker rides on the last event of its step; a step
without an event is one beat that carries nothing but its marker.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, TypeAlias, assert_never

import numpy as np
import numpy.typing as npt

from snnc.compiler.ir import Encoding
from snnc.compiler.plan import InputPlan, LayoutPlan

__all__ = ["Marker", "Stimulus", "asking", "from_images", "from_spikes", "stimulus"]

IntArray: TypeAlias = npt.NDArray[np.int64]


class Marker(IntEnum):
    """What ends with a beat."""

    NONE = 0
    STEP = 1
    SAMPLE = 2
    """The sample's last step."""
    ANSWER = 3
    """A step of a stream after which the logits are handed out."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stimulus:
    """Input beats of many samples.

    Attributes
    ----------
    address
        Source neuron; 0 in a beat without an event. Shape ``(beat,)``, as the next three. Of a beat with the pixels of
        several channels, the neuron of the lowest one.
    value
        Of the pixel; 1 for a spike, 0 in a beat without an event. Of several pixels, all of them side by side as the
        port takes them (`InputPlan.beat_value_bits`).
    event
        Whether the beat carries an event.
    marker
        See `Marker`.
    offsets
        Sample ``i`` is the beats ``offsets[i]`` up to ``offsets[i + 1]``; shape ``(batch + 1,)``.
    time_steps
        Of every sample.
    answers
        Numbers of steps after which the logits of a stream are handed out in its middle, in every sample.
    """

    address: IntArray
    value: IntArray
    event: npt.NDArray[np.bool_]
    marker: npt.NDArray[np.uint8]
    offsets: IntArray
    time_steps: int
    answers: frozenset[int] = frozenset()

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.offsets) - 1

    @property
    def beats(self) -> int:
        return len(self.address)

    def sample(self, index: int) -> slice:
        """The beats of sample `index`."""
        return slice(int(self.offsets[index]), int(self.offsets[index + 1]))


def stimulus(port: InputPlan, inputs: npt.NDArray[Any], *, time_steps: int) -> Stimulus:
    """The beats for `inputs` in the shape that the golden model takes them."""
    match port.encoding:
        case Encoding.DIRECT:
            return from_images(_words(port.layout, port.value_bits, inputs), time_steps=time_steps)
        case Encoding.RATE | Encoding.EVENTS:
            if len(inputs) != time_steps:
                raise ValueError(f"time_steps must be the spikes' first dimension, {len(inputs)}, not {time_steps}")
            return from_spikes(inputs)
        case _ as unreachable:
            assert_never(unreachable)


def _words(layout: LayoutPlan, value_bits: int, images: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The images; where words have several lanes, each word's pixels side by side at its lowest channel, alone."""
    if layout.lanes == 1:
        return images
    shape = (len(images), layout.groups, layout.lanes, layout.rows * layout.columns)
    pixels = images.reshape(shape).astype(np.int64)
    found = np.zeros_like(pixels)
    found[:, :, 0] = (pixels << value_bits * np.arange(layout.lanes)[:, None]).sum(axis=2)
    return found


def from_images(images: npt.NDArray[Any], *, time_steps: int) -> Stimulus:
    """Beats of direct-encoded images ``(batch, ...)``: the pixels that are not 0 in the first step, then markers."""
    flat = images.reshape(len(images), math.prod(images.shape[1:]))
    sample, address = np.nonzero(flat)
    counts = np.zeros((len(flat), time_steps), dtype=np.int64)
    counts[:, 0] = np.bincount(sample, minlength=len(flat))
    return _lay_out(counts, address, flat[sample, address])


def from_spikes(spikes: npt.NDArray[Any]) -> Stimulus:
    """Beats of spikes ``(time, batch, address)``, per step in the order of the addresses."""
    ordered = spikes.transpose(1, 0, 2)
    _, _, address = np.nonzero(ordered)
    return _lay_out(np.count_nonzero(ordered, axis=2), address, np.ones_like(address))


def asking(stimulus: Stimulus, answers: Collection[int]) -> Stimulus:
    """The same beats of streams that are asked for an answer after these numbers of steps, before their last."""
    wanted = frozenset(answers)
    if wanted and not 1 <= min(wanted) <= max(wanted) < stimulus.time_steps:
        raise ValueError(f"answers must be within the stream, after 1 to {stimulus.time_steps - 1} steps")
    marker = stimulus.marker.copy()
    ends = np.flatnonzero(marker != Marker.NONE).reshape(len(stimulus), stimulus.time_steps)
    marker[ends[:, np.array(sorted(wanted), dtype=np.int64) - 1]] = Marker.ANSWER
    return replace(stimulus, marker=marker, answers=wanted)


def _lay_out(counts: IntArray, address: IntArray, value: npt.NDArray[Any]) -> Stimulus:
    """Place the events, given in order, and the markers; `counts` are the events per ``(batch, time)``."""
    time_steps = counts.shape[1]
    ends = np.cumsum(np.maximum(counts, 1).reshape(-1))  # one past the last beat of each step
    beats = int(ends[-1]) if len(ends) else 0
    marker = np.zeros(beats, dtype=np.uint8)
    marker[ends - 1] = Marker.STEP
    marker[ends[time_steps - 1 :: time_steps] - 1] = Marker.SAMPLE
    event = np.ones(beats, dtype=np.bool_)
    event[ends[counts.reshape(-1) == 0] - 1] = False
    addresses, values = np.zeros(beats, dtype=np.int64), np.zeros(beats, dtype=np.int64)
    addresses[event], values[event] = address, value
    offsets = np.concatenate([np.zeros(1, dtype=np.int64), ends[time_steps - 1 :: time_steps]])
    return Stimulus(address=addresses, value=values, event=event, marker=marker, offsets=offsets, time_steps=time_steps)
