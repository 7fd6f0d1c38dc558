"""The quantisation doctor: what is wrong with a network's layers, and what to do about it.

A new check is one function and one line in `CHECKS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from snnc.compiler.ir import Graph
from snnc.sim.evaluation.activity import Activity
from snnc.sim.evaluation.health import SATURATED_RATE, LayerHealth

__all__ = ["Ailment", "Finding", "diagnose"]

WORTH_TELLING: Final = 0.05
"""Share of a layer's channels that must be dead, saturated or constant: one of twenty is what training leaves."""

PILE_UP: Final = 1.0
"""Weights at +-Q, in units of what they would be if all values were equally frequent, from which they are called
clipped. Trained weights have fewer large values than that, unless a step that is too small gathers them at the limit.
One weight per channel is not counted: the largest one lies there without any clipping."""

RATE_CHANGE: Final = 0.02
"""Change of a firing rate, in spikes per neuron and step: a tenth of a rate that is usual, 0.2."""

DISAGREEMENT: Final = 0.05
"""Share of spikes that a layer's rounding may change. Rounding after training changed 0.8% to 3% of random layers'
spikes at 4 and 3 bits, and 7% at 2, where fraction bits are wanted."""

UNUSED_BITS: Final = 3
"""Bits of the membrane words that no sample used: proofs are for the worst input, which costs one or two."""


RARE: Final = 0.5
"""Of the samples that a class would have if all had equally many: below it a class is called rare."""

_NAMED: Final = 8
"""Channels or classes that a sentence lists."""


class Ailment(StrEnum):
    """What can be found."""

    DEAD = "dead"
    SATURATED = "saturated"
    CONSTANT = "constant"
    CLIPPED = "clipped"
    COARSE = "coarse"
    RATE_CHANGED = "rate changed"
    SPIKES_CHANGED = "spikes changed"
    WIDE_MEMBRANE = "wide membrane"
    NEVER_ANSWERED = "never answered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding.

    Attributes
    ----------
    ailment, layer
        What, and where.
    measured
        A sentence with the numbers.
    advice
        A sentence on what to do.
    channels
        Which channels, where it is about some.
    """

    ailment: Ailment
    layer: str
    measured: str
    advice: str
    channels: tuple[int, ...] = ()


def diagnose(graph: Graph, activity: Activity, layers: tuple[LayerHealth, ...]) -> tuple[Finding, ...]:
    """What stands out in the measurements of `layers`, layer by layer."""
    found = [check(layer, activity) for layer in layers for check in CHECKS]
    found.append(_never_answered(graph, activity))
    return tuple(finding for finding in found if finding is not None)


def _dead(layer: LayerHealth, activity: Activity) -> Finding | None:
    if not _many(layer.dead, layer):
        return None
    return Finding(
        ailment=Ailment.DEAD,
        layer=layer.name,
        measured=f"{_of(layer.dead, layer)} never fired on {activity.samples:,} samples.",
        advice="Lower the threshold, start membranes at half of it or train longer; else take the channels out.",
        channels=layer.dead,
    )


def _saturated(layer: LayerHealth, activity: Activity) -> Finding | None:
    if not _many(layer.saturated, layer):
        return None
    return Finding(
        ailment=Ailment.SATURATED,
        layer=layer.name,
        measured=f"{_of(layer.saturated, layer)} fired in at least {SATURATED_RATE:.0%} of the steps.",
        advice="They are a bias that costs events: penalise firing in the loss, or fold them into the next biases.",
        channels=layer.saturated,
    )


def _constant(layer: LayerHealth, activity: Activity) -> Finding | None:
    if not _many(layer.constant, layer):
        return None
    return Finding(
        ailment=Ailment.CONSTANT,
        layer=layer.name,
        measured=f"{_of(layer.constant, layer)}: every weight is 0.",
        advice="The step is too coarse or the batch norm's gain near 0: use more weight bits or less weight decay.",
        channels=layer.constant,
    )


def _clipped(layer: LayerHealth, activity: Activity) -> Finding | None:
    if layer.clipped is None or layer.levels is None:
        return None
    limit = layer.levels[1]
    even = 2 / (2 * limit + 1)
    if layer.clipped - layer.channels / layer.weights <= PILE_UP * even:
        return None
    return Finding(
        ailment=Ailment.CLIPPED,
        layer=layer.name,
        measured=f"{layer.clipped:.1%} of its weights are at the limit of +-{limit}; an even spread has {even:.1%}.",
        advice="The quantiser's step is too small: train it longer, or start it from the largest weight.",
    )


def _coarse(layer: LayerHealth, activity: Activity) -> Finding | None:
    if layer.levels is None or layer.levels[0] > layer.levels[1] // 2:
        return None
    return Finding(
        ailment=Ailment.COARSE,
        layer=layer.name,
        measured=f"Its largest weight is {layer.levels[0]}, where the width allows {layer.levels[1]}.",
        advice="One bit less holds these weights; or train the quantiser's step longer, it is too coarse.",
    )


def _rate_changed(layer: LayerHealth, activity: Activity) -> Finding | None:
    rate, before = layer.rate, layer.float_rate
    if rate is None or before is None or abs(rate - before) <= RATE_CHANGE:
        return None
    return Finding(
        ailment=Ailment.RATE_CHANGED,
        layer=layer.name,
        measured=f"It fires at {rate:.1%}; before rounding it fired at {before:.1%}.",
        advice="Train longer with rounded thresholds and folded batch norms, or give the layer fraction bits.",
    )


def _spikes_changed(layer: LayerHealth, activity: Activity) -> Finding | None:
    if layer.own_disagreement is None or layer.own_disagreement <= DISAGREEMENT:
        return None
    return Finding(
        ailment=Ailment.SPIKES_CHANGED,
        layer=layer.name,
        measured=f"Its rounding alone changes {layer.own_disagreement:.1%} of its spikes and silences.",
        advice="Give the layer 1 or 2 fraction bits (its thresholds are a few steps high only) or more weight bits.",
    )


def _wide_membrane(layer: LayerHealth, activity: Activity) -> Finding | None:
    if layer.bits_proven - layer.bits_used < UNUSED_BITS:
        return None
    return Finding(
        ailment=Ailment.WIDE_MEMBRANE,
        layer=layer.name,
        measured=f"Its membranes have {layer.bits_proven} bits for any input; these samples used {layer.bits_used}.",
        advice="Compile for fewer time steps, or train sparser weights: the width is proven from their sums.",
    )


def _never_answered(graph: Graph, activity: Activity) -> Finding | None:
    asked, answered = activity.confusion.sum(axis=1), activity.confusion.sum(axis=0)
    missing = tuple(int(index) for index in np.flatnonzero((asked > 0) & (answered == 0)))
    if not missing:
        return None
    names = [graph.classes[index] if graph.classes else str(index) for index in missing]
    return Finding(
        ailment=Ailment.NEVER_ANSWERED,
        layer=graph.readout.name,
        measured=f"No sample was ever called {', '.join(names[:_NAMED])}{', ..' if len(names) > _NAMED else ''}.",
        advice=_answer_more(asked, missing, activity.accuracy[-1]),
        channels=missing,
    )


def _answer_more(asked: npt.NDArray[np.int64], missing: tuple[int, ...], accuracy: float) -> str:
    """What to do about classes without an answer, ``asked`` how often each was right; bits help none that is rare."""
    if accuracy <= asked.max() / asked.sum():
        return (
            "It is no better than always answering the most frequent class: training stood still. Train longer or at "
            "another learning rate."
        )
    if asked[list(missing)].max() < RARE * asked.sum() / len(asked):
        return "These classes are rare: train on more samples of them, or weigh them more."
    return "Look at the readout's weights and biases of these classes, or give the readout more weight bits."


CHECKS: Final[tuple[Callable[[LayerHealth, Activity], Finding | None], ...]] = (
    _dead,
    _saturated,
    _constant,
    _clipped,
    _coarse,
    _rate_changed,
    _spikes_changed,
    _wide_membrane,
)
"""Applied to every layer."""


def _many(channels: tuple[int, ...], layer: LayerHealth) -> bool:
    return bool(channels) and len(channels) >= WORTH_TELLING * layer.channels


def _of(channels: tuple[int, ...], layer: LayerHealth) -> str:
    if len(channels) == layer.channels:
        return f"All {layer.channels} channels"
    some = ", ".join(map(str, channels[:_NAMED])) + (", .." if len(channels) > _NAMED else "")
    return f"{len(channels)} of {layer.channels} channels ({some})"
