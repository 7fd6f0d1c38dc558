"""The thresholds of plain ReLUs, which state no largest value, from what an ANN does on training images."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import CheckpointError
from snnc.compiler.formats.foreign.nodes import Floats
from snnc.compiler.formats.onnx.session import open_session, run_session

__all__ = ["balanced_thresholds", "relu_thresholds"]

_BATCH: Final = 50
"""Images at a time, where the network leaves that free."""
_KEPT: Final = 1024
"""Positions of a batch at which the activations of a layer are kept."""
_CANDIDATES: Final = 2.0 ** (-np.arange(64) / 8)
"""Thresholds that are tried, of the largest activation."""


def relu_thresholds(model: Any, images: npt.NDArray[np.uint8], steps: int) -> Mapping[str, Floats]:
    """A threshold for every channel of every ``Relu`` of `model` (an ``onnx.ModelProto``).

    Parameters
    ----------
    images
        ``(N, C, H, W)``, training images; the network is run on them as ``p / 255``.
    steps
        Time steps of the spiking network.

    Returns
    -------
    Mapping[str, Floats]
        ``(C,)`` by the name of the value that the ReLU gives.

    Raises
    ------
    CheckpointError
        The network does not run on such images, or a ReLU is 0 on all of them.
    MissingError
        onnxruntime is not installed.
    """
    names = [node.output[0] for node in model.graph.node if node.op_type == "Relu" and node.output]
    if not names:
        return {}
    kept: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in names}
    generator = np.random.default_rng(0)
    for outputs in _run(model, names, images):
        for name, values in zip(names, outputs, strict=True):
            rows = np.moveaxis(values, 1, -1).reshape(-1, values.shape[1])
            kept[name].append(rows if len(rows) <= _KEPT else generator.choice(rows, _KEPT, replace=False))
    found = {name: np.concatenate(parts).astype(np.float64) for name, parts in kept.items()}
    for name, activations in found.items():
        if not activations.any() or not np.isfinite(activations).all():
            what = "infinite" if activations.any() else "0 throughout"
            raise CheckpointError(f"The Relu that gives '{name[:80]}' is {what} on {len(images):,} training images.")
    return {name: balanced_thresholds(activations, steps) for name, activations in found.items()}


def balanced_thresholds(activations: Floats, steps: int) -> Floats:
    """The threshold of each channel at which spikes in so many steps come nearest to its activations.

    An IF neuron with soft reset that starts at half its threshold ``v`` gives ``v / steps`` times ``clip(floor(steps a
    / v + 1/2), 0, steps)`` of a steady current ``a``: a large ``v`` rounds coarsely, a small one clips. The least mean
    square of what is lost is looked for, as by Li et al. ("A Free Lunch From ANN", ICML 2021), who have no such half.

    Parameters
    ----------
    activations
        ``(N, C)``, 0 and above; a channel that is always 0 gets the largest threshold of the others.
    """
    largest = activations.max(axis=0)
    best, least = largest.copy(), np.full(largest.shape, np.inf)
    for factor in _CANDIDATES:
        step = factor * np.where(largest > 0, largest, 1) / steps
        lost = np.square(step * np.clip(np.floor(activations / step + 0.5), 0, steps) - activations).mean(axis=0)
        best, least = np.where(lost < least, factor * largest, best), np.minimum(lost, least)
    return np.where(best > 0, best, best.max())


def _run(model: Any, names: list[str], images: npt.NDArray[np.uint8]) -> Iterator[Sequence[npt.NDArray[Any]]]:
    """The values of these names, batch by batch."""
    watched = type(model)()
    watched.CopyFrom(model)
    del watched.graph.output[:]
    for name in names:
        watched.graph.output.add().name = name
    session = open_session(watched.SerializeToString())
    # Sizes that are left free have names in the place of numbers.
    first, *sizes = session.get_inputs()[0].shape
    fixed = isinstance(first, int)
    batch = first if fixed else _BATCH
    if fixed and not 1 <= batch <= len(images):
        raise CheckpointError(f"It takes {batch:,} images at a time; export it with a free batch size.")
    if math.prod(sizes) != math.prod(images.shape[1:]):
        shape, own = ("x".join(map(str, sizes)) for sizes in (images.shape[1:], sizes))
        raise CheckpointError(f"It takes inputs of {own}, and the training images have {shape}.")
    # A batch of a fixed size is full, or is left out.
    for start in range(0, len(images) - (batch - 1 if fixed else 0), batch):
        pixels = images[start : start + batch] / np.float32(255)
        yield run_session(session, pixels.reshape(-1, *sizes))
