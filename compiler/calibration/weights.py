"""Quantiser steps and integers for the weights of a layer, by what its synapses see.

The mean squared error of a channel's current is ``e^T H e`` for the error ``e`` of its weights and the second moments
``H`` of what they see; without samples ``H`` is the identity.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from snnc.compiler.calibration.settings import CalibrationSettings, Rounding, Scales
from snnc.compiler.ir import Convolution, Dense, Shape
from snnc.sim.models.floating import seen_by

__all__ = ["Synapses", "chosen_steps", "moments", "rounded"]

FloatArray: TypeAlias = npt.NDArray[np.float64]

_SEARCH: Final = np.linspace(0.3, 1.0, 57)
"""Quantiser steps to try, as fractions of the one that clips nothing."""

_DAMPING: Final = 0.01
"""Added to the second moments, in units of their mean: inputs that were never seen say nothing about their weights."""

_PIECE: Final = 2**23
"""Numbers that are laid beside each other at a time."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Synapses:
    """The weights of one projection.

    Attributes
    ----------
    rows
        A row of each neuron of a dense projection, of each channel of a convolution, ``(row, synapse)``.
    moments
        Of what they see, ``(group, synapse, synapse)``; the rows of a group follow each other.
    """

    rows: FloatArray
    moments: FloatArray


def moments(projection: Dense | Convolution, source: Shape, values: Iterable[npt.NDArray[Any]]) -> FloatArray:
    """Mean products of every two inputs of a channel, ``(group, synapse, synapse)``.

    Parameters
    ----------
    values
        What the source emits at some steps, ``(batch, address)`` each.
    """
    synapses = int(np.prod(projection.weight.shape[1:]))
    groups = projection.groups if isinstance(projection, Convolution) else 1
    total, count = np.zeros((groups, synapses, synapses)), 0
    for emitted in values:
        maps = emitted.reshape(len(emitted), *source)
        piece = max(1, _PIECE // (synapses * groups * source[1] * source[2]))
        for start in range(0, len(maps), piece):
            seen = seen_by(projection, maps[start : start + piece].astype(np.float64))
            total += seen.transpose(0, 2, 1) @ seen
            count += seen.shape[1]
    return total / max(1, count)


def chosen_steps(
    synapses: Sequence[Synapses], channels: int, settings: CalibrationSettings, *, per_tensor: bool
) -> FloatArray:
    """One quantiser step for all projections of a layer, ``(channels,)`` or ``(1,)``; 1 for channels of zeros."""
    bits = settings.weight_bits
    tables = [item.rows.reshape(channels, -1) for item in synapses]
    if bits == 1:
        # The mean magnitude is the least-squares answer for -1 and 1 (Rastegari et al., ECCV 2016).
        full = np.concatenate([np.abs(table) for table in tables], axis=1).mean(axis=1)
        candidates = [full]
    else:
        full = np.max([np.abs(table).max(axis=1) for table in tables], axis=0) / (2 ** (bits - 1) - 1)
        candidates = [full * fraction for fraction in _SEARCH]
    if per_tensor:
        candidates = [np.full(channels, found.mean() if bits == 1 else found.max()) for found in candidates]
    candidates = [np.where(found > 0, found, 1.0) for found in candidates]
    errors = [
        sum(_error(item, found, settings).reshape(channels, -1).sum(axis=1) for item in synapses)
        for found in candidates
    ]
    if per_tensor:
        best = int(np.argmin([np.sum(error) for error in errors]))
        return candidates[best][:1]
    chosen = np.argmin(np.array(errors), axis=0)
    return np.array(candidates)[chosen, np.arange(channels)]


def _error(synapses: Synapses, step: FloatArray, settings: CalibrationSettings) -> FloatArray:
    """Squared error of each row under nearest rounding, ``(row,)``."""
    spread = _per_row(step, synapses.rows)
    error = synapses.rows - spread * _nearest(synapses.rows / spread, settings.weight_bits)
    if settings.scales is Scales.WEIGHTS:
        return np.asarray((error**2).sum(axis=1))
    grouped = error.reshape(len(synapses.moments), -1, error.shape[1])
    return np.asarray(((grouped @ synapses.moments) * grouped).sum(axis=2).reshape(-1))


def rounded(synapses: Synapses, step: FloatArray, settings: CalibrationSettings) -> FloatArray:
    """Integer weights, in floats, ``(row, synapse)``."""
    spread = _per_row(step, synapses.rows)
    match settings.rounding:
        case Rounding.NEAREST:
            return _nearest(synapses.rows / spread, settings.weight_bits)
        case Rounding.COMPENSATED:
            count = len(synapses.moments)
            parts = zip(np.split(synapses.rows, count), np.split(spread, count), synapses.moments, strict=True)
            return np.concatenate([_compensated(*part, settings.weight_bits) for part in parts])


def _compensated(rows: FloatArray, step: FloatArray, moment: FloatArray, bits: int) -> FloatArray:
    """GPTQ of the rows of one group: inputs of the largest moments first."""
    mean = float(np.trace(moment)) / len(moment)
    if mean <= 0:  # nothing was seen
        return _nearest(rows / step, bits)
    order = np.argsort(-np.diagonal(moment), kind="stable")
    damped = moment[np.ix_(order, order)] + _DAMPING * mean * np.eye(len(moment))
    # The upper factor of the inverse: row j holds what an error in j asks of those after it.
    inverse = np.linalg.cholesky(np.linalg.inv(damped)).T
    left, result = rows[:, order] / step, np.empty_like(rows)
    for index, column in enumerate(order):
        whole = _nearest(left[:, index], bits)
        result[:, column] = whole
        error = (left[:, index] - whole) / inverse[index, index]
        left[:, index + 1 :] -= np.outer(error, inverse[index, index + 1 :])
    return result


def _nearest(values: FloatArray, bits: int) -> FloatArray:
    if bits == 1:
        return np.where(values >= 0, 1.0, -1.0)
    largest = 2 ** (bits - 1) - 1
    return np.clip(np.rint(values), -largest, largest)


def _per_row(step: FloatArray, rows: FloatArray) -> FloatArray:
    return np.repeat(step, len(rows) // len(step))[:, None]
