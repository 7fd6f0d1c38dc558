"""SpikingJelly: ``IFNode``, ``LIFNode``, ``ParametricLIFNode`` (Fang et al., Sci. Adv. 9, 2023).

``H = V + X`` or ``H = V + (v_reset - V) / tau + X``, ``X`` divided by tau as well with ``decay_input``; fires at
``>=``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import nn

from snnc.compiler.formats.foreign.assumptions import ResetKind
from snnc.compiler.formats.foreign.nodes import Firing, Operation, Pass, Refused
from snnc.compiler.ir import Comparison
from snnc.distill.importers.layers import array

__all__ = ["meaning"]


def meaning(module: nn.Module) -> Operation | None:
    """What a neuron of SpikingJelly does."""
    if not type(module).__module__.startswith("spikingjelly."):
        return None
    neuron: Any = module
    kind = type(module).__name__
    if kind in ("Dropout", "Dropout2d"):
        return Pass()
    if not hasattr(module, "v_threshold"):
        return None
    match kind:
        case "IFNode":
            rate = np.zeros(1)
        case "LIFNode":
            rate = 1 / array([neuron.tau])
        case "ParametricLIFNode":
            rate = array(neuron.w.sigmoid()).reshape(1)
        case _:
            return Refused(
                text="it has an equation of its own; built are IFNode, LIFNode and ParametricLIFNode.",
                remedy="Train with one of them.",
            )
    hard = neuron.v_reset is not None
    rest = array([neuron.v_reset if hard else 0.0])
    return Firing(
        beta=1 - rate,
        gain=rate if kind != "IFNode" and neuron.decay_input else np.ones(1),
        threshold=array([neuron.v_threshold]),
        drive=rate * rest,
        reset=ResetKind.HARD if hard else ResetKind.SOFT,
        comparison=Comparison.AT_LEAST,
        v_reset=rest,
        initial=rest,
    )
