"""From a data set to what a network receives: the one way, for every command, for training and for the benches.

Images become pixels (`direct`), spikes of an encoder neuron (`rate`) or random spikes (`events`); recorded events stay
the spikes that they are. What a sample becomes depends on the sample, its place in the data set and the seed alone:
not on how many samples are taken at once, nor on how many steps are run.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, assert_never

import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import DataError
from snnc.compiler.ir import Encoding, Graph, InputSource
from snnc.distill.data import load
from snnc.distill.data.sparse import as_sparse, chosen_samples
from snnc.sim.models import encoders

__all__ = ["Samples", "encode", "encoded_batches", "load_samples"]

Pixels: TypeAlias = npt.NDArray[np.uint8]
IntArray: TypeAlias = npt.NDArray[np.int64]

_SPIKES: Final = 1 << 25
"""Places for spikes in a batch at most, of a byte each."""

_EVENT_SEED: Final = 0
"""Of the spikes that an image becomes where a network takes events."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Samples:
    """Part of a data set.

    Attributes
    ----------
    name
        Of the data set, for people.
    images
        8-bit pixels ``(sample, channel, height, width)``; of event data spikes ``(sample, time, channel, height,
        width)``.
    labels
        Class indices ``(sample,)``; or tracks ``(sample, time)``, -1 where a step is not counted.
    classes
        Names of the classes.
    events
        Whether the samples are spikes.
    """

    name: str
    images: Pixels
    labels: IntArray
    classes: tuple[str, ...]
    events: bool = False

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, count: int) -> Samples:
        """The first `count` of them."""
        return self.with_images(chosen_samples(self.images, slice(count)))

    def with_images(self, images: Pixels) -> Samples:
        """The same labels under other pixels."""
        return Samples(
            name=self.name,
            images=images,
            labels=self.labels[: len(images)],
            classes=self.classes,
            events=self.events,
        )


def load_samples(
    graph: Graph,
    name: str,
    *,
    data: Path | None,
    samples: int | None = None,
    time_steps: int | None = None,
    part: Literal["train", "validation", "test"] = "test",
    tracks: bool = False,
) -> Samples:
    """Samples of a data set that fit a network.

    Parameters
    ----------
    samples
        How many, from the first; by default all.
    time_steps
        Steps that will be run; by default the network's.
    part
        Of the data set.
    tracks
        Whether labels may be of steps instead of samples.

    Raises
    ------
    OptionError
        There is no such data set.
    DataError
        It is missing or unreadable, or its samples or classes are not the network's.
    """
    dataset = load(name, data)
    steps = graph.time_steps if time_steps is None else time_steps
    shape, size = graph.input.shape, graph.input.size
    # A network that was described by its sizes alone takes any shape of that size.
    if dataset.shape != shape and not (shape == (size, 1, 1) and math.prod(dataset.shape) == size):
        raise DataError(
            f"Samples of '{name}' have the shape {_shape(dataset.shape)}, but the network '{graph.name}' takes "
            f"{_shape(shape)}; choose its own data set with --dataset."
        )
    if len(dataset.classes) != graph.readout.size:
        raise DataError(
            f"'{name}' has {len(dataset.classes)} classes, but the network '{graph.name}' tells {graph.readout.size} "
            "apart; choose its own data set with --dataset."
        )
    encoding = graph.source.encoding
    if dataset.events and encoding is not Encoding.EVENTS:
        raise DataError(
            f"Samples of '{name}' are events, but the network '{graph.name}' takes images ({encoding.value} encoding); "
            "choose its own data set with --dataset."
        )
    if dataset.time_steps is not None and dataset.time_steps < steps:
        raise DataError(
            f"Samples of '{name}' have {dataset.time_steps} time steps, but the network runs for {steps}; "
            f"give --time-steps {dataset.time_steps}."
        )
    if dataset.tracked and not tracks:
        raise DataError(
            f"Every step of '{name}' has a label, and its samples as a whole have none: measure decisions, with 'snnc "
            "evaluate --every STEPS'."
        )
    split = {"train": dataset.train, "validation": dataset.validation, "test": dataset.test}[part]
    if not len(split):
        raise DataError(f"'{name}' has no {part} samples; at least one is needed.")
    return Samples(
        name=dataset.title or name,
        images=chosen_samples(split.images, slice(samples)),
        labels=split.labels[:samples],
        classes=graph.classes or dataset.classes,
        events=dataset.events,
    )


def encode(
    source: InputSource, images: Pixels, *, time_steps: int, events: bool, first: int = 0, seed: int = _EVENT_SEED
) -> npt.NDArray[Any]:
    """Samples as the golden model takes them (``docs/semantics.md`` section 3).

    Parameters
    ----------
    source
        What the network takes.
    images
        8-bit pixels ``(sample, channel, height, width)``, or spikes ``(sample, time, channel, height, width)`` of at
        least `time_steps` steps.
    events
        Whether they are spikes; `source` must take events then.
    first
        Place of the first of them in the data set.
    seed
        Of the spikes that images become where the network takes events.

    Returns
    -------
    Pixels ``(sample, address)`` of ``source.bits`` bits for `direct`, else spikes ``(time, sample, address)``.
    """
    count = len(images)
    if (sparse := as_sparse(images)) is not None:
        images = sparse[:]
    match source.encoding:
        case Encoding.DIRECT:
            return encoders.to_bits(images.reshape(count, -1), bits=source.bits)
        case Encoding.RATE:
            pixels = encoders.to_bits(images, bits=source.bits)
            return encoders.rate(pixels, bits=source.bits, time_steps=time_steps)
        case Encoding.EVENTS if events:
            return images[:, :time_steps].reshape(count, time_steps, -1).swapaxes(0, 1) != 0
        case Encoding.EVENTS:
            return _drawn(images.reshape(count, -1), time_steps=time_steps, first=first, seed=seed)
        case _ as unreachable:
            assert_never(unreachable)


def encoded_batches(
    graph: Graph, samples: Samples, *, time_steps: int, batch: int
) -> Iterator[tuple[slice, npt.NDArray[Any]]]:
    """`encode`, `batch` samples at a time or fewer where they are large, and which samples they are."""
    if graph.source.encoding is not Encoding.DIRECT:
        batch = max(1, min(batch, _SPIKES // (time_steps * graph.input.size)))
    for start in range(0, len(samples), batch):
        part = slice(start, min(start + batch, len(samples)))
        images = samples.images[part]
        yield part, encode(graph.source, images, time_steps=time_steps, events=samples.events, first=start)


def _drawn(pixels: Pixels, *, time_steps: int, first: int, seed: int) -> npt.NDArray[np.bool_]:
    """Spikes ``(time, sample, address)``, each independent with the probability ``pixel / 255``.

    They stand in for an event camera where a data set has images only.
    """
    spikes = np.empty((time_steps, *pixels.shape), np.bool_)
    for index, values in enumerate(pixels):
        # A generator of its own for each sample, which draws step after step: a longer run begins as a shorter one.
        generator = np.random.default_rng([seed, first + index])
        spikes[:, index] = generator.random((time_steps, len(values))) * 255 < values
    return spikes


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
