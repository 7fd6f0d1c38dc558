"""Energy-efficient distillation: two temperatures and a limit of the firing rate (after Lee et al., arXiv 2106.07172).

    L = alpha * tau_S tau_T * CE(softmax(z_S / tau_S), softmax(z_T / tau_T))  +  (1 - alpha) * CE(softmax(z_S), y)
      + penalty * sum over populations l of max(0, r_l - rate)

``z_S [B, K]`` is the mean over time of the student's readout, ``z_T [B, K]`` the ANN teacher's logits, ``tau_T`` the
``--temperature`` and ``tau_S`` the option ``student-temperature``; ``r_l`` is the mean of population ``l``'s spikes
``[T, B, ...]``.  Student and teacher agree where ``z_S / tau_S = z_T / tau_T`` up to a constant: with
``tau_S < tau_T`` the student is content with smaller logits, for which it needs fewer spikes, while ordinary
distillation raises their number.  With ``tau_S tau_T`` the gradient is independent of both temperatures in the limit
of high ones, as Hinton's ``tau^2`` has it; where they are equal and ``penalty`` is 0 this is `kdsnn_response`.

target
    ``above``: a population is charged for the rate above the target.  ``both``: for ``|r_l - rate|``, which also wakes
    populations that hardly fire.

After the abstract (different temperatures; fewer spikes at the same accuracy): which of the two is higher, the factor
and the values are our reading.  The penalty is not the paper's.  student-temperature 1, penalty 0.5, rate 0.15.
"""

from __future__ import annotations

from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn import functional as F

from snnc.distill.losses.interface import Choice, LossInputs, LossSettings, Method, Need, Option
from snnc.distill.losses.terms import label_cross_entropy

__all__ = ["METHOD", "energy_efficient", "rate_penalty"]


def energy_efficient(inputs: LossInputs, settings: LossSettings) -> Tensor:
    """``alpha tau_S tau_T CE(Q_S, Q_T) + (1 - alpha) CE(Q_S, y) + penalty * excess of the rates``."""
    assert inputs.teacher_logits is not None
    student = inputs.step_logits.mean(dim=0)  # [B, K]
    tau_student, tau_teacher = settings.number("student-temperature"), settings.temperature
    targets = (inputs.teacher_logits.detach() / tau_teacher).softmax(dim=1)
    soft = tau_student * tau_teacher * F.cross_entropy(student / tau_student, targets)
    hard = label_cross_entropy(student, inputs.labels, inputs.class_weights)
    penalty = settings.number("penalty") * rate_penalty(inputs.spikes, settings)
    return settings.alpha * soft + (1 - settings.alpha) * hard + penalty


def rate_penalty(spikes: tuple[Tensor, ...], settings: LossSettings) -> Tensor:
    """Sum over the populations of what their mean rate has too much (or too little)."""
    rates = torch.stack([population.mean() for population in spikes]) if spikes else torch.zeros(0)
    excess = rates - settings.number("rate")
    return (excess.abs() if settings.word("target") == "both" else excess.clamp(min=0)).sum()


METHOD = Method(
    loss=energy_efficient,
    needs=frozenset({Need.TEACHER_LOGITS}),
    summary="teacher and student at two temperatures, and a penalty on firing rates above a target",
    options=MappingProxyType(
        {
            "student-temperature": Option(default=1, low=0.1, high=100, meaning="softening of the student's logits"),
            "penalty": Option(default=0.5, low=0, high=1000, meaning="weight of the rates"),
            "rate": Option(default=0.15, low=0, high=1, meaning="target of a population's spikes per neuron and step"),
            "target": Choice(choices=("above", "both"), meaning="whether a rate below the target is charged, too"),
        }
    ),
    labels_optional=lambda settings: settings.alpha > 0,
)
