"""What a training set is made to lack, to see what a method is worth without it: images, labels, right labels.

Only the training part changes: validation and test stay whole and right.  Samples are chosen per class, at random with
the seed of the run, and nested: the labelled tenth of a seed lies within its labelled half, and its wrong labels at
10 % are among those at 20 %.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import OptionError
from snnc.distill.data.dataset import UNLABELLED, Labels, Split

__all__ = ["UNLABELLED", "Regime", "labelled_only", "restrict"]

_IMAGES, _LABELLED, _WRONG = range(3)
"""What is drawn: each has a stream of its own, so that one does not move with another."""

_STREAM: Final = 20_24


@dataclass(frozen=True, slots=True, kw_only=True)
class Regime:
    """What is left of a training set.

    Attributes
    ----------
    images
        How many images, the same share of every class; 0 for all.
    labelled
        Share of them that keep their label, of every class; at least one of each, unless it is 0.
    label_noise
        Share of those labels that are replaced by another class, drawn uniformly.
    """

    images: int = 0
    labelled: float = 1.0
    label_noise: float = 0.0

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("images", self.images, 0, 1 << 31),
            ("labelled", self.labelled, 0.0, 1.0),
            ("label-noise", self.label_noise, 0.0, 1.0),
        ):
            if not low <= value <= high:  # a NaN fails, too
                raise OptionError(f"--{name} must be {low} to {high}, not {value}.")


def restrict(train: Split, regime: Regime, *, classes: int, seed: int) -> Split:
    """The training part that a run sees; a label that it does not know is `UNLABELLED`.

    Raises
    ------
    OptionError
        More images are asked for than there are, or fewer than one of each class; or labels are of steps.
    """
    if train.labels.ndim > 1 and regime != Regime():
        raise OptionError(
            "--images, --labelled and --label-noise choose samples by their class, but here every step has a label of "
            "its own: leave them out."
        )
    labels = train.labels.copy()
    if regime.images:
        if not classes <= regime.images <= len(train):
            raise OptionError(
                f"--images must be {classes}, one of each class, to {len(train):,}, all there are, not "
                f"{regime.images:,}."
            )
        chosen = _per_class(labels, regime.images / len(train), _generator(seed, _IMAGES), total=regime.images)
        train, labels = train.chosen(chosen), labels[chosen]
    if regime.labelled < 1:
        known = _per_class(labels, regime.labelled, _generator(seed, _LABELLED))
        hidden = np.full_like(labels, UNLABELLED)
        hidden[known] = labels[known]
        labels = hidden
    if regime.label_noise:
        random = _generator(seed, _WRONG)
        order = random.permutation(len(labels))
        others = random.randint(1, max(classes, 2), len(labels))
        with_label = order[labels[order] != UNLABELLED]
        wrong = with_label[: round(regime.label_noise * len(with_label))]
        labels[wrong] = (labels[wrong] + others[wrong]) % classes
    return replace(train, labels=labels)


def labelled_only(train: Split) -> Split:
    """For who learns from labels alone: those samples, repeated until they are as many as all.

    So an epoch costs the same, and is as many updates, as for who learns from all images; every repetition is
    distorted on its own.

    Raises
    ------
    OptionError
        There is no label at all.
    """
    known = np.flatnonzero((train.labels != UNLABELLED).reshape(len(train), -1).any(axis=1))
    if len(known) == len(train):
        return train
    if not len(known):
        raise OptionError(
            "Without a label there is nothing that this run could learn from: give a teacher with --teacher-from and a "
            "loss that can do without labels, or some labels with --labelled."
        )
    repeated = np.resize(known, len(train))
    return train.chosen(repeated)


def _generator(seed: int, stream: int) -> np.random.RandomState:
    return np.random.RandomState([_STREAM, stream, seed])


def _per_class(
    labels: Labels, share: float, random: np.random.RandomState, *, total: int | None = None
) -> npt.NDArray[np.intp]:
    """Places of a share of every class, in the order of the file: the first of each class's own random order."""
    if share == 0:
        return np.zeros(0, dtype=np.intp)
    orders = [random.permutation(np.flatnonzero(labels == label)) for label in range(labels.max() + 1)]
    counts = [max(1, round(share * len(order))) if len(order) else 0 for order in orders]
    if total is not None:  # rounding: one more or less of the classes that have most
        largest = sorted(range(len(orders)), key=lambda label: -len(orders[label]))
        index = 0
        while sum(counts) != total:
            label = largest[index % len(largest)]
            step = 1 if sum(counts) < total else -1
            if 1 <= counts[label] + step <= len(orders[label]):
                counts[label] += step
            index += 1
    return np.sort(np.concatenate([order[:count] for order, count in zip(orders, counts, strict=True)]))
