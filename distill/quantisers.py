"""Learned-step weight quantisers (LSQ; Esser et al., ICLR 2020), symmetric, per output channel or per tensor.

``w_int = clip(round(w / d), -Q, Q)`` with ``Q = 2**(bits - 1) - 1``; rounding is half to even and passes gradients
straight through.  Backpropagation through ``d * w_int`` then gives LSQ's gradient of the step by itself:
``round(w / d) - w / d`` inside the range, ``-Q`` or ``Q`` outside.

LSQ scales that gradient by ``1 / sqrt(n Q)`` for plain gradient descent.  Adam undoes any such scale, so here the step
is instead learned as its logarithm: one update changes a step by a fixed *fraction*, however small the weights.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["initial_log_step", "integer_weights", "largest_weight", "round_through", "step_size"]


class _RoundThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return torch.round(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0]


def round_through(x: Tensor) -> Tensor:
    """Round half to even; the gradient passes unchanged (straight-through estimator)."""
    return _RoundThrough.apply(x)


def largest_weight(bits: int) -> int:
    """``Q``: integer weights of ``bits`` bits lie in ``[-Q, Q]``; 2 bits are ternary, 1 bit is -1 or 1."""
    return max(1, 2 ** (bits - 1) - 1)


def initial_log_step(weights: Sequence[Tensor], bits: int, *, per_channel: bool) -> Tensor:
    """LSQ's starting point ``d = 2 mean|w| / sqrt(Q)``, as ``log d``: ``[out]`` per channel, ``[1]`` per tensor.

    ``weights`` are those of all projections into one population, each ``[out, ...]``.  A binary weight stands for its
    channel's mean magnitude (XNOR-Net; Rastegari et al., ECCV 2016), so with one bit ``d = mean|w|``.
    """
    magnitude = torch.cat([weight.detach().flatten(1) for weight in weights], dim=1).abs()
    mean = magnitude.mean(dim=1) if per_channel else magnitude.mean().reshape(1)
    tiny = 1e-8  # a channel of zeros has to get a step all the same
    return (mean if bits == 1 else 2 * mean / math.sqrt(largest_weight(bits))).clamp(min=tiny).log()


def step_size(log_step: Tensor) -> Tensor:
    """The step ``d`` as float64 whose value a float32 holds exactly: what is trained is what a checkpoint can store."""
    exact = log_step.double().exp()
    return exact + (exact.float().double() - exact).detach()


def integer_weights(weight: Tensor, step: Tensor, bits: int) -> Tensor:
    """``clip(round(w / d), -Q, Q)`` in float64: weight ``[out, ...]``, step ``[out]`` or ``[1]``.

    With one bit it is 1 where ``w >= 0`` and -1 elsewhere; the gradient passes where ``|w| <= d`` (Hubara et al.,
    2016).

    float64 because the compiler divides in float64 too: a quotient next to a tie must fall on the same side.
    """
    limit = largest_weight(bits)
    scaled = (weight.double() / step.double().view(-1, *[1] * (weight.dim() - 1))).clamp(-limit, limit)
    return _sign_through(scaled) if bits == 1 else round_through(scaled)


def _sign_through(x: Tensor) -> Tensor:
    return x + (torch.where(x >= 0, 1.0, -1.0).to(x.dtype) - x).detach()
