"""Signals to events: send-on-delta, one encoder per channel, in whole numbers as a chip computes them.

The contract (a circuit of it is equal event for event, sample for sample):

- A sample ``x`` of a channel is a signed integer, as the converter gives it.  A channel has a threshold ``d >= 1`` in
  the same unit, and a reference ``r``: the sample that was last told.
- The first sample after a start sets ``r = x`` and gives no event.
- Every later sample gives at most one event: *up* where ``x - r >= d``, *down* where ``x - r <= -d``; either sets
  ``r = x``.  Else nothing happens, and ``r`` stays.
- ``x - r`` needs one bit more than a sample; nothing saturates or wraps.

Channel ``c`` of the signal speaks on two addresses: ``2 c`` up, ``2 c + 1`` down.  A network takes one sample as one
time step.  (M. Miskowicz, "Send-on-delta concept", Sensors 6, 2006; with the reference set to the sample, not to a
grid of levels, a fast signal gives one event a sample where a grid would give many.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import DataError

__all__ = ["Samples", "SendOnDelta", "encode_windows", "thresholds_of"]

Samples = npt.NDArray[np.signedinteger]

_WIDEST = 32
"""Bits of a sample: ``x - r`` then fits 64 bits with room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendOnDelta:
    """Encoders of several channels, and where they stand.

    Attributes
    ----------
    thresholds
        ``d`` of each channel, at least 1, in units of a sample.
    reference
        ``r`` of each channel; None before the first sample.
    """

    thresholds: tuple[int, ...]
    reference: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        for channel, threshold in enumerate(self.thresholds):
            if not 1 <= threshold < 1 << _WIDEST:
                raise DataError(
                    f"The threshold of channel {channel} is {threshold}; it must be 1 to 2^{_WIDEST} - 1 units of a "
                    "sample."
                )

    def encode(self, samples: Samples) -> tuple[npt.NDArray[np.uint8], SendOnDelta]:
        """Events of the next samples, and the encoders after them: a recording in pieces gives what the whole gives.

        Parameters
        ----------
        samples
            ``[time, channel]``, signed integers of at most 32 bits.

        Returns
        -------
        tuple
            Events ``[time, 2 channel]``, 0 or 1, up and down of each channel side by side; and the state to go on from.
        """
        count = len(self.thresholds)
        if samples.ndim != 2 or samples.shape[1] != count:
            raise DataError(
                f"Samples of the shape {samples.shape} were given to {count} encoders; give (time, {count})."
            )
        if samples.dtype.kind != "i" or samples.dtype.itemsize * 8 > _WIDEST:
            raise DataError(
                f"Samples are {samples.dtype}, but signed integers of at most {_WIDEST} bits are encoded; scale and "
                "round them."
            )
        events = np.zeros((len(samples), 2 * count), dtype=np.uint8)
        reference: list[int] = []
        for channel, threshold in enumerate(self.thresholds):
            # One channel's run as Python integers: a jump is one comparison away from the last, never a NumPy call.
            told = None if self.reference is None else self.reference[channel]
            ups, downs = [], []
            for time, value in enumerate(samples[:, channel].tolist()):
                if told is None:
                    told = value
                elif value - told >= threshold:
                    ups.append(time)
                    told = value
                elif told - value >= threshold:
                    downs.append(time)
                    told = value
            events[ups, 2 * channel] = 1
            events[downs, 2 * channel + 1] = 1
            if told is not None:
                reference.append(told)
        after = tuple(reference) if len(reference) == count else self.reference
        return events, SendOnDelta(thresholds=self.thresholds, reference=after)


def encode_windows(windows: Samples, thresholds: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """Events ``[N, time, 2 channel]`` of many windows ``[N, time, channel]``, each encoded from a start of its own.

    What `SendOnDelta` gives of each, many at a time; samples have 16 bits.
    """
    count, length, channels = windows.shape
    limit = np.asarray(thresholds, dtype=np.int64)
    events = np.zeros((count, length, channels, 2), dtype=np.uint8)
    told = windows[:, 0].astype(np.int64)
    for time in range(1, length):
        sample = windows[:, time].astype(np.int64)
        moved = sample - told
        events[:, time, :, 0] = up = moved >= limit
        events[:, time, :, 1] = down = moved <= -limit
        told = np.where(up | down, sample, told)
    return events.reshape(count, length, 2 * channels)


def thresholds_of(samples: Samples, share: float) -> tuple[int, ...]:
    """A share of each channel's standard deviation over ``samples`` ``[time, channel]``, in whole units, at least 1."""
    deviation = samples.astype(np.float64).std(axis=0)
    return tuple(max(1, int(value)) for value in np.rint(deviation * share))
