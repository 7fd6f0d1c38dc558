"""snnTorch: ``Leaky`` (Eshraghian et al., Proc. IEEE 111, 2023).

``m' = beta m + I - threshold [m > threshold]``, ``s = [m' > threshold]`` by default: what a spike subtracts takes
effect in the next step. ``zero`` sets the membrane to 0 there, before the leak: a hard reset in the step itself. With
``none`` a last layer is a leaky readout, whose membranes are the answer.
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

_NOT_DELAYED = (
    "it subtracts in the step of the spike, but not while a membrane stays above the threshold from step to step; ours "
    "subtracts in every step with a spike."
)


def meaning(module: nn.Module) -> Operation | None:
    """What a neuron of snnTorch does."""
    if not type(module).__module__.startswith("snntorch.") or not hasattr(module, "reset_mechanism"):
        return None
    neuron: Any = module
    kind = type(module).__name__
    if kind != "Leaky":
        states = {"Synaptic": "two states", "Alpha": "three states", "RLeaky": "recurrent synapses of its own"}
        said = states.get(kind, "an equation of its own")
        return Refused(text=f"it has {said}; built is Leaky.", remedy="Train with Leaky.")
    if neuron.inhibition:
        return Refused(text="of its neurons only the strongest fires (inhibition).", remedy="Train without it.")
    if neuron.state_quant:
        return Refused(text="its states are quantised in its own way (state_quant).", remedy="Train without it.")
    if (array(neuron.graded_spikes_factor) != 1).any():
        return Refused(text="its spikes are graded; ours are 0 or 1.", remedy="Fold the factor into the next weights.")
    delayed = getattr(neuron, "reset_delay", True)
    caveat = ""
    match neuron.reset_mechanism:
        case "subtract" if delayed:
            reset = ResetKind.LATE
        case "subtract":
            reset, caveat = ResetKind.SOFT, _NOT_DELAYED
        case "zero":
            reset = ResetKind.HARD
        case "none":
            return Integrator(
                beta=np.clip(array(neuron.beta), 0, 1), gain=np.ones(1), drive=np.zeros(1), beside_spikes=True
            )
        case other:
            return Refused(
                text=f"its reset is '{other}'; built are subtract, zero and none.", remedy="Use one of them."
            )
    zero = np.zeros(1)
    return Firing(
        beta=np.clip(array(neuron.beta), 0, 1),
        gain=np.ones(1),
        threshold=array(neuron.threshold),
        drive=zero,
        reset=reset,
        comparison=Comparison.ABOVE,
        v_reset=zero,
        initial=zero,
        caveat=caveat,
    )
