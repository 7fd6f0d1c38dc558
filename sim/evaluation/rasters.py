"""One sample over time: who fires when, what a membrane does meanwhile, and how the decision comes about."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from snnc.sim.evaluation.evaluation import Evaluation
from snnc.sim.evaluation.plots import drawn

__all__ = ["caption", "one_sample"]

_ROWS: Final = 64
"""Most neurons of a layer that are shown: as many again are left out between two of them."""

_LAYERS: Final = 6
"""Most layers that are shown, from the first on."""

_CURVES: Final = 10
"""Classes whose logits are shown, those with the largest ones at the end."""


def one_sample(result: Evaluation) -> str:
    """The spikes of each layer in the first sample, the membrane of its busiest neuron, and the logits."""
    graph, trace = result.graph, result.first
    layers = graph.layers[:-1][:_LAYERS]
    steps = np.arange(1, len(trace.populations[graph.readout.name].membranes) + 1)

    def draw(figure: Any) -> None:
        rows = figure.subplots(2 * len(layers) + 1, 1, sharex=True, squeeze=False, height_ratios=_heights(len(layers)))
        axes = list(rows[:, 0])
        for k, layer in enumerate(layers):
            found = trace.populations[layer.name]
            spikes, membranes = found.spikes[:, 0], found.membranes[:, 0]
            shown = np.unique(np.linspace(0, layer.size - 1, min(layer.size, _ROWS)).astype(np.int64))
            time, row = np.nonzero(spikes[:, shown])
            axes[2 * k].plot(time + 1, shown[row], "|", color="black", markersize=3)
            axes[2 * k].set_ylabel(layer.name)
            busiest = int(spikes.sum(axis=0).argmax())
            axes[2 * k + 1].plot(steps, membranes[:, busiest], color="#0072B2", linewidth=0.9)
            axes[2 * k + 1].set_ylabel(f"V of {busiest}")
        logits = trace.populations[graph.readout.name].membranes[:, 0]
        for number in np.argsort(-logits[-1], kind="stable")[:_CURVES]:
            axes[-1].plot(steps, logits[:, number], linewidth=0.9, label=_name(result, int(number)))
        axes[-1].set_ylabel("logits")
        axes[-1].set_xlabel("time step")
        axes[-1].xaxis.get_major_locator().set_params(integer=True)
        figure.legend(loc="outside right upper", frameon=False, fontsize=8)

    return drawn(draw, 9.2, 1.8 * len(layers) + 1.8)


def caption(result: Evaluation) -> str:
    """What the sample is, what the network answers, and from which step on."""
    logits = result.first.populations[result.graph.readout.name].membranes[:, 0]
    answers = np.argmax(logits, axis=1)
    other = np.flatnonzero(answers != answers[-1])
    since = int(other[-1]) + 2 if len(other) else 1
    return (
        f"The first sample, {_name(result, result.first_label)}: the answer is {_name(result, int(answers[-1]))} from "
        f"step {since} of {len(answers)} on."
    )


def _heights(layers: int) -> list[float]:
    return [*([2.0, 1.0] * layers), 2.0]


def _name(result: Evaluation, number: int) -> str:
    return result.classes[number] if number < len(result.classes) else str(number)
