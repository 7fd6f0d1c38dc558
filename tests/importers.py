"""The rows of docs/networks.md: a layer of 32 neurons of each kind of each library behind integer weights.

`python -m tests.importers` records what the libraries do with them (benchmarks/peers.txt) into
tests/distill/importers/spikes.npz, and prints the table. The tests of every day hold our integers against the record,
those of the night against the libraries.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from snnc.compiler.formats.foreign.assumptions import Assumptions
from snnc.compiler.formats.foreign.findings import Imported
from snnc.distill.importers import from_norse, from_sinabs, from_snntorch, from_spikingjelly
from tests.foreign import integers, run

STEPS, BATCH, INPUTS, NEURONS = 12, 64, 24, 32
"""24,576 spikes a seed."""
SEEDS = range(5)
RECORD = Path(__file__).parent / "distill" / "importers" / "spikes.npz"
FRACTION_BITS = (0, 4, 8, 12, 16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A kind of neuron.

    Attributes
    ----------
    library, kind
        The package, and the class as our importer finds it: its module and name.
    attributes
        Of the neuron, as our importer reads them.
    made
        The library's own.
    convert
        Our importer.
    fraction_bits
        The fewest of `FRACTION_BITS` from which on no spike differs.
    """

    library: str
    kind: tuple[str, str]
    attributes: Mapping[str, Any]
    made: Callable[[], nn.Module]
    convert: Callable[..., Imported]
    fraction_bits: int
    leading: int = 1


def stub(row: Row) -> nn.Module:
    """A module of the library's name and attributes, for who has not installed it."""
    kind = type(row.kind[1], (nn.Module,), {"__module__": row.kind[0], "forward": lambda self, x, *state: x * 1})
    neuron: nn.Module = kind()
    for name, value in row.attributes.items():
        setattr(neuron, name, value)
    return neuron


def network(row: Row, seed: int, neuron: nn.Module) -> nn.Sequential:
    """Integer weights, one in each row the largest, and a bias; then the neuron."""
    generator = np.random.default_rng(seed)
    linear = nn.Linear(INPUTS, NEURONS).double()
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(integers(generator, NEURONS, INPUTS)))
        linear.bias.copy_(torch.from_numpy(generator.integers(-2, 4, NEURONS)))
    return nn.Sequential(linear, neuron)


def stimulus(seed: int) -> np.ndarray:
    """``(time, batch, input)``."""
    return np.random.default_rng(1000 + seed).random((STEPS, BATCH, INPUTS)) < 0.3


def differing(row: Row, seed: int, neuron: nn.Module, expected: np.ndarray, fraction_bits: int) -> int:
    """Spikes of ours that are not those of the library."""
    options = Assumptions(time_steps=STEPS, fraction_bits=fraction_bits, weight_bits=4)
    found = row.convert(network(row, seed, neuron), _example(row), leading=row.leading, assumptions=options)
    trace = run(found.accepted(), stimulus(seed))
    (layer,) = [name for name in trace.populations if name != "readout"]
    assert (trace.logits == trace.populations[layer].spikes.sum(axis=0)).all()
    return int((trace.populations[layer].spikes != expected).sum())


def _example(row: Row) -> torch.Tensor:
    return torch.zeros((*(2, 3)[: row.leading], INPUTS), dtype=torch.float64)


def library_spikes(row: Row, seed: int) -> np.ndarray:
    """``(time, batch, neuron)`` of the library itself, in double precision."""
    net = network(row, seed, row.made()).double()
    x = torch.from_numpy(stimulus(seed)).double()
    with torch.no_grad():
        if row.library == "sinabs":
            y = net(x.transpose(0, 1)).transpose(0, 1)
        elif row.library == "spikingjelly":
            y = torch.stack([net(step) for step in x])
        else:
            state, outputs = None, []
            for step in x:
                current = net[0](step)
                spikes, state = net[1](current) if state is None else net[1](current, state)
                outputs.append(spikes)
            y = torch.stack(outputs)
    return y.numpy() > 0


def _leaky(**settings: Any) -> Callable[[], nn.Module]:
    def made() -> nn.Module:
        import snntorch

        return snntorch.Leaky(**({"threshold": 9.0} | settings))

    return made


def _snntorch(fraction_bits: int, **settings: Any) -> Row:
    return Row(
        library="snntorch",
        kind=("snntorch._neurons.leaky", "Leaky"),
        attributes={
            "threshold": torch.tensor(9.0),
            "inhibition": False,
            "state_quant": False,
            "graded_spikes_factor": torch.tensor(1.0),
            "reset_mechanism": "subtract",
            "reset_delay": True,
        }
        | settings
        | {"beta": torch.tensor(settings["beta"])},
        made=_leaky(**settings),
        convert=from_snntorch,
        fraction_bits=fraction_bits,
    )


def _spikingjelly(kind: str, fraction_bits: int, **settings: Any) -> Row:
    def made() -> nn.Module:
        from spikingjelly.activation_based import neuron

        node: nn.Module = getattr(neuron, kind)(v_threshold=9.0, **settings)
        return node

    return Row(
        library="spikingjelly",
        kind=("spikingjelly.activation_based.neuron.lif", kind),
        attributes={"v_threshold": 9.0, "v_reset": 0.0} | settings,
        made=made,
        convert=from_spikingjelly,
        fraction_bits=fraction_bits,
    )


def reset_value() -> None:
    """Stands for Norse's function of this name."""


def reset_subtract() -> None:
    """Stands for Norse's function of this name."""


@dataclass
class Parameters:
    """Stands for Norse's."""

    tau_mem_inv: torch.Tensor
    v_leak: torch.Tensor
    v_th: torch.Tensor
    v_reset: torch.Tensor
    reset_method: Any = reset_value


def _norse(kind: str, fraction_bits: int, *, v_reset: float = 0.0, subtract: bool = False) -> Row:
    values = {
        "tau_mem_inv": torch.tensor(250.0, dtype=torch.float64),
        "v_leak": torch.tensor(v_reset, dtype=torch.float64),
        "v_th": torch.tensor(9.0 if kind == "IAFCell" else 2.25, dtype=torch.float64),
        "v_reset": torch.tensor(v_reset, dtype=torch.float64),
    }

    def made() -> nn.Module:
        import norse.torch as norse
        from norse.torch.functional.reset import reset_subtract, reset_value

        if kind == "IAFCell":
            from norse.torch.functional.iaf import IAFParameters

            cell: nn.Module = norse.IAFCell(IAFParameters(v_th=values["v_th"], v_reset=values["v_reset"]))
            return cell
        method = reset_subtract if subtract else reset_value
        box: nn.Module = norse.LIFBoxCell(norse.LIFBoxParameters(**values, reset_method=method), dt=0.001)
        return box

    return Row(
        library="norse",
        kind=("norse.torch.module.lif_box", kind),
        attributes={"p": Parameters(**values, reset_method=reset_subtract if subtract else reset_value), "dt": 0.001},
        made=made,
        convert=from_norse,
        fraction_bits=fraction_bits,
    )


class MembraneReset:
    """Stands for that of sinabs."""

    reset_value = 0.0


class MembraneSubtract:
    """Stands for that of sinabs."""

    subtract_value = None


class SingleSpike:
    """Stands for that of sinabs."""


def _sinabs(kind: str, fraction_bits: int, *, hard: bool = False, **settings: Any) -> Row:
    def made() -> nn.Module:
        from sinabs import activation, layers

        reset = activation.MembraneReset() if hard else activation.MembraneSubtract()
        if kind == "LIF":
            settings.setdefault("tau_mem", 4.0)
            settings.setdefault("train_alphas", True)
        layer = getattr(layers, kind)(
            spike_threshold=torch.tensor(9.0), spike_fn=activation.SingleSpike, reset_fn=reset, **settings
        )
        if kind == "LIF":
            # No time constant in single precision leaves three quarters to the last bit.
            layer.alpha_mem.data.fill_(0.75)
        return layer

    return Row(
        library="sinabs",
        kind=("sinabs.layers.lif", kind),
        attributes={
            "spike_threshold": torch.tensor(9.0),
            "tau_syn": None,
            "alpha_syn": None,
            "train_alphas": kind == "LIF",
            "tau_mem": None,
            "alpha_mem_calculated": torch.tensor(0.75),
            "norm_input": settings.get("norm_input", True),
            "min_v_mem": settings.get("min_v_mem"),
            "spike_fn": SingleSpike,
            "reset_fn": MembraneReset() if hard else MembraneSubtract(),
        },
        made=made,
        convert=from_sinabs,
        fraction_bits=fraction_bits,
        leading=2,
    )


ROWS: dict[str, Row] = {
    "snnTorch Leaky, beta 1, subtract": _snntorch(0, beta=1.0),
    "snnTorch Leaky, beta 0.75, subtract": _snntorch(16, beta=0.75),
    "snnTorch Leaky, beta 0.5, subtract": _snntorch(12, beta=0.5),
    "snnTorch Leaky, beta 0.75, zero": _snntorch(12, beta=0.75, reset_mechanism="zero"),
    "SpikingJelly IF, hard": _spikingjelly("IFNode", 0),
    "SpikingJelly IF, soft": _spikingjelly("IFNode", 0, v_reset=None),
    "SpikingJelly LIF, tau 2, hard": _spikingjelly("LIFNode", 8, tau=2.0, decay_input=False),
    "SpikingJelly LIF, tau 2, hard, decayed input": _spikingjelly("LIFNode", 12, tau=2.0, decay_input=True),
    "SpikingJelly LIF, tau 4, soft": _spikingjelly("LIFNode", 12, tau=4.0, decay_input=False, v_reset=None),
    "SpikingJelly LIF, tau 2, reset to -1": _spikingjelly("LIFNode", 8, tau=2.0, decay_input=False, v_reset=-1.0),
    "Norse LIFBox, 1/4, value": _norse("LIFBoxCell", 12),
    "Norse LIFBox, 1/4, reset to -0.25": _norse("LIFBoxCell", 16, v_reset=-0.25),
    "Norse LIFBox, 1/4, subtract": _norse("LIFBoxCell", 16, subtract=True),
    "Norse IAF": _norse("IAFCell", 0),
    "sinabs IAF, SingleSpike": _sinabs("IAF", 0),
    "sinabs IAF, SingleSpike, floor": _sinabs("IAF", 0, min_v_mem=-9.0),
    "sinabs LIF, alpha 0.75, SingleSpike": _sinabs("LIF", 12, norm_input=False),
    "sinabs LIF, alpha 0.75, SingleSpike, reset": _sinabs("LIF", 8, hard=True, norm_input=True),
}


def main() -> None:
    """Record, and print how many spikes differ at each number of fraction bits, over all seeds."""
    recorded: dict[str, Any] = {}
    for name, row in ROWS.items():
        spikes = [library_spikes(row, seed) for seed in SEEDS]
        recorded[name] = np.packbits(np.array(spikes))
        counts = {
            bits: sum(differing(row, seed, row.made(), spikes[seed], bits) for seed in SEEDS) for bits in FRACTION_BITS
        }
        rate = float(np.mean(spikes))
        print(f"{name:<48} {rate:6.1%}  " + "  ".join(f"{bits}: {count}" for bits, count in counts.items()))
    np.savez_compressed(RECORD, **recorded)


if __name__ == "__main__":
    main()
