"""Labelled test samples, and how they reach a network."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias, assert_never

import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import DataError
from snnc.compiler.ir import Encoding, Graph
from snnc.sim.models import encoders

__all__ = ["Samples", "encoded_batches", "load_samples"]

Pixels: TypeAlias = npt.NDArray[np.uint8]
IntArray: TypeAlias = npt.NDArray[np.int64]

_EVENT_SEED: Final = 0
"""Of the spikes that an image becomes where a network takes events: the same in every run, noisy or not."""


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
        Class indices ``(sample,)``.
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
        return self.with_images(self.images[:count])

    def with_images(self, images: Pixels) -> Samples:
        """The same labels under other pixels."""
        return Samples(
            name=self.name,
            images=images,
            labels=self.labels[: len(images)],
            classes=self.classes,
            events=self.events,
        )


def load_samples(graph: Graph, name: str, *, data: Path | None, samples: int | None = None) -> Samples:
    """Test samples of a data set that fit a network.

    Raises
    ------
    OptionError
        There is no such data set.
    DataError
        It is missing or unreadable, or its samples or classes are not the network's.
    """
    # Only the loader, which needs NumPy alone.
    from snnc.distill.data import load

    dataset = load(name, data)
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
    if dataset.time_steps is not None and dataset.time_steps < graph.time_steps:
        raise DataError(
            f"Samples of '{name}' have {dataset.time_steps} time steps, but the network runs for {graph.time_steps}; "
            f"give --time-steps {dataset.time_steps}."
        )
    split = dataset.test
    if not len(split):
        raise DataError(f"'{name}' has no test samples; an accuracy needs at least one.")
    return Samples(
        name=dataset.title or name,
        images=split.images[:samples],
        labels=split.labels[:samples],
        classes=graph.classes or dataset.classes,
        events=dataset.events,
    )


def encoded_batches(
    graph: Graph, samples: Samples, *, time_steps: int, batch: int
) -> Iterator[tuple[slice, npt.NDArray[Any]]]:
    """Inputs as the golden model takes them, `batch` samples at a time, and which samples they are."""
    generator = np.random.default_rng(_EVENT_SEED)
    source = graph.source
    for start in range(0, len(samples), batch):
        part = slice(start, min(start + batch, len(samples)))
        images = samples.images[part]
        count = len(images)
        match source.encoding:
            case Encoding.DIRECT:
                yield part, encoders.to_bits(images.reshape(count, -1), bits=source.bits)
            case Encoding.RATE:
                pixels = encoders.to_bits(images, bits=source.bits)
                yield part, encoders.rate(pixels, bits=source.bits, time_steps=time_steps)
            case Encoding.EVENTS if samples.events:
                yield part, images[:, :time_steps].reshape(count, time_steps, -1).swapaxes(0, 1)
            case Encoding.EVENTS:
                # Sample by sample and always for all of the network's steps, so that neither the size of a batch nor
                # the number of steps changes what a sample's spikes are.
                drawn = generator.random((count, graph.time_steps, graph.input.size))
                spikes = drawn * 255 < images.reshape(count, 1, -1)
                yield part, spikes[:, :time_steps].swapaxes(0, 1)
            case _ as unreachable:
                assert_never(unreachable)


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
