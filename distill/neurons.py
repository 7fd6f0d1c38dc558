"""The integrate-and-fire neuron over all time steps, with a surrogate gradient.

The step is that of ``docs/semantics.md`` section 2, in whatever unit current and threshold share: the float student
runs it with real numbers, the folded student with integers held in floats.
"""

from __future__ import annotations

import math
from enum import Enum
from typing import Any, assert_never

import torch
from torch import Tensor

from snnc.compiler.ir.neurons import Initial, Reset

__all__ = ["Surrogate", "fire", "initial_membrane", "integrate_and_fire"]


class Surrogate(Enum):
    """What stands in for the derivative of the spike, as a function of ``x = (U - threshold) / threshold``.

    Scaled with the threshold, so that a neuron keeps its share of gradient when its unit changes (the integers of a
    folded layer are hundreds of times larger than the real numbers that they stand for).
    """

    ATAN = "atan"
    """``1 / (1 + (pi x)^2)``: the derivative of an arctangent of slope 1 (Fang et al., ICCV 2021)."""
    TRIANGLE = "triangle"
    """``max(0, 1 - |x|)`` (Bellec et al., NeurIPS 2018, without dampening)."""


class _Fire(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, membrane: Tensor, threshold: Tensor, surrogate: Surrogate) -> Tensor:
        ctx.save_for_backward(membrane, threshold)
        ctx.surrogate = surrogate
        # The comparison is made on the numbers themselves, so that it is exact for integers held in floats.
        return (membrane >= threshold).to(membrane.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        membrane, threshold = ctx.saved_tensors
        x = (membrane - threshold) / threshold
        surrogate: Surrogate = ctx.surrogate
        match surrogate:
            case Surrogate.ATAN:
                slope = 1 / (1 + (math.pi * x).square())
            case Surrogate.TRIANGLE:
                slope = (1 - x.abs()).clamp(min=0)
            case _:
                assert_never(surrogate)
        gradient = gradients[0] * slope / threshold
        return gradient, -gradient.sum(dim=0), None


def fire(membrane: Tensor, threshold: Tensor, surrogate: Surrogate) -> Tensor:
    """``s = 1 if U >= threshold else 0``: membrane ``[B, N]``, threshold ``[N]`` to spikes ``[B, N]``."""
    return _Fire.apply(membrane, threshold, surrogate)


def initial_membrane(threshold: Tensor, initial: Initial) -> Tensor:
    """``V[-1]`` per neuron, ``[N]``, of a threshold in real units."""
    match initial:
        case Initial.ZERO:
            return torch.zeros_like(threshold)
        case Initial.HALF:
            return threshold.detach() / 2
        case _:
            assert_never(initial)


def integrate_and_fire(
    current: Tensor, threshold: Tensor, start: Tensor, *, reset: Reset, surrogate: Surrogate
) -> Tensor:
    """Spikes ``[T, B, N]`` of IF neurons that receive ``current`` ``[T, B, N]``.

    The reset is detached: no gradient flows through the spike that causes it, which keeps the chain over time from
    multiplying surrogate slopes (it does flow through the threshold that is subtracted).

    Parameters
    ----------
    threshold, start
        Threshold and membrane before the first step, ``[N]``.
    """
    membrane = start.expand_as(current[0])
    steps = []
    for step_current in current:
        membrane = membrane + step_current
        spikes = fire(membrane, threshold, surrogate)
        steps.append(spikes)
        blocked = spikes.detach()
        match reset:
            case Reset.SOFT:
                membrane = membrane - threshold * blocked
            case Reset.HARD:
                membrane = membrane * (1 - blocked)
            case _:
                assert_never(reset)
    return torch.stack(steps)
