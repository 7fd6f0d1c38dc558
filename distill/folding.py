"""From a trained population to integers, inside the graph (``docs/semantics.md`` section 4).

Thresholds and biases are rounded here with a straight-through gradient while training goes on, so that the student
feels the rounding and learns around it.  All of it runs in float64, as in the compiler: a value next to a tie must
round to the same side in both.  The results are integers held in float64; a float32 holds them exactly as well, so a
forward pass over them *is* the integer network (sums stay below 2^24, which `check_range` verifies).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from snnc.compiler.errors import TrainingError
from snnc.distill.quantisers import integer_weights, round_through

__all__ = ["FoldedLayer", "Norm", "check_range", "fold"]

_FLOAT32_EXACT = 2**24
_CONSTANT = 2.0**-24
"""A channel whose integer step is worth less than this part of its threshold cannot be moved by its inputs."""
_DENOMINATORS = 256
"""Of the fractions that stand for the bias over the threshold of a channel that no weight moves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Norm:
    """Batch norm of fixed statistics: ``y = gain (x - mean) / sqrt(variance + epsilon) + offset``, each ``[out]``."""

    gain: Tensor
    offset: Tensor
    mean: Tensor
    variance: Tensor
    epsilon: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldedLayer:
    """The integers of a population, differentiable in what they were rounded from.

    Attributes
    ----------
    weights
        Of its dense and convolving projections, each ``[out, ...]`` in ``-Q .. Q``.
    constants
        Of its pooling projections, each ``[out]``: what one spike of the window adds.
    bias
        ``[out]``, added once per step.
    threshold
        ``[out]``, at least 1; None in the readout.
    scale
        Real value of one integer step of the current, ``[out]``, or ``[1]`` in the readout.
    fraction_bits
        ``f``: the weighted sums are shifted left by it before bias and constants are added.
    """

    weights: tuple[Tensor, ...]
    constants: tuple[Tensor, ...]
    bias: Tensor
    threshold: Tensor | None
    scale: Tensor
    fraction_bits: int


def fold(
    *,
    weights: Sequence[Tensor],
    constants: Sequence[Tensor],
    step: Tensor,
    bias: Tensor | None,
    norm: Norm | None,
    threshold: Tensor | None,
    unit: float,
    bits: int,
    fraction_bits: int,
    leak_shift: int | None = None,
) -> FoldedLayer:
    """Fold a population into integers.

    Parameters
    ----------
    weights, step
        Weights, each ``[out, ...]``, and their common quantiser steps ``d``, ``[out]`` or ``[1]``.
    constants
        Real values of one spike of each pooling projection, each ``[out]``; they do not pass the batch norm.
    bias, norm, threshold
        ``b0``, batch norm and ``theta``, per output channel; None where the population has none.
    unit
        Real value of an input of 1: ``1 / (2**bits_in - 1)`` after a direct input, 1 after spikes, divided by the size
        of the window that is averaged.
    leak_shift
        Of the neurons, by which a constant channel counts more finely.
    """
    w_int = tuple(integer_weights(weight, step, bits) for weight in weights)
    b0 = bias.double() if bias is not None else weights[0].new_zeros(len(weights[0]), dtype=torch.float64)
    if norm is None:
        scale, b = step.double() * unit, b0
    else:
        g = norm.gain.double() / torch.sqrt(norm.variance.double() + norm.epsilon)
        scale, b = g * step.double() * unit, norm.offset.double() + g * (b0 - norm.mean.double())
    if threshold is None:
        assert not constants
        return FoldedLayer(
            weights=w_int,
            constants=(),
            bias=round_through(2**fraction_bits * b / scale),
            threshold=None,
            scale=scale / 2**fraction_bits,
            fraction_bits=fraction_bits,
        )

    theta = threshold.double()
    flip = scale < 0  # a negative gain: negate the weights instead, the hardware knows no negative threshold
    scale = scale.abs()
    tiny = scale < _CONSTANT * theta
    still = torch.stack([~weight.detach().flatten(1).any(dim=1) for weight in w_int]).all(dim=0)
    constant = tiny | still
    steady = _steady(b.detach(), theta, leak_shift, pooled=bool(constants))
    safe = torch.where(tiny, torch.ones_like(scale), scale)
    bias_int = round_through(2**fraction_bits * b / safe)
    threshold_int = round_through(2**fraction_bits * theta / safe).clamp(min=1)
    sign = torch.where(tiny, 0.0, torch.where(flip, -1.0, 1.0)).double()
    pooled = []
    for value in constants:
        of_constant = torch.round(steady.threshold * value.detach().double() / theta)
        pooled.append(_replaced(round_through(2**fraction_bits * value.double() / safe), constant, of_constant))
    return FoldedLayer(
        weights=tuple(weight * sign.view(-1, *[1] * (weight.dim() - 1)) for weight in w_int),
        constants=tuple(pooled),
        bias=_replaced(bias_int, constant, steady.bias),
        threshold=_replaced(threshold_int, constant, steady.threshold),
        scale=torch.where(constant, theta / steady.threshold, safe / 2**fraction_bits),
        fraction_bits=fraction_bits,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Steady:
    """Bias and threshold, ``[out]``, of a channel that no weight moves."""

    bias: Tensor
    threshold: Tensor


def _steady(b: Tensor, theta: Tensor, leak_shift: int | None, *, pooled: bool) -> _Steady:
    """Integers by which such a channel fires as the float neuron does."""
    if leak_shift is None and not pooled:
        ratio = (b / theta).clamp(0, 1)
        q = torch.arange(1, _DENOMINATORS + 1, dtype=torch.float64, device=b.device)
        p = torch.floor(q * ratio[:, None])
        largest = (p / q).max(dim=1, keepdim=True).values
        least = torch.where(p / q == largest, q, torch.inf).argmin(dim=1)
        return _Steady(bias=2 * p.gather(1, least[:, None])[:, 0], threshold=2 * q[least])
    threshold = torch.full_like(theta, 2.0 ** min(8 + (leak_shift or 0), 16))
    driven = b if pooled else torch.minimum(b.clamp(min=0), theta)
    return _Steady(bias=torch.round(threshold * driven / theta), threshold=threshold)


def _replaced(values: Tensor, where: Tensor, by: Tensor) -> Tensor:
    """Other numbers in some places; the gradient passes as if they had not been replaced, so that a channel can come
    back to life."""
    return values + torch.where(where, by - values, torch.zeros_like(values)).detach()


def check_range(name: str, folded: FoldedLayer, *, largest_input: int, windows: Sequence[int], time_steps: int) -> None:
    """Refuse a population whose membranes could leave the integers that a float32 holds exactly.

    Parameters
    ----------
    largest_input
        Of one weight: ``2**bits - 1`` of a pixel, times the size of an averaged window.
    windows
        Neurons in the window of each pooling projection.
    """
    with torch.no_grad():
        reach = folded.bias.abs()
        for weight in folded.weights:
            reach = reach + weight.flatten(1).abs().sum(dim=1) * largest_input * 2**folded.fraction_bits
        for value, window in zip(folded.constants, windows, strict=True):
            reach = reach + value.abs() * window
        worst = float(reach.max()) * time_steps
        if folded.threshold is not None:
            worst += float(folded.threshold.max())
    if worst >= _FLOAT32_EXACT:
        raise TrainingError(
            f"Layer {name!r} could reach membranes of {worst:.3g}, beyond the 2^24 up to which training counts "
            "exactly; use fewer input bits, weight bits or fraction bits."
        )
