"""The integrate-and-fire neuron over all time steps, with a surrogate gradient.

The step is that of ``docs/semantics.md`` section 2, in whatever unit current and threshold share: the float student
runs it with real numbers, the folded student with integers held in floats.

All steps are one autograd function: its backward pass is written by hand, so that nothing but the membranes is kept and
every step costs a handful of passes over memory in place of the dozens that a recorded graph needs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple, assert_never

import torch
from torch import Tensor

from snnc.compiler.ir.neurons import Initial, Reset
from snnc.distill import fused

__all__ = ["NeuronSettings", "Surrogate", "count_levels", "initial_membrane", "integrate_and_fire", "leaky_additions"]


class Surrogate(Enum):
    """What stands in for the derivative of the spike, as a function of ``x = (U - threshold) / threshold``.

    Scaled with the threshold, so that a neuron keeps its share of gradient when its unit changes (the integers of a
    folded layer are hundreds of times larger than the real numbers that they stand for).
    """

    ATAN = "atan"
    """``1 / (1 + (pi x)^2)``: the derivative of an arctangent of slope 1 (Fang et al., ICCV 2021)."""
    TRIANGLE = "triangle"
    """``max(0, 1 - |x|)`` (Bellec et al., NeurIPS 2018, without dampening)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NeuronSettings:
    """What all neurons of a student have in common.

    Attributes
    ----------
    leak_shift
        ``k`` of the leak ``V - (V >> k)``; None for IF.
    loop_gradient
        Share of the gradient that goes back through the spikes of a recurrent layer into its own earlier steps.  Every
        step would multiply it by weights and surrogate slopes: over 128 steps it grew to 10^8, and nothing was learned
        (``docs/distillation.md``).  At 0 recurrent weights learn from the spikes that they heard, and what a spike does
        to its own layer later is left out (the truncation of e-prop; Bellec et al., Nature Communications 2020).
    """

    reset: Reset
    initial: Initial
    surrogate: Surrogate
    leak_shift: int | None = None
    loop_gradient: float = 0.0


class _Steps(NamedTuple):
    """All but the tensors of what `integrate_and_fire` is asked for."""

    number: int
    constant: bool
    whole: bool
    settings: NeuronSettings

    @property
    def compiled(self) -> fused.Steps:
        """As `snnc.distill.fused` takes them."""
        return fused.Steps(
            number=self.number,
            constant=self.constant,
            whole=self.whole,
            hard=self.settings.reset is Reset.HARD,
            leak=self.settings.leak_shift,
            triangle=self.settings.surrogate is Surrogate.TRIANGLE,
        )


class _IntegrateAndFire(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        current: Tensor,
        threshold: Tensor,
        loop: Tensor | None,
        start: Tensor,
        steps: _Steps,
    ) -> tuple[Tensor, Tensor]:
        one = current if steps.constant else current[0]
        ctx.fused = None
        if loop is None and ctx.needs_input_grad[0] and fused.takes(one):
            ctx.fused = steps.compiled
            spikes, membranes = fused.forward(current, threshold, start, ctx.fused)
        else:
            spikes, membranes = _integrated(current, threshold, loop, start, steps)
        ctx.save_for_backward(membranes, threshold, spikes, loop)
        ctx.constant, ctx.settings = steps.constant, steps.settings
        ctx.set_materialize_grads(False)  # else a tensor of zeros is made for unused membranes, in every backward pass
        return spikes, membranes

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        membranes, threshold, spikes, loop = ctx.saved_tensors
        settings: NeuronSettings = ctx.settings
        of_spikes, of_membranes = gradients
        if ctx.fused is not None and of_spikes is not None and of_membranes is None:
            learns = ctx.needs_input_grad[1]
            of_current, of_threshold = fused.backward(of_spikes, membranes, threshold, ctx.fused, learns=learns)
            return of_current, of_threshold, None, None, None
        of_current = torch.empty_like(membranes) if not ctx.constant else torch.zeros_like(membranes[0])
        of_loop = None if loop is None else torch.zeros_like(loop)
        of_threshold = None
        keep = 1.0 if settings.leak_shift is None else 1 - 2.0**-settings.leak_shift
        carried: Tensor | None = None  # gradient of the membrane after the step's reset
        inverse = threshold.reciprocal()
        later: Tensor | None = None  # gradient of the next step's current, which heard this step's spikes
        for t in reversed(range(len(membranes))):
            slope = _slope(membranes[t], threshold, inverse, settings.surrogate)
            of_spike = None if of_spikes is None else of_spikes[t]
            if loop is not None and of_loop is not None and later is not None:
                of_loop.addmm_(later.flatten(1).T, spikes[t].flatten(1))
                if settings.loop_gradient:
                    heard = (later.flatten(1) @ loop).mul_(settings.loop_gradient).view_as(slope)
                    of_spike = heard if of_spike is None else heard.add_(of_spike)
            gradient = slope.zero_() if of_spike is None else slope.mul_(of_spike)
            if ctx.needs_input_grad[1]:
                part = gradient if carried is None or settings.reset is Reset.HARD else gradient + carried * spikes[t]
                of_threshold = -part if of_threshold is None else of_threshold - part
            if carried is not None:
                match settings.reset:  # the reset itself is detached: see integrate_and_fire
                    case Reset.SOFT:
                        gradient.add_(carried)
                    case Reset.HARD:
                        gradient.add_(carried).addcmul_(carried, spikes[t], value=-1)
                    case _:
                        assert_never(settings.reset)
            if of_membranes is not None:
                gradient.add_(of_membranes[t])
            if ctx.constant:
                of_current.add_(gradient)
            else:
                of_current[t] = gradient
            carried = gradient if keep == 1.0 else gradient * keep
            later = gradient
        if of_threshold is not None:
            of_threshold = of_threshold.sum_to_size(threshold.shape)
        return of_current, of_threshold, of_loop, None, None


def _integrated(
    current: Tensor, threshold: Tensor, loop: Tensor | None, start: Tensor, steps: _Steps
) -> tuple[Tensor, Tensor]:
    """Spikes and membranes, an operation after another."""
    settings = steps.settings
    one = current if steps.constant else current[0]
    membranes = _steps_like(one, steps.number)
    spikes = _steps_like(one, steps.number)
    membrane = start.expand_as(one)
    for t in range(steps.number):
        if settings.leak_shift is not None and t:
            membrane = _leaked(membrane, settings.leak_shift, steps.whole)
        torch.add(membrane, current if steps.constant else current[t], out=membranes[t])
        if loop is not None and t:
            membranes[t].add_((spikes[t - 1].flatten(1) @ loop.T).view_as(one))
        # The comparison is made on the numbers themselves, so that it is exact for integers held in floats.
        torch.ge(membranes[t], threshold, out=spikes[t])
        if t + 1 < steps.number:
            match settings.reset:
                case Reset.SOFT:
                    membrane = torch.addcmul(membranes[t], spikes[t], threshold, value=-1)
                case Reset.HARD:
                    membrane = torch.addcmul(membranes[t], spikes[t], membranes[t], value=-1)
                case _:
                    assert_never(settings.reset)
    return spikes, membranes


def _steps_like(one: Tensor, time_steps: int) -> Tensor:
    """Room for ``[T, B, ...]``, every step (and all of them folded into the batch) in the memory format of ``one``."""
    channels_last = one.dim() == 4 and one.is_contiguous(memory_format=torch.channels_last)
    folded = torch.empty(
        (time_steps * one.shape[0], *one.shape[1:]),
        dtype=one.dtype,
        device=one.device,
        memory_format=torch.channels_last if channels_last else torch.contiguous_format,
    )
    return folded.unflatten(0, (time_steps, one.shape[0]))


def _leaked(membrane: Tensor, shift: int, whole: bool) -> Tensor:
    part = membrane * 2.0**-shift
    return membrane - (torch.floor(part) if whole else part)


def leaky_additions(current: Tensor, shift: int, *, whole: bool) -> Tensor:
    """What each step adds to the membranes of a leaky readout, ``V[t] - V[t-1]``: their sum over time are its logits.

    Parameters
    ----------
    current
        ``[T, B, K]``.
    shift
        ``k`` of the leak.
    whole
        All numbers are integers, and the leak rounds as they do; its gradient is that of the leak without rounding.
    """
    membrane = torch.zeros_like(current[0])
    added = []
    for drive in current:
        part = membrane * 2.0**-shift
        if whole:
            part = part + (torch.floor(part) - part).detach()
        added.append(drive - part)
        membrane = membrane + added[-1]
    return torch.stack(added)


def _slope(membrane: Tensor, threshold: Tensor, inverse: Tensor, surrogate: Surrogate) -> Tensor:
    """Derivative of the spike with respect to the membrane."""
    x = torch.sub(membrane, threshold).mul_(inverse)
    match surrogate:
        case Surrogate.ATAN:
            return x.square_().mul_(math.pi**2).add_(1).reciprocal_().mul_(inverse)
        case Surrogate.TRIANGLE:
            return x.abs_().neg_().add_(1).clamp_(min=0).mul_(inverse)
        case _:
            assert_never(surrogate)


def initial_membrane(threshold: Tensor, initial: Initial, *, whole: bool) -> Tensor:
    """``V[-1]`` in the shape of the threshold; ``threshold >> 1`` where the threshold is a whole number."""
    match initial:
        case Initial.ZERO:
            return torch.zeros_like(threshold)
        case Initial.HALF:
            half = threshold.detach() / 2
            return half.floor() if whole else half
        case _:
            assert_never(initial)


def integrate_and_fire(
    current: Tensor,
    threshold: Tensor,
    settings: NeuronSettings,
    *,
    time_steps: int,
    constant: bool = False,
    whole: bool = False,
    loop: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Spikes, and the membranes before the reset, of neurons that receive a current.

    The reset is detached: no gradient flows through the spike that causes it, which keeps the chain over time from
    multiplying surrogate slopes (it does flow through the threshold that is subtracted).  A gradient of the membranes
    passes as it is.

    Parameters
    ----------
    current
        ``[T, B, ...]``; with ``constant`` ``[B, ...]``, the same at every step.
    threshold
        Positive, in a shape that broadcasts against ``[B, ...]``, such as ``[C, 1, 1]``.
    whole
        All numbers are integers, and the leak rounds as they do.
    loop
        Weights ``[N, N]`` of the neurons' own spikes of the step before, ``N`` neurons in a sample; None without.

    Returns
    -------
    tuple
        Spikes and membranes, both ``[T, B, ...]``.
    """
    start = initial_membrane(threshold, settings.initial, whole=whole)
    if settings.leak_shift is not None:
        start = _leaked(start, settings.leak_shift, whole)
    steps = _Steps(number=time_steps, constant=constant, whole=whole, settings=settings)
    spikes, membranes = _IntegrateAndFire.apply(current, threshold, loop, start, steps)
    return spikes, membranes


class _Floor(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, levels: int, offset: float) -> Tensor:
        ctx.save_for_backward((x > 0) & (x < 1))
        return x.mul(levels).add_(offset).floor_().clamp_(0, levels).div_(levels)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (inside,) = ctx.saved_tensors
        return gradients[0] * inside, None, None


def count_levels(current: Tensor, *, levels: int, initial: Initial) -> Tensor:
    """Firing rate of a soft-reset IF neuron of threshold 1 that receives a constant current for ``levels`` steps.

    ``clip(floor(x L + 1/2), 0, L) / L`` from half the threshold, ``clip(floor(x L), 0, L) / L`` from zero: QCFS (Bu et
    al., ICLR 2022, equation 11).  The gradient passes where the rate is neither 0 nor 1.
    """
    return _Floor.apply(current, levels, 0.5 if initial is Initial.HALF else 0.0)
