"""Norse: ``LIFBox`` and ``IAF`` with their cells (Pehle & Pedersen, 2021).

``v' = v + dt tau_mem_inv (v_leak - v + I)``; fires at ``>``; then a value or a subtraction.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import nn

from snnc.compiler.formats.foreign.assumptions import ResetKind
from snnc.compiler.formats.foreign.nodes import Firing, Integrator, Operation, Refused
from snnc.compiler.ir import Comparison
from snnc.distill.importers.layers import array

__all__ = ["meaning"]


def meaning(module: nn.Module) -> Operation | None:
    """What a neuron of Norse does."""
    if not type(module).__module__.startswith("norse.") or not hasattr(module, "p"):
        return None
    neuron: Any = module
    parameters = neuron.p
    kind = type(module).__name__
    zero, one = np.zeros(1), np.ones(1)
    match kind:
        case "LIFBoxCell" | "LIFBox":
            rate = float(neuron.dt) * array(parameters.tau_mem_inv)
            leak = array(parameters.v_leak)
            return Firing(
                beta=1 - rate,
                gain=rate,
                threshold=array(parameters.v_th),
                drive=rate * leak,
                reset=_reset(parameters.reset_method),
                comparison=Comparison.ABOVE,
                v_reset=array(parameters.v_reset),
                initial=leak,
            )
        case "IAFCell" | "IAF":
            reset = array(parameters.v_reset)
            return Firing(
                beta=one,
                gain=one,
                threshold=array(parameters.v_th),
                drive=zero,
                reset=ResetKind.HARD,
                comparison=Comparison.ABOVE,
                v_reset=reset,
                initial=reset,
            )
        case "LIBoxCell" | "LIBox":
            rate = float(neuron.dt) * array(parameters.tau_mem_inv)
            return Integrator(beta=1 - rate, gain=rate, drive=rate * array(parameters.v_leak))
        case _:
            return Refused(
                text="it has a synaptic current or another second state; built are LIFBox and IAF.",
                remedy="Train with one of them.",
            )


def _reset(method: Any) -> ResetKind:
    return ResetKind.SOFT if getattr(method, "__name__", "") == "reset_subtract" else ResetKind.HARD
