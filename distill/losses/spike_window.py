"""Distillation over windows of time, from an SNN teacher, after Kushawaha et al. (ICPR 2020, arXiv 2005.00288).

    L = (1 - alpha) * CE(mean_t z_S[t], y)  +  alpha * mean over windows a of D(A_S[a], A_T[a])
    A[a] = mean of z[a .. a + w - 1],   a = 0, r, 2r, ... while the window of w steps lies inside the run

``z_S [T, B, K]`` is the student's readout at every step, ``z_T [T', B, K]`` the SNN teacher's.  ``w = T`` is the full
window, ``w = 1, r = 1`` is distillation per step, anything between slides.  The teacher may run for another time: a
window is then compared with the same *fraction* of the teacher's time, ``[a / T, (a + w) / T)``, in which a step that
is cut by the border counts with its share.

window, stride
    ``w`` in steps, or below 1 as a fraction of ``T``, rounded up; ``r`` in steps.
form
    ``soft``: ``D = tau^2 KL(softmax(g A_T / tau) || softmax(g A_S / tau))``, averaged over the batch.
    ``l2``: ``D = |A_T - A_S|^2 / K``, averaged over the batch; ``gain`` and ``--temperature`` have no part.
gain
    ``g`` of the soft form.  1 for logits, as here; spike *rates* in [0, 1] would give a flat softmax without one, and
    ``g = w`` turns them into counts.

A reconstruction from the abstract (several losses, windows of spike activity of the output), not a reproduction: the
paper's windows, weights and temperatures are not known to us.  Our outputs are real-valued, where a paper of spikes
has rates.  Its intermediate network, the teaching assistant, is a sequence of runs and no loss.  Half the time and
stride 1 are ours.
"""

from __future__ import annotations

import math
from types import MappingProxyType

import torch
from torch import Tensor

from snnc.distill.losses.interface import Choice, LossInputs, LossSettings, Method, Need, Option
from snnc.distill.losses.terms import label_cross_entropy, softened_divergence

__all__ = ["METHOD", "spike_window", "window_means", "window_steps"]


def spike_window(inputs: LossInputs, settings: LossSettings) -> Tensor:
    """``(1 - alpha) CE + alpha mean over windows of the distance``."""
    assert inputs.teacher_step_logits is not None
    time_steps = len(inputs.step_logits)
    length = window_steps(settings.number("window"), time_steps)
    starts = torch.arange(0, time_steps - length + 1, int(settings.number("stride")))
    low, high = starts.double() / time_steps, (starts + length).double() / time_steps
    student = window_means(inputs.step_logits, low, high)  # [windows, B, K]
    teacher = window_means(inputs.teacher_step_logits.detach(), low, high)
    if settings.word("form") == "l2":
        distance = (student - teacher).square().mean()
    else:
        gain = settings.number("gain")
        distance = softened_divergence(gain * student, gain * teacher, settings.temperature)
    hard = label_cross_entropy(inputs.step_logits.mean(dim=0), inputs.labels, inputs.class_weights)
    return (1 - settings.alpha) * hard + settings.alpha * distance


def window_steps(window: float, time_steps: int) -> int:
    """Steps of a window that is given in steps or, below 1, as a fraction of the time; rounded up."""
    steps = window * time_steps if window < 1 else window
    return min(time_steps, max(1, math.ceil(steps - 1e-9)))  # 0.28 * 25 is 7.000000000000001


def window_means(steps: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Means over windows that are given as fractions of the time.

    Parameters
    ----------
    steps
        ``[T, B, K]``, constant during each step.
    low, high
        Borders in ``[0, 1]``, ``[windows]``, float64.

    Returns
    -------
    Tensor
        ``[windows, B, K]``.
    """
    first = torch.arange(len(steps), dtype=torch.float64)
    low, high = low[:, None] * len(steps), high[:, None] * len(steps)
    overlap = (torch.minimum(high, first + 1) - torch.maximum(low, first)).clamp(min=0)  # [windows, T]
    shares = (overlap / (high - low)).to(steps)
    return torch.einsum("wt,tbk->wbk", shares, steps)


METHOD = Method(
    loss=spike_window,
    needs=frozenset({Need.TEACHER_STEP_LOGITS}),
    summary="windows of an SNN teacher's output over time (after Kushawaha et al.)",
    options=MappingProxyType(
        {
            "window": Option(
                default=0.5,
                low=0,
                high=256,
                meaning="steps of a window, at most all; below 1 a fraction of them, rounded up",
            ),
            "stride": Option(default=1, low=1, high=256, meaning="steps from one window to the next", whole=True),
            "form": Choice(choices=("soft", "l2"), meaning="distance of two windows: divergence or squares"),
            "gain": Option(default=1, low=1e-3, high=1e3, meaning="factor of the outputs before the softmax"),
        }
    ),
    labels_optional=lambda settings: settings.alpha > 0,
)
