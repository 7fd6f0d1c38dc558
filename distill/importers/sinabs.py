"""sinabs: ``IAF``, ``LIF``, ``ExpLeak`` and their squeezing forms (SynSense).

``v = alpha v + x``, ``x`` times ``1 - alpha`` with ``norm_input``; ``SingleSpike`` fires once a step, at ``>=``; then a
subtraction or a value; then `min_v_mem`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import nn

from snnc.compiler.formats.foreign.assumptions import ResetKind
from snnc.compiler.formats.foreign.nodes import Firing, Integrator, Operation, Pass, Pool, Refused
from snnc.compiler.ir import Comparison
from snnc.distill.importers.layers import array, pair

__all__ = ["meaning"]


def meaning(module: nn.Module) -> Operation | None:
    """What a layer of sinabs does."""
    if not type(module).__module__.startswith("sinabs."):
        return None
    neuron: Any = module
    kind = type(module).__name__
    if kind == "SumPool2d":
        return Pool(kernel=pair(neuron.kernel_size), stride=pair(neuron.stride or neuron.kernel_size))
    if kind in ("FlattenTime", "UnflattenTime", "Repeat"):
        return Pass()
    if not hasattr(module, "spike_threshold"):
        return None
    if kind not in ("IAF", "IAFSqueeze", "LIF", "LIFSqueeze", "ExpLeak", "ExpLeakSqueeze"):
        return Refused(text="it has an equation of its own; built are IAF and LIF.", remedy="Train with one of them.")
    # With trained alphas there are no time constants.
    synapse = neuron.alpha_syn if neuron.train_alphas else neuron.tau_syn
    if synapse is not None:
        return Refused(text="its synaptic current is a second state (tau_syn).", remedy="Train without it.")
    leaky = neuron.train_alphas or neuron.tau_mem is not None
    beta = array(neuron.alpha_mem_calculated) if leaky else np.ones(1)
    gain = 1 - beta if neuron.norm_input and leaky else np.ones(1)
    zero = np.zeros(1)
    if neuron.spike_fn is None:
        return Integrator(beta=beta, gain=gain, drive=zero)
    spike = getattr(neuron.spike_fn, "__name__", type(neuron.spike_fn).__name__)
    if spike != "SingleSpike":
        return Refused(
            text=f"it may fire several times in a step ({spike}); ours fires once.",
            remedy="Train with spike_fn=SingleSpike.",
        )
    reset, value = ResetKind.SOFT, zero
    match type(neuron.reset_fn).__name__:
        case "MembraneReset":
            reset, value = ResetKind.HARD, array([neuron.reset_fn.reset_value])
        case "MembraneSubtract" if neuron.reset_fn.subtract_value is None:
            pass
        case _:
            return Refused(text="its reset subtracts another value than the threshold.", remedy="Use the threshold.")
    return Firing(
        beta=beta,
        gain=gain,
        threshold=array(neuron.spike_threshold),
        drive=zero,
        reset=reset,
        comparison=Comparison.AT_LEAST,
        v_reset=value,
        initial=zero,
        floor=None if neuron.min_v_mem is None else array(neuron.min_v_mem),
    )
