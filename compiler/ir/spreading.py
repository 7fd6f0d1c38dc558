"""Average pooling over windows that are not square, as an integer network has it: each weight once per pooled neuron.

The contract's `pool` is one number, for height and width alike.  A window of ``2 x 1`` in front of a layer is therefore
spread into the layer's weights: the sum over a window, times a weight, is that weight for every neuron of the window.
A convolution becomes one whose kernel, stride and padding are as many times as large; a dense layer hears the map that
was not pooled.  The integers are the same, and so are the sums; the memory holds each weight as often as the window has
neurons, and the weight's unit has no division by that number.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from snnc.compiler.ir.architecture import Pair, ProjectionKind, ProjectionSpec, Shape

__all__ = ["gather_weight", "spread", "spread_weight"]


def spread(spec: ProjectionSpec) -> ProjectionSpec:
    """The projection without a window that is not square; one with a square window is as it was."""
    if spec.square:
        return spec
    high, wide = spec.pool
    match spec.kind:
        case ProjectionKind.DENSE:
            out, inputs = spec.weights
            return replace(spec, weights=(out, inputs * high * wide), pool=(1, 1))
        case ProjectionKind.CONVOLUTION:
            kernel = _times(spec.kernel, spec.pool)
            return replace(
                spec,
                weights=(*spec.weights[:2], *kernel),
                kernel=kernel,
                stride=_times(spec.stride, spec.pool),
                padding=_times(spec.padding, spec.pool),
                pool=(1, 1),
            )
        case ProjectionKind.POOLING:
            raise AssertionError("a pooling projection has no window in front of it")


def spread_weight(spec: ProjectionSpec, weight: npt.NDArray[Any], source: Shape) -> npt.NDArray[Any]:
    """Weights of `spec` to those of ``spread(spec)``; `source` is the shape of the map before it is pooled."""
    if spec.square:
        return weight
    high, wide = spec.pool
    return _as_map(spec, weight, source).repeat(high, axis=2).repeat(wide, axis=3).reshape(spread(spec).weights)


def gather_weight(spec: ProjectionSpec, weight: npt.NDArray[Any], source: Shape) -> npt.NDArray[Any]:
    """The inverse of `spread_weight`: one weight of each window."""
    if spec.square:
        return weight
    whole = weight if spec.kind is ProjectionKind.CONVOLUTION else weight.reshape(len(weight), *source)
    return np.ascontiguousarray(whole[:, :, :: spec.pool[0], :: spec.pool[1]]).reshape(spec.weights)


def _as_map(spec: ProjectionSpec, weight: npt.NDArray[Any], source: Shape) -> npt.NDArray[Any]:
    """``[out, C, height, width]``, of a kernel or of the pooled map."""
    if spec.kind is ProjectionKind.CONVOLUTION:
        return weight
    channels, height, width = source
    assert math.prod(spec.weights[1:]) * math.prod(spec.pool) == math.prod(source)
    return weight.reshape(len(weight), channels, height // spec.pool[0], width // spec.pool[1])


def _times(one: Pair, other: Pair) -> Pair:
    return one[0] * other[0], one[1] * other[1]
