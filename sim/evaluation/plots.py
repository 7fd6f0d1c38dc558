"""The report's plots, as SVG in data URIs, so that the page needs no other file."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from snnc.sim.evaluation.evaluation import Evaluation
from snnc.sim.evaluation.immunity import Immunity
from snnc.sim.evaluation.noise import NOISES

__all__ = [
    "accuracy_over_time",
    "confusion",
    "confusion_matrix",
    "drawn",
    "firing_rates",
    "noise_immunity",
    "weight_histograms",
]

# The Okabe-Ito palette: told apart with any colour vision.
_INTEGER: Final = "#0072B2"
_FLOAT: Final = "#E69F00"

_STYLE: Final[dict[Any, Any]] = {
    "svg.hashsalt": "snnc",  # the same ids, and so the same file, in every run
    "text.parse_math": False,  # names may hold a dollar sign
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "axes.axisbelow": True,
}

_MARKED_STEPS: Final = 32
"""Most time steps that a curve has a marker for each of."""

_COLUMNS: Final = 3
"""Of small plots side by side."""

_NUMBERED_CLASSES: Final = 20
"""Most classes whose confusion matrix has its numbers written in."""


def accuracy_over_time(result: Evaluation) -> str:
    """Accuracy after every time step, integer and float."""
    activity = result.activity
    steps = np.arange(1, activity.time_steps + 1)

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        few = activity.time_steps <= _MARKED_STEPS
        axes.plot(steps, 100 * activity.accuracy, "o-" if few else "-", color=_INTEGER, label="integer")
        if activity.floating is not None:
            axes.plot(
                steps,
                100 * activity.floating.accuracy,
                "s--" if few else "--",
                color=_FLOAT,
                label="float",
                markersize=4,
            )
            axes.legend(frameon=False)
        axes.set_xlabel("time steps T")
        axes.set_ylabel("accuracy, %")
        axes.xaxis.get_major_locator().set_params(integer=True)

    return drawn(draw, 4.6, 3.0)


def firing_rates(result: Evaluation) -> str:
    """Spikes per neuron and step of every layer that fires."""
    layers = [layer for layer in result.work.layers if layer.firing_rate is not None]
    places = np.arange(len(layers))
    floating = result.activity.floating

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        width = 0.8 if floating is None else 0.4
        rates = [100 * (layer.firing_rate or 0.0) for layer in layers]
        axes.bar(places - (0.4 - width / 2), rates, width, color=_INTEGER, label="integer")
        if floating is not None:
            axes.bar(places + 0.2, [100 * rate for rate in floating.rates], width, color=_FLOAT, label="float")
            figure.legend(loc="outside upper right", ncols=2, frameon=False)
        axes.set_xlim(-1, len(layers))
        axes.set_xticks(places, [layer.name for layer in layers], rotation=45 if len(layers) > 6 else 0)
        axes.set_ylabel("neurons that fire in a step, %")
        axes.grid(visible=False, axis="x")

    return drawn(draw, max(4.6, 0.6 * len(layers)), 3.0)


def weight_histograms(result: Evaluation) -> str:
    """How often each integer weight occurs, layer by layer."""
    graph = result.graph
    parts = [
        (layer.name, np.concatenate(weights))
        for layer in graph.layers
        if (weights := [p.weight.ravel() for p in graph.weighted(layer.name)])
    ]

    def draw(figure: Any) -> None:
        for axes, (name, weights) in zip(_grid(figure, len(parts)), parts, strict=False):
            values = np.arange(int(weights.min()), int(weights.max()) + 1)
            counts = np.bincount((weights - values[0]).astype(np.int64), minlength=len(values))
            axes.bar(values, 100 * counts / len(weights), width=0.85, color=_INTEGER)
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.set_title(f"{name}, {len(weights):,}", fontsize=9)
            axes.grid(visible=False, axis="x")
            axes.set_ylabel("%")

    return drawn(draw, 9.2, 1.9 * -(-len(parts) // _COLUMNS))


def confusion(result: Evaluation) -> str:
    """Labels against answers, as shares of each label."""
    return confusion_matrix(result.activity.confusion, result.classes)


def confusion_matrix(counts: npt.NDArray[np.int64], names: Sequence[str]) -> str:
    """The same of counts ``(class, class)`` by label and answer, with the names of the classes."""
    share = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    classes = len(counts)

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
        axes.grid(visible=False)
        axes.set_xlabel("answer")
        axes.set_ylabel("label")
        if classes > _NUMBERED_CLASSES:
            return
        axes.set_xticks(range(classes), names, rotation=60 if max(map(len, names)) > 2 else 0)
        axes.set_yticks(range(classes), names)
        for label, answer in np.ndindex(classes, classes):
            if counts[label, answer]:
                colour = "white" if share[label, answer] > 0.5 else "black"
                axes.text(answer, label, str(counts[label, answer]), ha="center", va="center", color=colour, fontsize=7)

    return drawn(draw, 4.8, 4.6)


def noise_immunity(result: Evaluation) -> str:
    """Accuracy against level of every family: mean and standard deviation over the seeds."""

    def draw(figure: Any) -> None:
        for axes, family in zip(_grid(figure, len(result.immunity)), result.immunity, strict=False):
            _family(axes, family)

    return drawn(draw, 9.2, 2.5 * -(-len(result.immunity) // _COLUMNS))


def _family(axes: Any, family: Immunity) -> None:
    noise = NOISES[family.name]
    x = [family.clean_level, *(level.level for level in family.levels)]
    mean = 100 * np.array([family.clean, *(level.mean for level in family.levels)])
    spread = 100 * np.array([0.0, *(level.spread for level in family.levels)])
    axes.plot(x, mean, "o-", color=_INTEGER, markersize=3)
    axes.fill_between(x, mean - spread, mean + spread, color=_INTEGER, alpha=0.25, linewidth=0)
    axes.set_title(noise.title, fontsize=9)
    axes.set_xlabel(noise.axis, fontsize=7)
    axes.set_ylabel("accuracy, %")
    axes.set_ylim(0, 100)


def _grid(figure: Any, count: int) -> list[Any]:
    """Axes in rows of `_COLUMNS`, at least `count`; the others are taken out."""
    axes = figure.subplots(-(-count // _COLUMNS), _COLUMNS, squeeze=False).ravel()
    for unused in axes[count:]:
        unused.remove()
    return list(axes[:count])


def drawn(draw: Callable[[Any], None], width: float, height: float) -> str:
    """What `draw` draws on a figure of this size, in inches."""
    # Without pyplot: no global state, and no window system is looked for.
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        draw(figure)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
