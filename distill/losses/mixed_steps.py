"""Mixed time steps (after Du et al., ICLR 2025, arXiv 2503.17394): layers that run for numbers of steps of their own.

    L = CE(z_T, y)  +  weight * mean over s of CE(z_s, y)

``z_T [B, K]`` is the mean of the readout over all ``T`` steps; ``z_s [B, K]`` the same of a pass in which every
population runs for its own number of steps, drawn from 1 to ``T`` anew for every batch and ``s = 1 .. samples``.  From
a layer of more steps to one of fewer, neighbouring steps are summed in groups of nearly equal size; from fewer to more,
steps are repeated, so that nobody relies on when in a run a spike comes.

Groups and repetitions are those of the released code, which trains on mixed passes alone and measures the batch norms
anew at the end; here the pass of all steps is part of every batch, and the statistics are those of it alone.
``weight = 1`` is ours.  ``--alpha`` and ``--temperature`` have no part.
"""

from __future__ import annotations

from types import MappingProxyType

import torch
from torch import Tensor

from snnc.distill.losses.interface import LossInputs, LossSettings, Method, Need, Option
from snnc.distill.losses.terms import label_cross_entropy

__all__ = ["METHOD", "mixed_steps"]


def mixed_steps(inputs: LossInputs, settings: LossSettings) -> Tensor:
    """``CE + weight * mean of the mixed passes' CE``."""
    loss = label_cross_entropy(inputs.step_logits.mean(dim=0), inputs.labels, inputs.class_weights)
    if not inputs.mixed_logits:  # a phase without time
        return loss
    each = [label_cross_entropy(logits, inputs.labels, inputs.class_weights) for logits in inputs.mixed_logits]
    return loss + settings.number("weight") * torch.stack(each).mean()


METHOD = Method(
    loss=mixed_steps,
    needs=frozenset({Need.MIXED_STEPS, Need.NOISE}),
    summary="labels, also where every layer runs for a random number of steps (MTT), without a teacher",
    options=MappingProxyType(
        {
            "weight": Option(default=1, low=0, high=100, meaning="weight of the mixed passes"),
            "samples": Option(default=1, low=1, high=16, meaning="mixed passes of every batch", whole=True),
        }
    ),
    ignores=frozenset({"alpha", "temperature"}),
)
